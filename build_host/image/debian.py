"""Debian for the instrument: its packages, unpacked and configured in a root of their own."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from build_host.image.commands import run
from build_host.image.recipe import ARCHITECTURE, FOLDER, INITRAMFS, OVERLAY, Recipe, root_key
from build_host.image.tools import Tools, build_root

PACKAGES: Final = FOLDER / "packages.txt"
"""What the last image had: packages and versions, for the bill of materials."""

_LEFT_OUT: Final = ("man", "locale", "doc", "info", "bash-completion", "zsh")
_REMOVED: Final = (
    "etc/hostname",
    "etc/resolv.conf",
    "etc/ssh/ssh_host_*",
    "var/cache/debconf/*",
    "var/cache/ldconfig/*",
    "var/lib/systemd/random-seed",
    "var/log/*.log",
    "var/log/apt",
    "boot/firmware",
)
"""What belongs to one machine or to the making of the root."""

_MADE: Final = {"SOURCE_DATE_EPOCH": "1754697600", "PYTHONHASHSEED": "0"}
"""What packages write while they are installed: the same for whoever installs them, and when. The
day is that of Debian 13."""


def debian_root(recipe: Recipe, cache: Path, tools: Tools) -> Path:
    """Return the root with the recipe's packages; it is made where the recipe has changed.

    Raises
    ------
    build_host.image.commands.ToolError
        If it cannot be made.
    """
    folder = cache / f"root-{root_key(recipe)}"
    if folder.is_dir():
        return folder
    tools.emulate()
    components = ",".join(recipe.components)
    archives = [f"deb {archive} {components.replace(',', ' ')}" for archive in recipe.archives]
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT]
    build_root(
        folder,
        [
            "--variant=essential",
            # It looks for Debian 12's own emulator by name; ours is the kernel's already.
            "--skip=check/qemu",
            f"--architectures={ARCHITECTURE}",
            f"--components={components}",
            *left_out,
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            f"--include={','.join(sorted(recipe.packages))}",
            # The initramfs is made while the kernel is installed.
            f'--essential-hook=cp -R "{OVERLAY / INITRAMFS}" "$1/etc/"',
            recipe.suite,
            "{}",
            *archives,
        ],
        _MADE,
    )
    return folder


def copy_root(root: Path, folder: Path) -> None:
    """Copy a root, without what belongs to one machine alone."""
    shutil.rmtree(folder, ignore_errors=True)
    # Owners, links, capabilities: what shutil.copytree leaves behind.
    run(["cp", "--archive", "--reflink=auto", str(root), str(folder)])
    for pattern in _REMOVED:
        for path in folder.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    (folder / "boot/firmware").mkdir(exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    # Empty, not absent: a new one is made at every start, and no start is the first.
    (folder / "etc/machine-id").write_bytes(b"")


def package_list(packages: Mapping[str, str]) -> str:
    """Return packages and their versions, one a line."""
    return "".join(f"{name} {version}\n" for name, version in sorted(packages.items()))


def installed_packages(root: Path) -> dict[str, str]:
    """Return the version of every package of a root, by name."""
    versions: dict[str, str] = {}
    for paragraph in (root / "var/lib/dpkg/status").read_text(encoding="utf-8").split("\n\n"):
        fields = dict(
            line.split(": ", 1)
            for line in paragraph.splitlines()
            if ": " in line and not line.startswith(" ")
        )
        if fields.get("Status") == "install ok installed":
            versions[fields["Package"]] = fields["Version"]
    return dict(sorted(versions.items()))
