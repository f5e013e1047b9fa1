"""From a root to the partitions of a card, and to the card."""

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from build_host.image import layout
from build_host.image.commands import ToolError
from build_host.image.debian import SUITE_EPOCH
from build_host.image.initramfs import with_ours
from build_host.image.layout import SLOT_A, SLOT_B, Slot
from build_host.image.privacy import is_private, privately
from build_host.image.recipe import Partitions
from build_host.image.tools import Tools
from device.platform.durable_files import PRIVATE_FILE, PRIVATE_FOLDER

_NAMESPACE: Final = uuid.UUID("6a1d1c52-51a5-4b0e-9a5a-d4f3a9c0d1e0")
_FIRMWARE: Final = "usr/lib/raspi-firmware"
_ROM_STAGE: Final = "bootcode.bin"

SELECTOR: Final = "selector.vfat"
"""The partition with the settings, in the folder that the card is put together in."""


def make_erofs(root: Path, image: Path, tools: Tools, epoch: int, name: str) -> None:
    """Write a root as a read-only file system.

    Parameters
    ----------
    name
        What the file system's identifier is made of.

    Raises
    ------
    build_host.image.commands.ToolError
        If it cannot be made.
    """
    settle_times(root, epoch)
    image.unlink(missing_ok=True)
    tools.run(
        ["mkfs.erofs", "--quiet", "-zlz4hc", f"-T{epoch}", "--mkfs-time",
         f"-U{uuid.uuid5(_NAMESPACE, name)}", "-Ldermascope", str(image), str(root)],
        [root, image.parent],
    )  # fmt: skip


def settle_times(root: Path, epoch: int) -> None:
    """Set the times of all that was made while the image was, so that two builds are alike.

    What Debian packed before its release keeps its own: compiled Python names that of its source.

    Parameters
    ----------
    epoch
        The time that they are set to.
    """
    for path in (root, *root.rglob("*")):
        if path.lstat().st_mtime > SUITE_EPOCH:
            os.utime(path, (epoch, epoch), follow_symlinks=False)


def make_fat(
    image: Path, files: Mapping[str, Path], size: int, label: str, tools: Tools, epoch: int
) -> None:
    """Write files as a FAT file system; where others may not read one of them, nor may they it.

    Parameters
    ----------
    files
        Where each lies, by its name there; folders are made.
    size
        In MiB.

    Raises
    ------
    build_host.image.commands.ToolError
        If they do not fit.
    """
    staged = image.with_suffix(".files")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(mode=PRIVATE_FOLDER)
    for name, path in sorted(files.items()):
        goes = staged / name
        goes.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, goes)
    for path in [staged, *staged.rglob("*")]:
        os.utime(path, (epoch, epoch))
    image.unlink(missing_ok=True)
    serial = f"{uuid.uuid5(_NAMESPACE, label).int & 0xFFFFFFFF:08x}"
    environment = {"SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC"}
    tools.run(
        ["mkfs.vfat", "--invariant", "-i", serial, "-n", label, "-C", str(image), str(size * 1024)],
        [image.parent],
        environment,
    )
    if any(is_private(path) for path in files.values()):
        image.chmod(PRIVATE_FILE)
    names = sorted(path.name for path in staged.iterdir())
    if names:
        copied = [str(staged / name) for name in names]
        tools.run(
            ["mcopy", "-s", "-m", "-i", str(image), *copied, "::/"], [image.parent], environment
        )
    shutil.rmtree(staged)


def boot_files(root: Path, work: Path, slot: Slot, epoch: int) -> dict[str, Path]:
    """Return what the firmware needs to start a root, by its name on the boot partition.

    Parameters
    ----------
    root
        With Debian's kernel and firmware.
    work
        Takes what is written here.

    Raises
    ------
    build_host.image.commands.ToolError
        If the root has no kernel, or several.
    """
    kernels = sorted((root / "boot").glob("vmlinuz-*"))
    if len(kernels) != 1:
        raise ToolError(f"{root}: holds {len(kernels)} kernels; one is needed")
    version = kernels[0].name.removeprefix("vmlinuz-")
    folder = work / f"boot-{slot.name}"
    folder.mkdir(parents=True, exist_ok=True)
    initramfs = folder / "initrd.img"
    debian = root / f"boot/initrd.img-{version}"
    initramfs.write_bytes(with_ours(debian.read_bytes(), epoch))
    files = {"vmlinuz": kernels[0], "initrd.img": initramfs}
    firmware = root / _FIRMWARE
    files |= {
        str(path.relative_to(firmware)): path
        for path in firmware.rglob("*")
        if path.is_file() and path.name != _ROM_STAGE
    }
    trees = root / f"usr/lib/linux-image-{version}/broadcom"
    files |= {path.name: path for path in trees.glob("bcm2[78]*-rpi-*.dtb")}
    texts = {
        "config.txt": layout.CONFIG,
        "cmdline.txt": layout.kernel_command_line(slot) + "\n",
        "cmdline.A": layout.kernel_command_line(SLOT_A) + "\n",
        "cmdline.B": layout.kernel_command_line(SLOT_B) + "\n",
    }
    for name, text in texts.items():
        files[name] = folder / name
        files[name].write_text(text)
    return files


def selector_files(root: Path, work: Path, settings: Path) -> dict[str, Path]:
    """Return what lies on the first partition, by its name there.

    Parameters
    ----------
    settings
        The instrument's, for a person to write.
    """
    folder = work / "selector"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "autoboot.txt").write_bytes(layout.autoboot(SLOT_A, SLOT_B))
    # Older firmware looks for one before it reads autoboot.txt.
    (folder / "config.txt").write_text("# autoboot.txt names the partition to start from.\n")
    return {
        "autoboot.txt": folder / "autoboot.txt",
        "config.txt": folder / "config.txt",
        "dermascope.toml": settings,
        _ROM_STAGE: root / _FIRMWARE / _ROM_STAGE,
    }


def make_card(work: Path, partitions: Partitions, tools: Tools) -> Path:
    """Put the partitions that lie in a folder together; return the image of the card.

    Where others may not read the partition with the settings, nor may they the card.

    Raises
    ------
    build_host.image.commands.ToolError
        If a partition is larger than its place.
    """
    config = work / "genimage.cfg"
    config.write_text(layout.genimage_config(partitions))
    empty, scratch = work / "empty", work / "genimage.tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    empty.mkdir(exist_ok=True)
    card = work / "dermascope.img"
    card.unlink(missing_ok=True)
    command = [
        "genimage", f"--config={config}", f"--rootpath={empty}", f"--inputpath={work}",
        f"--outputpath={work}", f"--tmppath={scratch}",
    ]  # fmt: skip
    tools.run(privately(command) if is_private(work / SELECTOR) else command, [work])
    shutil.rmtree(scratch, ignore_errors=True)
    return card
