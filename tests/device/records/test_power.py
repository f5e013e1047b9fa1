"""In which order things reach the disk: what a kill cannot show, as the system forgets nothing."""

import hashlib
import os
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from device.frame import Frame
from device.records import database, vault
from device.records.encrypted_archive import EncryptedArchive
from device.records.listing import WorkKind
from device.records.trail import Event
from device.records.verification import verify
from tests.device.records.kill_deeds import FINDING, forget_aid
from tests.device.records.test_drop_box import DECISION


@pytest.fixture
def order(archive: EncryptedArchive, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what happens to the disk from now on, in its order."""
    archive.open()
    done: list[str] = []
    fsync, unlink = os.fsync, Path.unlink

    def flushed(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        done.append(f"flush {name}")
        fsync(descriptor)

    def unlinked(path: Path, **options: Any) -> None:
        if path.exists():
            done.append(f"remove {path.name}")
        unlink(path, **options)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "unlink", unlinked)
    assert archive.opened is not None
    archive.opened.connection.set_trace_callback(
        lambda statement: done.append(statement) if statement in ("COMMIT", "ROLLBACK") else None
    )
    return done


def test_picture_is_on_the_disk_before_the_row_that_names_it(
    archive: EncryptedArchive, order: list[str], small_frame: Frame
) -> None:
    archive.keep(small_frame, None, [], None)
    picture = order.index("flush 0000001.picture")
    folder = len(order) - 1 - order[::-1].index("flush 0000")
    assert picture < folder < order.index("COMMIT")
    assert order[-1] == "COMMIT"


def test_row_is_gone_before_the_picture_that_it_names(
    archive: EncryptedArchive, order: list[str], small_frame: Frame
) -> None:
    identifier = archive.keep(small_frame, None, [], None)
    order.clear()
    archive.delete_examination(identifier)
    assert order == ["COMMIT", "remove 0000001.picture", "flush 0000", "COMMIT"]


def test_commit_waits_until_it_is_on_the_disk(archive: EncryptedArchive) -> None:
    archive.open()
    assert archive.opened is not None
    for setting, value in (
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("locking_mode", "exclusive"),
        ("secure_delete", 1),
        ("auto_vacuum", 2),
        ("foreign_keys", 1),
    ):
        row = archive.opened.connection.execute(f"PRAGMA {setting}").fetchone()
        assert row == (value,)
    archive.add_patient("4711")
    assert not (archive.folder / "archive.db-shm").exists()


def test_change_that_fails_leaves_nothing(
    archive: EncryptedArchive, small_frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesion = archive.add_lesion(archive.add_patient("4711").key).key
    kept = archive.keep(small_frame, None, [], None)
    trail = len(list(archive.trail()))

    def fail(*given: object) -> None:
        raise OSError("the card is gone")

    monkeypatch.setattr(EncryptedArchive, "note", fail)
    for attempt in (
        lambda: archive.keep(small_frame, None, [], None),
        lambda: archive.add_patient("4712"),
        lambda: archive.file_examination(kept, lesion),
        lambda: archive.delete_examination(kept),
    ):
        with pytest.raises(OSError, match="the card is gone"):
            attempt()
    monkeypatch.undo()
    assert archive.identifiers() == [kept]
    assert archive.record(kept).lesion is None
    assert [patient.identifier for patient in archive.patients().items] == ["4711"]
    assert len(list(archive.folder.rglob("*.picture"))) == 1
    assert len(list(archive.trail())) == trail


def test_each_migration_is_whole_or_undone(archive: EncryptedArchive) -> None:
    archive.add_patient("4711")
    assert archive.opened is not None
    tables = archive.opened.connection
    begun = "ALTER TABLE patient ADD COLUMN shoe TEXT;\nALTER TABLE elsewhere ADD COLUMN x TEXT;\n"
    later = (*database.MIGRATIONS, begun)
    with pytest.raises(Exception, match="no such table: elsewhere"):
        database.migrate(tables, later)
    assert tables.execute("PRAGMA user_version").fetchone() == (len(database.MIGRATIONS),)
    columns = {row[1] for row in tables.execute("PRAGMA table_info(patient)")}
    assert "shoe" not in columns


def test_tables_of_a_later_release_are_refused(archive: EncryptedArchive) -> None:
    archive.open()
    assert archive.opened is not None
    archive.opened.connection.execute("PRAGMA user_version = 99")
    archive.close()
    with pytest.raises(OSError, match="newer release; update the instrument"):
        archive.open()


def test_archive_of_an_earlier_release_is_brought_to_this_one(
    archive: EncryptedArchive, small_frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = archive.add_patient("4711")
    kept = archive.keep(small_frame, None, [], None, lesion=archive.add_lesion(patient.key).key)
    archive.close()
    later = "ALTER TABLE patient ADD COLUMN shoe TEXT NOT NULL DEFAULT '42';\n"
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, later))
    monkeypatch.setattr(vault, "MIGRATIONS", database.MIGRATIONS)
    assert archive.patient(patient.key) == patient
    assert archive.identifiers() == [kept]
    assert archive.opened is not None
    assert archive.opened.connection.execute("SELECT shoe FROM patient").fetchone() == ("42",)
    assert [told for told in verify(archive) if told] == []
    last = list(archive.trail())[-1]
    assert (last.event, last.subject) == (Event.MIGRATED, f"schema {len(database.MIGRATIONS)}")


def test_worklist_by_identifier_is_made_for_what_the_release_before_wrote(
    archive: EncryptedArchive, small_frame: Frame
) -> None:
    """And stays true through all that changes it, whatever release does that."""
    patients = [archive.add_patient(name) for name in ("B", "A")]
    lesions = [archive.add_lesion(patient.key).key for patient in patients]
    first, second = (archive.keep(small_frame, FINDING, [], None, lesion=key) for key in lesions)
    unfiled = archive.keep(small_frame, FINDING, [], None)

    def listed(kind: WorkKind = WorkKind.UNDECIDED) -> list[str]:
        page = archive.worklist(kind, date(2026, 6, 1), by_identifier=True)
        assert [told for told in verify(archive) if told] == []
        return [item.record.identifier for item in page.items]

    assert listed() == [second, first]
    forget_aid(archive)
    archive.open()
    assert archive.opened is not None
    tables = archive.opened.connection
    assert database.has_aid(tables)
    # A release that goes back to the one before finds its own version.
    assert database.version_of(tables) == len(database.MIGRATIONS)
    assert [entry.event for entry in archive.trail()].count(Event.MIGRATED) == 0
    assert listed() == [second, first]
    archive.file_examination(unfiled, lesions[1])
    assert listed() == [second, unfiled, first]
    archive.change_patient(msgspec.structs.replace(patients[0], identifier="0"))
    assert listed() == [first, second, unfiled]
    archive.decide(unfiled, DECISION)
    assert listed() == [first]
    archive.file_examination(second, lesions[0])
    archive.file_examination(unfiled, None)
    assert listed() == [first, second]
    archive.delete_examination(first)
    assert listed() == [second]
    archive.delete_patient(patients[0].key)
    assert listed() == []
    tables.execute("INSERT INTO awaited VALUES ('referred', 'z', 9, NULL)")
    assert next(iter(verify(archive))) == (
        "archive.db: the worklist by identifier is not that of the examinations"
    )


def test_tables_that_are_gone_are_not_made_anew_beside_their_pictures(
    archive: EncryptedArchive, small_frame: Frame
) -> None:
    archive.keep(small_frame, None, [], None)
    archive.close()
    path = archive.folder / "archive.db"
    for left, words in ((b"", "holds no tables"), (None, "is missing")):
        path.unlink() if left is None else path.write_bytes(left)
        with pytest.raises(OSError, match=rf"archive\.db.* {words}"):
            archive.open()
        assert list(archive.folder.rglob("*.picture"))


def test_migrations_that_were_released_are_not_altered() -> None:
    released = [hashlib.sha256(script.encode()).hexdigest() for script in database.MIGRATIONS]
    assert released == ["4be029980e7f8764f633e02d8965f44d8c7e95e08348d947344a576cba2678c5"]
