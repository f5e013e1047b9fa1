"""Damage to the journal that an interrupted program leaves: SQLite itself says nothing of it."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from device.frame import Frame
from device.records.encrypted_archive import EncryptedArchive
from device.records.journal import commits_of, lost_changes
from device.records.verification import verify
from tests.device.records.conftest import CHEAP

Interrupted = Callable[[], Path]


@pytest.fixture
def interrupted(archive: EncryptedArchive, small_frame: Frame, tmp_path: Path) -> Interrupted:
    """Return folders as a program leaves them that the power took, with six changes unfiled."""
    archive.keep(small_frame, None, [], None)
    archive.close()
    for number in range(6):
        archive.add_patient(str(number))

    def left() -> Path:
        shutil.rmtree(tmp_path / "left", ignore_errors=True)
        shutil.copytree(archive.folder, tmp_path / "left")
        return tmp_path / "left"

    return left


def wrong(folder: Path) -> list[str]:
    archive = EncryptedArchive(folder, pin_cost=CHEAP)
    try:
        return [told for told in verify(archive) if told]
    finally:
        archive.close()


def patients(folder: Path) -> int:
    archive = EncryptedArchive(folder, pin_cost=CHEAP)
    try:
        return len(archive.patients().items)
    finally:
        archive.close()


def test_whole_journal_is_read_and_no_damage_told(interrupted: Interrupted) -> None:
    folder = interrupted()
    assert sum(commits_of(folder / "archive.db-wal")) == 6
    assert lost_changes(folder / "archive.db-wal") == 0
    assert patients(folder) == 6
    assert not (folder / "archive.db-wal").exists()
    assert wrong(folder) == []


def test_changes_that_the_medium_lost_are_told(interrupted: Interrupted) -> None:
    size = (interrupted() / "archive.db-wal").stat().st_size
    chance = random.Random(1)
    places = [
        *range(0, 32, 3),
        33,
        41,
        47,
        *(chance.randrange(56, size * 2 // 3) for _ in range(20)),
    ]
    for place in places:
        folder = interrupted()
        journal = folder / "archive.db-wal"
        content = bytearray(journal.read_bytes())
        content[place] ^= 0x20
        journal.write_bytes(content)
        found = lost_changes(journal)
        told = wrong(folder)
        lost = 6 - patients(folder)
        assert lost > 1, place
        # What is said of a journal that stays there is what SQLite found of one that does not.
        assert found == lost
        (line,) = told
        assert line.startswith("archive.db-wal: was damaged at ")
        assert line.endswith(f"changes lost: {lost}")
        assert wrong(folder) == told


def test_write_that_the_power_tore_is_no_damage(interrupted: Interrupted) -> None:
    folder = interrupted()
    journal = folder / "archive.db-wal"
    commits = commits_of(journal)
    begun = len(commits) - commits[-2::-1].index(True) - 1
    # One of the last commit's frames came to nothing, and those after it are there.
    place = 32 + begun * (24 + 4096)
    content = journal.read_bytes()
    journal.write_bytes(content[:place] + bytes(24 + 4096) + content[place + 24 + 4096 :])
    assert wrong(folder) == []
    assert patients(folder) == 5


@pytest.mark.parametrize("length", [0, 10, 32, 40, 32 + 24 + 4096, 20_000])
def test_journal_that_was_cut_short_is_read_as_far_as_it_goes(
    interrupted: Interrupted, length: int
) -> None:
    folder = interrupted()
    journal = folder / "archive.db-wal"
    journal.write_bytes(journal.read_bytes()[:length])
    assert wrong(folder) == []
    assert patients(folder) < 6


def test_tables_that_were_lost_with_the_journal_are_not_made_anew(
    archive: EncryptedArchive, small_frame: Frame
) -> None:
    archive.keep(small_frame, None, [], None)
    archive.close()
    (archive.folder / "archive.db").write_bytes(b"")
    with pytest.raises(OSError, match="holds no tables"):
        archive.open()
    assert len(list(archive.folder.rglob("*.picture"))) == 1
