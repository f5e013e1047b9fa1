"""Whether the tables' journal lost commits: SQLite passes over whatever follows a damaged frame.

A write that the power tore is one too, and was never acknowledged: it is at most the last commit.
Where two or more follow what SQLite could read, they were on the disk, and the medium damaged them.
"""

import struct
from pathlib import Path
from typing import Final

JOURNAL_SUFFIX: Final = "-wal"
PAGE_BYTES: Final = 4096

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_LITTLE_ENDIAN: Final = 0x377F0682
_BIG_ENDIAN: Final = 0x377F0683
_TORN: Final = 1
_WORD: Final = 0xFFFFFFFF


def commits_of(journal: Path) -> list[bool]:
    """Return, for each frame of the journal, whether it ends a commit of the present round.

    What is left of earlier rounds is in the tables' file already.

    Parameters
    ----------
    journal
        The file, in SQLite's format of version 3007000; nobody has it open.

    Raises
    ------
    OSError
        If it is there and cannot be read.
    """
    commits = []
    step = _FRAME.size + PAGE_BYTES
    try:
        file = journal.open("rb")
    except FileNotFoundError:
        return []
    with file:
        header = file.read(_HEADER.size)
        salts = _salts_of(header)
        while len(head := file.read(_FRAME.size)) == _FRAME.size:
            _, pages, *of_frame, _, _ = _FRAME.unpack(head)
            # Of a damaged header the first frame tells which round it is.
            salts = salts or of_frame
            commits.append(of_frame == salts and pages != 0)
            file.seek(_HEADER.size + len(commits) * step)
    return commits


def lost_commits(commits: list[bool], read: int) -> int:
    """Return how many commits that were on the disk follow the frames that SQLite could read.

    Parameters
    ----------
    commits
        What `commits_of` said before the tables were opened.
    read
        How many frames SQLite could read.
    """
    lost = sum(commits[read:])
    return lost if lost > _TORN else 0


def lost_changes(journal: Path) -> int:
    """Return how many commits were on the disk and cannot be read, of a journal that stays there.

    Parameters and what is raised are those of `commits_of`.
    """
    return lost_commits(commits_of(journal), _readable_frames(journal))


def _readable_frames(journal: Path) -> int:
    """Return how many frames SQLite reads: those before the first that does not fit."""
    try:
        file = journal.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        header = file.read(_HEADER.size)
        salts = _salts_of(header)
        if salts is None:
            return 0
        order = _byte_order(header)
        sums = _HEADER.unpack(header)[6:]
        count = 0
        while len(frame := file.read(_FRAME.size + PAGE_BYTES)) == _FRAME.size + PAGE_BYTES:
            page, _, *of_frame = _FRAME.unpack_from(frame)
            sums = _checksum(frame[:8] + frame[_FRAME.size :], order, *sums)
            if page == 0 or of_frame != [*salts, *sums]:
                break
            count += 1
        return count


def _salts_of(header: bytes) -> list[int] | None:
    """Return what marks the frames of the present round, or None where the header is damaged."""
    if len(header) < _HEADER.size:
        return None
    magic, *_, salt, other_salt, first, second = _HEADER.unpack(header)
    if magic not in (_LITTLE_ENDIAN, _BIG_ENDIAN):
        return None
    sums = _checksum(header[:24], _byte_order(header), 0, 0)
    return [salt, other_salt] if sums == (first, second) else None


def _byte_order(header: bytes) -> str:
    """Return the order that the journal's checksums take words in."""
    return "<" if _HEADER.unpack(header)[0] == _LITTLE_ENDIAN else ">"


def _checksum(content: bytes, order: str, one: int, other: int) -> tuple[int, int]:
    """Carry the checksums of what came before on over content of whole pairs of words."""
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + other) & _WORD
        other = (other + odd + one) & _WORD
    return one, other
