"""Records that can be read and not written, as those on a disk that failed, or is protected."""

import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from device.errors import RecordError, RecordsLockedError
from device.frame import Frame
from device.records.access import Access, Protection
from device.records.backup import back_up, restore
from device.records.encrypted_archive import EncryptedArchive
from device.records.listing import WorkKind
from device.records.verification import verify
from tests.device.clocks import ManualClock
from tests.device.records.conftest import CHEAP, write_protected
from tests.device.records.kill_deeds import FINDING, PASSPHRASE, forget_aid
from tests.device.records.test_drop_box import DECISION, DOCTOR, PIN

REFUSED = "cannot be written; check the disk, and who may write there"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return where records are kept, whoever the program is."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made, "examinations")


@pytest.fixture
def kept(folder: Path, clock: ManualClock, small_frame: Frame) -> Iterator[EncryptedArchive]:
    """An archive with a patient and two pictures."""
    archive = EncryptedArchive(folder, clock, pin_cost=CHEAP)
    lesion = archive.add_lesion(archive.add_patient("4711").key)
    for key in (lesion.key, None):
        archive.keep(small_frame, FINDING, [], None, lesion=key)
    archive.close()
    yield archive
    archive.close()


def interrupted(archive: EncryptedArchive) -> None:
    """Leave the archive as the power does that fails after patients 1 to 6."""
    for number in range(1, 7):
        archive.add_patient(str(number))
    left = archive.folder.with_name("left")
    shutil.copytree(archive.folder, left)
    archive.close()
    shutil.rmtree(archive.folder)
    left.rename(archive.folder)


def everything(archive: EncryptedArchive) -> list[object]:
    """Return what the screen's pages and the exports read."""
    names = archive.identifiers()
    (patient,) = archive.patients("4711").items
    (summary,) = archive.lesions(patient.key)
    work = archive.worklist(WorkKind.UNDECIDED, date(2026, 1, 1)).items
    return [
        names,
        [archive.read(name).image.tobytes() for name in names],
        [archive.thumbnail(name).tobytes() for name in names],
        [record.identifier for record in archive.examinations().items],
        [record.identifier for record in archive.unfiled().items],
        [record.identifier for record in archive.of_lesion(summary.lesion.key).items],
        [item.record.identifier for item in work],
        archive.work_counts(date(2026, 1, 1)),
        [patient.identifier for patient in archive.patients().items],
        archive.changes(""),
    ]


def test_all_that_was_kept_can_be_seen_and_taken_out(kept: EncryptedArchive) -> None:
    before = everything(kept)
    kept.close()
    files = {path: path.stat().st_mtime_ns for path in kept.folder.rglob("*")}
    with write_protected(kept.folder):
        kept.open()
        assert kept.read_only
        assert kept.access.holder is not None
        assert everything(kept) == before
        assert kept.last_taken is not None
        assert kept.room() is None
        kept.note_export("dicom")
        kept.note_sent(kept.identifiers()[0], "clinic")
        assert list(kept.catch_up()) == []
        assert list(verify(kept)) == [None, None]
        kept.close()
    assert {path: path.stat().st_mtime_ns for path in kept.folder.rglob("*")} == files
    kept.open()
    assert not kept.read_only


def test_nothing_is_kept_and_that_is_told(kept: EncryptedArchive, small_frame: Frame) -> None:
    (name, other), patient = kept.identifiers(), kept.patients().items[0]
    kept.close()
    with write_protected(kept.folder):
        for deed in (
            lambda: kept.keep(small_frame, None, [], None),
            lambda: kept.complete(other, FINDING, [], None),
            lambda: kept.decide(name, DECISION),
            lambda: kept.add_patient("4712"),
            lambda: kept.delete_patient(patient.key),
            lambda: kept.file_examination(other, None),
            lambda: kept.set_pin(DOCTOR, PIN),
            lambda: list(kept.import_from(kept.folder, remove=False)),
        ):
            with pytest.raises(RecordError, match=REFUSED):
                deed()
        assert kept.record(name).decision is None
        kept.close()
    kept.decide(name, DECISION)


def test_records_with_a_pin_are_opened_and_locked_again(
    kept: EncryptedArchive, small_frame: Frame
) -> None:
    kept.set_pin(DOCTOR, PIN)
    kept.close()
    with write_protected(kept.folder):
        kept.open()
        assert kept.access == Access(Protection.PIN, None)
        with pytest.raises(RecordsLockedError):
            kept.identifiers()
        with pytest.raises(RecordError, match=REFUSED):
            kept.keep(small_frame, None, [], None)
        assert kept.unlock(PIN) == DOCTOR
        assert len(kept.identifiers()) == 2
        assert list(kept.take_in_all()) == []
        kept.lock()
        assert kept.access.locked
        kept.close()


def test_pictures_that_stay_sealed_are_told(
    kept: EncryptedArchive, small_frame: Frame, tmp_path: Path
) -> None:
    kept.set_pin(DOCTOR, PIN)
    kept.lock()
    for _ in range(2):
        kept.keep(small_frame, None, [], None)
    kept.close()
    words = "locked are not in them yet: 2; make room, or let their disk be written"
    with write_protected(kept.folder):
        kept.open()
        assert list(kept.catch_up()) == []
        kept.unlock(PIN)
        assert len(kept.identifiers()) == 2
        with pytest.raises(RecordError, match=words):
            list(kept.catch_up())
        os.seteuid(os.getuid())
        told = [str(error) for error in back_up(kept, tmp_path / "stick", PASSPHRASE, CHEAP)]
    assert [words in line for line in told] == [True, False, False]
    kept.close()
    kept.unlock(PIN)
    assert list(kept.catch_up()) == [True, True]


def test_records_are_written_again_once_their_disk_is_put_right(
    kept: EncryptedArchive, small_frame: Frame
) -> None:
    with write_protected(kept.folder):
        assert len(kept.identifiers()) == 2
    kept.keep(small_frame, None, [], None)
    assert not kept.read_only
    kept.set_pin(DOCTOR, PIN)
    kept.close()
    with write_protected(kept.folder):
        kept.unlock(PIN)
    # Whoever opened them to be read enters the PIN again.
    with pytest.raises(RecordsLockedError):
        kept.add_patient("4712")
    kept.unlock(PIN)
    kept.add_patient("4712")
    with write_protected(kept.folder):
        kept.close()
        kept.unlock(PIN)
    kept.lock()
    assert kept.access.locked
    kept.unlock(PIN)
    assert not kept.read_only
    assert len(kept.identifiers()) == 3


def test_changes_in_a_journal_that_was_left_are_read_and_stay_there(
    kept: EncryptedArchive, tmp_path: Path, clock: ManualClock
) -> None:
    interrupted(kept)
    names = ["1", "2", "3", "4", "4711", "5", "6"]
    with write_protected(kept.folder):
        assert [patient.identifier for patient in kept.patients().items] == names
        assert list(verify(kept)) == [None, None]
        kept.close()
    assert (kept.folder / "archive.db-wal").stat().st_size
    with write_protected(kept.folder):
        kept.open()
        os.seteuid(os.getuid())
        # A disk that fails is one to be copied: all that is read is in the backup, too.
        assert list(back_up(kept, tmp_path / "stick", PASSPHRASE, CHEAP)) == [None, None]
    assert not list((tmp_path / "stick").glob("*-wal"))
    list(restore(tmp_path / "stick", tmp_path / "new", PASSPHRASE, clock=clock))
    restored = EncryptedArchive(tmp_path / "new", clock)
    assert [patient.identifier for patient in restored.patients().items] == names
    assert list(verify(restored)) == [None, None]
    restored.close()
    kept.close()
    assert [patient.identifier for patient in kept.patients().items] == names


def test_damaged_journal_is_told(
    kept: EncryptedArchive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    interrupted(kept)
    journal = kept.folder / "archive.db-wal"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 1
    journal.write_bytes(content)
    with write_protected(kept.folder):
        left = len(kept.patients().items)
        assert left < 6
        told = f"is damaged; changes lost: {7 - left}"
        assert f"{7 - left} changes are lost" in caplog.text
        assert list(verify(kept)) == [f"archive.db-wal: {told}", None, None]
        os.seteuid(os.getuid())
        errors = [str(e) for e in back_up(kept, tmp_path / "stick", PASSPHRASE, CHEAP) if e]
    assert errors == [f"archive.db-wal: {told}"]
    kept.close()
    (line,) = [told for told in verify(kept) if told]
    assert line.endswith(f"changes lost: {7 - left}")


def test_what_only_the_release_before_wrote_is_listed_by_identifier_too(
    kept: EncryptedArchive,
) -> None:
    forget_aid(kept)
    with write_protected(kept.folder):
        page = kept.worklist(WorkKind.UNDECIDED, date(2026, 1, 1), by_identifier=True)
        assert kept.read_only
        assert [item.patient.identifier for item in page.items] == ["4711"]
        assert [told for told in verify(kept) if told] == []


def test_folder_without_records_is_told(folder: Path, small_frame: Frame) -> None:
    folder.mkdir()
    archive = EncryptedArchive(folder)
    with write_protected(folder):
        for deed in (archive.open, archive.identifiers):
            with pytest.raises(RecordError, match=REFUSED):
                deed()


def test_tables_of_an_earlier_release_are_told(
    kept: EncryptedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.records.database.MIGRATIONS", ("", ""))
    with write_protected(kept.folder), pytest.raises(RecordError, match="put them on a disk that"):
        kept.open()


def test_damaged_copy_of_the_keyring_is_told_and_left(kept: EncryptedArchive) -> None:
    (kept.folder / "keyring.json").write_bytes(b"nothing")
    with write_protected(kept.folder):
        assert list(verify(kept)) == ["keyring.json: is damaged", None, None]
        kept.close()
    assert [told for told in verify(kept) if told] == [
        "keyring.json: was damaged; the other copy was put in its place"
    ]
