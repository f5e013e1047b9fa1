"""A stand-in for a Raspberry Pi's firmware: from a card to what is started.

It follows the documented rules of ``autoboot.txt``, ``config.txt`` and ``cmdline.txt`` as far as
the image uses them. That the real one does the same is for an integrator to prove.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.image.card import Card

TRYBOOT = re.compile(r"reboot: Restarting system with command '0 tryboot'")
"""What the kernel says last when it is started again for a trial."""


@dataclass(frozen=True, slots=True)
class Start:
    """What the firmware has chosen to start."""

    partition: int
    kernel: Path
    initramfs: Path
    command_line: str


def choose(card: Card, scratch: Path, *, trial: bool) -> Start:
    """Return what a machine with this card in it starts.

    Parameters
    ----------
    scratch
        Folder for the files.
    trial
        The machine was asked to try the other system, once.
    """
    choice = _sections(card.read(1, "autoboot.txt", scratch / "autoboot.txt").decode())
    settings = choice["all"] | (choice["tryboot"] if trial else {})
    partition = int(settings["boot_partition"])
    config = _sections(card.read(partition, "config.txt", scratch / "config.txt").decode())["all"]
    line = card.read(partition, "cmdline.txt", scratch / "cmdline.txt").decode().strip()
    for name in (config["kernel"], config["initramfs"]):
        card.read(partition, name, scratch / name)
    return Start(partition, scratch / config["kernel"], scratch / config["initramfs"], line)


def _sections(text: str) -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {"all": {}, "tryboot": {}}
    into = sections["all"]
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        if line.startswith("["):
            into = sections.setdefault(line.strip("[]"), {})
        elif line:
            # `initramfs` alone is written without an equals sign.
            key, _, value = line.partition("=") if "=" in line else line.partition(" ")
            into[key] = value
    return sections
