"""A card as the firmware reads it: its partition table, and the files on its FAT partitions."""

import struct
from dataclasses import dataclass
from pathlib import Path

from build_host.image.layout import EXTENDED
from build_host.image.tools import Tools

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition: its type, its first byte and its size in bytes."""

    kind: int
    start: int
    size: int


def partitions(card: Path) -> dict[int, Partition]:
    """Return the partitions of a card with a master boot record, by number."""
    found: dict[int, Partition] = {}
    with card.open("rb") as file:
        for number, entry in enumerate(_entries(file.read(SECTOR)), 1):
            if entry.size:
                found[number] = entry
        chain = found.get(EXTENDED)
        offset, number = (chain.start, EXTENDED + 1) if chain else (0, 0)
        while chain and offset:
            file.seek(offset)
            logical, following, *_ = _entries(file.read(SECTOR))
            found[number] = Partition(logical.kind, offset + logical.start, logical.size)
            offset = chain.start + following.start if following.size else 0
            number += 1
    return found


def _entries(sector: bytes) -> list[Partition]:
    return [
        Partition(kind, start * SECTOR, size * SECTOR)
        for kind, start, size in struct.iter_unpack("<4xB3xII", sector[446:510])
    ]


class Card:
    """The image of a card in a file, as large as the card.

    Parameters
    ----------
    path
        Raw image.
    tools
        Read and write its FAT partitions.
    """

    def __init__(self, path: Path, tools: Tools) -> None:
        self.path = path
        self.tools = tools

    def read(self, number: int, name: str, to: Path) -> bytes:
        """Return a file of a FAT partition; it is written to `to` as well."""
        self._mtools(number, "mcopy", "-n", "-o", f"::/{name}", str(to), shared=to.parent)
        return to.read_bytes()

    def write(self, number: int, name: str, content: bytes) -> None:
        """Put a file on a FAT partition."""
        part = self.path.with_suffix(".part")
        part.write_bytes(content)
        self._mtools(number, "mcopy", "-D", "o", str(part), f"::/{name}", shared=part.parent)
        part.unlink()

    def copy_out(self, number: int, to: Path) -> None:
        """Copy a whole partition into a file, so that it can be looked at."""
        part = partitions(self.path)[number]
        with self.path.open("rb") as source, to.open("wb") as target:
            source.seek(part.start)
            left = part.size
            while left:
                block = source.read(min(left, 1 << 22))
                # Nothing but zeros: a hole, as in the card's own file.
                if block.count(0) == len(block):
                    target.seek(len(block), 1)
                else:
                    target.write(block)
                left -= len(block)
            target.truncate(part.size)

    def _mtools(self, number: int, tool: str, *words: str, shared: Path) -> None:
        offset = partitions(self.path)[number].start
        command = [tool, "-i", f"{self.path}@@{offset}", *words]
        self.tools.run(command, [self.path.parent, shared])
