"""What makes Debian an instrument: files, users, units, and a note of what it was made of."""

import os
import shutil
from pathlib import Path
from typing import Final

from build_host.image.commands import run
from build_host.image.layout import ROOT_A, ROOT_B, part_uuid
from build_host.image.program import TREE
from build_host.image.recipe import INITRAMFS, OVERLAY, Recipe
from build_host.image.tools import Tools

UNITS: Final = Path("usr/lib/systemd/system")

_PLACES: Final = {
    ".rules": Path("usr/lib/udev/rules.d/70-dermascope.rules"),
    ".sysusers": Path("usr/lib/sysusers.d/dermascope.conf"),
}


def install_system(root: Path, recipe: Recipe, certificate: Path, tools: Tools, epoch: int) -> None:
    """Lay the overlay and the program's units into a root, and choose what is started.

    Parameters
    ----------
    certificate
        That updates of the system are trusted by.
    epoch
        When it is built, seconds since 1970: no clock of the instrument will show less.

    Raises
    ------
    build_host.image.commands.ToolError
        If a unit is not there.
    """
    for path in sorted(OVERLAY.rglob("*")):
        name = path.relative_to(OVERLAY)
        if not path.is_dir() and not str(name).startswith(INITRAMFS):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, root / name, follow_symlinks=False)
            if path.is_symlink():
                continue
            (root / name).chmod(0o755 if os.access(path, os.X_OK) else 0o644)
    for path in sorted((TREE / "systemd").iterdir()):
        shutil.copyfile(path, root / place_of(path.name))
    (root / "etc/hostname").write_text("dermascope\n")
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("/run/systemd/resolve/stub-resolv.conf")
    (root / "etc/rauc").mkdir(exist_ok=True)
    (root / "etc/rauc/system.conf").write_text(update_config(recipe))
    shutil.copyfile(certificate, root / "etc/rauc/keyring.pem")
    # systemd never lets the clock show a time before clock-epoch's, and renews what is made of /usr
    # (ldconfig's cache, the journal's catalogue) where .updated is older than that.
    for stamp in ("usr/lib/clock-epoch", "etc/.updated", "var/.updated"):
        (root / stamp).touch()
        os.utime(root / stamp, (epoch, epoch))
    tools.emulate()
    # The day on which a user was made is part of /etc/shadow.
    day = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SOURCE_DATE_EPOCH": str(epoch)}
    run(["chroot", str(root), "systemd-sysusers"], day)
    for verb, units in (
        ("enable", recipe.units.enabled),
        ("disable", recipe.units.disabled),
        ("mask", recipe.units.masked),
    ):
        tools.run(["systemctl", "--quiet", f"--root={root}", verb, *units], [root])
    # The program has the screen; whoever repairs an instrument uses ssh or its serial port.
    default = root / "etc/systemd/system/default.target"
    default.unlink(missing_ok=True)
    default.symlink_to("/usr/lib/systemd/system/multi-user.target")


def place_of(name: str) -> Path:
    """Return where a file of ``systemd/`` lies in a root."""
    return _PLACES.get(Path(name).suffix, UNITS / name)


def update_config(recipe: Recipe) -> str:
    """Return RAUC's description of the two systems on the card."""
    sections = [
        "[system]",
        f"compatible={recipe.compatible}",
        "bootloader=custom",
        "bundle-formats=verity",
        "statusfile=/data/system/rauc.status",
        "",
        "[keyring]",
        "path=/etc/rauc/keyring.pem",
        "",
        "[handlers]",
        "bootloader-custom-backend=/usr/lib/dermascope/slot",
    ]
    for index, (name, boot, root) in enumerate((("A", 2, ROOT_A), ("B", 3, ROOT_B))):
        sections += [
            "",
            f"[slot.rootfs.{index}]",
            f"device=/dev/disk/by-partuuid/{part_uuid(root)}",
            "type=raw",
            f"bootname={name}",
            "",
            f"[slot.boot.{index}]",
            f"device=/dev/disk/by-partuuid/{part_uuid(boot)}",
            "type=raw",
            f"parent=rootfs.{index}",
        ]
    return "\n".join((*sections, ""))
