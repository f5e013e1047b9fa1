"""What Debian's kernel lacks: it does not have a Raspberry Pi's firmware try another system.

Updates are tried by it (``tryboot/dermascope_tryboot.c``). The module is compiled for the very
kernel of the image, with Debian's own headers and compiler in a root of their own.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from build_host.image.commands import ToolError, run
from build_host.image.recipe import ARCHITECTURE, FOLDER, Recipe
from build_host.image.tools import Tools, build_root, entered

NAME: Final = "dermascope_tryboot"
SOURCE: Final = FOLDER / "tryboot"

_MODULES: Final = Path("usr/lib/modules")
_COMPILER: Final = "gcc-14-aarch64-linux-gnu"
_PREFIX: Final = "aarch64-linux-gnu-"
# Always the same: it stands in what is compiled.
_PLACE: Final = Path("/tmp/dermascope")  # noqa: S108 -- of the root, not of this machine


def install_module(root: Path, recipe: Recipe, cache: Path, tools: Tools) -> None:
    """Compile the module for a root's kernel, unless that was done before, and install it.

    Raises
    ------
    build_host.image.commands.ToolError
        If the root has not one kernel, or the module cannot be compiled.
    """
    version = kernel_version(root)
    digest = hashlib.sha256(version.encode())
    for path in sorted(SOURCE.iterdir()):
        digest.update(path.read_bytes())
    compiled = cache / f"{NAME}-{digest.hexdigest()[:16]}.ko"
    if not compiled.is_file():
        headers = headers_root(version, recipe, cache, tools)
        place = headers / _PLACE.relative_to("/")
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(SOURCE, place)
        source = f"/usr/src/linux-headers-{version}"
        how = [f"M={_PLACE}", "ARCH=arm64", f"CROSS_COMPILE={_PREFIX}"]
        run(entered(headers, ["make", "-C", source, *how, "modules"]))
        part = compiled.with_suffix(".part")
        run(entered(headers, [f"{_PREFIX}strip", "--strip-debug", f"{_PLACE}/{NAME}.ko"]))
        shutil.copyfile(place / f"{NAME}.ko", part)
        part.replace(compiled)
    target = root / _MODULES / version / "updates" / f"{NAME}.ko"
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(compiled, target)
    target.chmod(0o644)
    tools.emulate()
    run(["chroot", str(root), "depmod", version], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


def kernel_version(root: Path) -> str:
    """Return the version of a root's only kernel."""
    versions = sorted(path.name for path in (root / _MODULES).iterdir())
    if len(versions) != 1:
        raise ToolError(f"{root}: has {len(versions)} kernels, and must have one")
    return versions[0]


def headers_root(version: str, recipe: Recipe, cache: Path, tools: Tools) -> Path:
    """Return the root with a kernel's headers, and what compiles for it; made the first time."""
    folder = cache / f"headers-{version}"
    if folder.is_dir():
        return folder
    tools.emulate()
    native = "arm64" if os.uname().machine == "aarch64" else "amd64"
    headers, release = f"linux-headers-{version}", version.removesuffix(f"-{ARCHITECTURE}")
    packages = (_COMPILER, f"linux-headers-{release}-common", f"linux-kbuild-{release}", "make")
    # Installed as a package it would bring the compiler that runs on its own architecture.
    unpack = (
        f"cd /tmp && apt-get -qq download {headers}:{ARCHITECTURE} && "
        f"dpkg-deb --fsys-tarfile {headers}_*.deb | tar -x -C / ./usr/src"
    )
    build_root(
        folder,
        [
            "--variant=apt",
            "--skip=check/qemu",
            f"--architectures={','.join(dict.fromkeys((native, ARCHITECTURE)))}",
            f"--include={','.join(packages)}",
            f"--customize-hook=chroot \"$1\" sh -euc '{unpack}'",
            recipe.suite,
            "{}",
            *(f"deb {archive} main" for archive in recipe.archives),
        ],
    )
    return folder
