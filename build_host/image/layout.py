"""How the card is divided, and what the firmware reads of it.

A master boot record, because the ROM of a Zero 2 W reads no other table. The first partition names
the boot partition to start from, and each of these its own root; what is kept is the last.
"""

from dataclasses import dataclass
from typing import Final

from build_host.image.recipe import Partitions

SIGNATURE: Final = 0x64657263
"""Of the partition table: the same on every card, so that an update fits all of them."""

SELECTOR, BOOT_A, BOOT_B, EXTENDED, ROOT_A, ROOT_B, DATA = range(1, 8)

MEBIBYTE: Final = 1 << 20

_FAT: Final = 0x0C
_LINUX: Final = 0x83
UNMADE: Final = 0xDA
"""Type of a data partition that holds nothing yet: it is made at the first start alone."""

AUTOBOOT_BYTES: Final = 512
"""``autoboot.txt`` fills a sector, so that it is changed by one write: power that fails leaves the
old choice or the new one."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One of the two systems on a card.

    Attributes
    ----------
    name
        ``A`` or ``B``.
    boot, root
        Numbers of its partitions.
    """

    name: str
    boot: int
    root: int


SLOT_A: Final = Slot("A", BOOT_A, ROOT_A)
SLOT_B: Final = Slot("B", BOOT_B, ROOT_B)


def part_uuid(number: int) -> str:
    """Return how the kernel names a partition of the card."""
    return f"{SIGNATURE:08x}-{number:02x}"


def autoboot(default: Slot, trial: Slot) -> bytes:
    """Return ``autoboot.txt``: which system starts, and which is tried once when asked to.

    Returns
    -------
    bytes
        One sector.
    """
    text = (
        f"[all]\ntryboot_a_b=1\nboot_partition={default.boot}\n"
        f"[tryboot]\nboot_partition={trial.boot}\n"
        "#next=\n"
    )
    return text.encode().ljust(AUTOBOOT_BYTES - 1, b"#") + b"\n"


def kernel_command_line(slot: Slot) -> str:
    """Return ``cmdline.txt`` of a slot."""
    return " ".join(
        (
            # A Pi's serial port, and the emulated machine's.
            "console=ttyS1,115200 console=ttyAMA0,115200",
            f"root=PARTUUID={part_uuid(slot.root)} rootfstype=erofs ro rootwait",
            f"rauc.slot={slot.name}",
            "net.ifnames=0 panic=10 quiet systemd.show_status=1",
        )
    )


CONFIG: Final = """\
# Read by the firmware of a Raspberry Pi. The instrument's own settings are in dermascope.toml, on
# the first partition.
arm_64bit=1
enable_uart=1
upstream_kernel=1
disable_splash=1
kernel=vmlinuz
initramfs initrd.img
"""


def genimage_config(partitions: Partitions) -> str:
    """Return genimage's description of the card."""
    sections = [
        ("selector", "selector.vfat", _FAT, partitions.selector, True),
        ("boot-a", "boot-a.vfat", _FAT, partitions.boot, False),
        ("boot-b", "boot-b.vfat", _FAT, partitions.boot, False),
        ("root-a", "root.erofs", _LINUX, partitions.root, False),
        ("root-b", None, _LINUX, partitions.root, False),
        ("data", None, UNMADE, partitions.data, False),
    ]
    lines = [
        "image dermascope.img {",
        "\thdimage {",
        '\t\tpartition-table-type = "mbr"',
        f"\t\tdisk-signature = 0x{SIGNATURE:08x}",
        f"\t\textended-partition = {EXTENDED}",
        "\t\talign = 1M",
        "\t}",
    ]
    for name, image, kind, size, bootable in sections:
        lines += [f"\tpartition {name} {{", f"\t\tpartition-type = 0x{kind:02x}"]
        lines += [f'\t\timage = "{image}"'] if image else []
        lines += ["\t\tbootable = true"] if bootable else []
        lines += [f"\t\tsize = {size}M", "\t}"]
    return "\n".join((*lines, "}", ""))
