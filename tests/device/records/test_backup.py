"""The encrypted copy: whole after it was written, and opened by its own secret alone."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device.errors import RecordError, RecordsInUseError, WrongPinError
from device.frame import Frame
from device.platform.clock import Clock
from device.records import backup as module
from device.records.access import Access, Holder, Protection
from device.records.backup import Secret, back_up, restore
from device.records.encrypted_archive import EncryptedArchive
from device.records.keyring import ANYONE, BY_KEY_FILE
from device.records.patients import Role
from device.records.verification import verify
from tests.device.records.conftest import CHEAP

PASSPHRASE = "a word and another"  # noqa: S105
KEY = bytes(range(40))
CLINICIAN = Holder("Dr. A", Role.CLINICIAN)


@pytest.fixture
def filled(archive: EncryptedArchive, small_frame: Frame) -> EncryptedArchive:
    """An archive that a PIN locks, with a patient and three pictures."""
    archive.set_pin(CLINICIAN, "123456")
    lesion = archive.add_lesion(archive.add_patient("HOSPITAL-4711").key)
    for key in (lesion.key, None, None):
        archive.keep(small_frame, None, [], None, lesion=key)
    return archive


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    return tmp_path / "stick" / "records"


def backed_up(
    archive: EncryptedArchive, stick: Path, secret: Secret = PASSPHRASE
) -> list[RecordError | None]:
    return list(back_up(archive, stick, secret, CHEAP))


def restored(
    stick: Path, folder: Path, secret: Secret = PASSPHRASE, key_file: Path | None = None
) -> EncryptedArchive:
    list(restore(stick, folder, secret, clock=Clock(), key_file=key_file))
    return EncryptedArchive(folder, key_file=key_file)


def wrong(archive: EncryptedArchive) -> list[str]:
    try:
        return [told for told in verify(archive) if told is not None]
    finally:
        archive.close()


def opened_backup(stick: Path) -> EncryptedArchive:
    archive = EncryptedArchive(stick, create=False)
    archive.unlock(PASSPHRASE)
    return archive


def test_backup_is_restored_on_another_instrument(
    filled: EncryptedArchive, stick: Path, tmp_path: Path, small_frame: Frame
) -> None:
    assert backed_up(filled, stick) == [None] * 3
    kept = filled.identifiers()
    (patient,) = filled.patients().items
    filled.close()
    other = restored(stick, tmp_path / "other")
    assert other.identifiers() == kept
    assert other.access == Access(Protection.NOTHING, ANYONE)
    assert other.find_patient("hospital-4711") == patient
    for identifier in kept:
        np.testing.assert_array_equal(other.read(identifier).image, small_frame.pixels)
    events = [entry.event for entry in other.trail()]
    assert events[-2:] == ["backed up", "restored from a backup"]
    assert other.keep(small_frame, None, [], None).startswith("000004-")
    assert wrong(other) == []


def test_backup_is_opened_by_its_own_secret_alone(
    filled: EncryptedArchive, stick: Path, tmp_path: Path
) -> None:
    backed_up(filled, stick)
    for secret in ("123456", "a word and another one", KEY):
        with pytest.raises(RecordError, match="not that of the backup"):
            restored(stick, tmp_path / "other", secret)
    assert not (tmp_path / "other").exists()
    content = b"".join(path.read_bytes() for path in stick.rglob("*") if path.is_file())
    for words in (b"HOSPITAL", b"Dr. A", b"SQLite format", b"\x89PNG\r\n\x1a\n"):
        assert words not in content
    assert not (stick / "archive.key").exists()
    with pytest.raises(WrongPinError):
        EncryptedArchive(stick).unlock("123456")


def test_backup_can_be_opened_by_a_key_file(
    filled: EncryptedArchive, stick: Path, tmp_path: Path
) -> None:
    backed_up(filled, stick, KEY)
    with pytest.raises(RecordError, match="not that of the backup"):
        restored(stick, tmp_path / "other", PASSPHRASE)
    local = tmp_path / "local.key"
    local.write_bytes(bytes(32))
    other = restored(stick, tmp_path / "other", KEY, local)
    assert len(other.identifiers()) == 3
    assert other.access == Access(Protection.KEY_FILE, BY_KEY_FILE)
    assert wrong(other) == []


def test_next_backup_copies_what_is_new_and_drops_what_was_deleted(
    filled: EncryptedArchive, stick: Path, tmp_path: Path, small_frame: Frame
) -> None:
    backed_up(filled, stick)
    (patient,) = filled.patients().items
    filled.delete_patient(patient.key)
    new = filled.keep(small_frame, None, [], None)
    assert backed_up(filled, stick, "another passphrase") == [None]
    assert sorted(path.name for path in stick.rglob("*.picture")) == [
        f"000000{number}.picture" for number in (2, 3, 4)
    ]
    filled.close()
    with pytest.raises(RecordError, match="not that of the backup"):
        restored(stick, tmp_path / "other")
    other = restored(stick, tmp_path / "other", "another passphrase")
    assert other.identifiers()[-1] == new
    assert other.patients().items == ()
    assert wrong(other) == []


def test_backup_is_verified_and_damage_named(filled: EncryptedArchive, stick: Path) -> None:
    backed_up(filled, stick)
    assert wrong(opened_backup(stick)) == []
    path = stick / "pictures" / "0000" / "0000002.picture"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (told,) = wrong(opened_backup(stick))
    assert told.startswith("pictures/0000/0000002.picture: examination 000002-")
    # Another backup after that looks as it did before.
    assert backed_up(filled, stick) == []


def test_damaged_picture_is_told_and_does_not_replace_a_whole_one(
    filled: EncryptedArchive, stick: Path, small_frame: Frame
) -> None:
    backed_up(filled, stick)
    new = filled.keep(small_frame, None, [], None)
    paths = sorted(filled.folder.rglob("*.picture"))
    for path in (paths[0], paths[-1]):
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)
    told = [str(error) for error in backed_up(filled, stick) if error]
    assert len(told) == 2
    assert all(new in line and "is damaged" in line for line in told)
    (missing,) = wrong(opened_backup(stick))
    assert new in missing


def test_medium_that_gives_back_something_else_is_told_and_the_old_backup_stays(
    filled: EncryptedArchive, stick: Path, monkeypatch: pytest.MonkeyPatch, small_frame: Frame
) -> None:
    backed_up(filled, stick)
    before = (stick / "archive.db").read_bytes()
    filled.keep(small_frame, None, [], None)
    monkeypatch.setattr(module, "_read_from_medium", lambda path: b"something else")
    with pytest.raises(RecordError, match="not what is read from it; use another medium"):
        backed_up(filled, stick)
    assert (stick / "archive.db").read_bytes() == before
    assert wrong(opened_backup(stick)) == ["pictures/0000/0000004.part: belongs to no examination"]


@pytest.mark.parametrize("failing", ["write_picture", "_copy_file", "_put_in_place"])
def test_interrupted_backup_leaves_the_one_of_before(
    filled: EncryptedArchive, stick: Path, monkeypatch: pytest.MonkeyPatch, small_frame: Frame,
    failing: str,
) -> None:  # fmt: skip
    backed_up(filled, stick)
    filled.keep(small_frame, None, [], None)

    def fail(*given: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, failing, fail)
        with pytest.raises(RecordError, match=r"could not be written; check .*No space left"):
            backed_up(filled, stick)
    before = opened_backup(stick)
    assert len(before.identifiers()) == 3
    assert [told for told in wrong(before) if "belongs to no" not in told] == []
    backed_up(filled, stick)
    assert len(opened_backup(stick).identifiers()) == 4


def test_restore_begins_again_where_it_was_interrupted(
    filled: EncryptedArchive, stick: Path, tmp_path: Path
) -> None:
    backed_up(filled, stick)
    steps: Iterator[None] = restore(stick, tmp_path / "other", PASSPHRASE, clock=Clock())
    next(steps), next(steps)
    steps.close()
    with pytest.raises(RecordError, match="restore them from a backup"):
        EncryptedArchive(tmp_path / "other").open()
    other = restored(stick, tmp_path / "other")
    assert len(other.identifiers()) == 3
    assert wrong(other) == []


def test_records_that_are_there_are_not_replaced(
    filled: EncryptedArchive, stick: Path, tmp_path: Path
) -> None:
    backed_up(filled, stick)
    filled.close()
    with pytest.raises(RecordError, match="there are records here already"):
        restored(stick, filled.folder)
    filled.unlock("123456")
    assert len(filled.identifiers()) == 3


def test_backup_of_other_records_is_not_written_over(
    filled: EncryptedArchive, stick: Path, tmp_path: Path
) -> None:
    backed_up(EncryptedArchive(tmp_path / "others", pin_cost=CHEAP), stick)
    with pytest.raises(RecordError, match="of other records; name another folder"):
        backed_up(filled, stick)


@pytest.mark.parametrize("missing", ["archive.db", "keyring*"])
def test_folder_that_holds_no_backup_is_told(
    filled: EncryptedArchive, stick: Path, tmp_path: Path, missing: str
) -> None:
    with pytest.raises(RecordError, match="there is no backup in this folder"):
        restored(stick, tmp_path / "other")
    backed_up(filled, stick)
    for path in stick.glob(missing):
        path.unlink()
    with pytest.raises(RecordError, match="there is no backup in this folder"):
        restored(stick, tmp_path / "other")


def test_pipe_among_a_backups_files_holds_nobody_up(
    filled: EncryptedArchive, stick: Path, tmp_path: Path
) -> None:
    backed_up(filled, stick)
    os.mkfifo(stick / "archive.db-wal")
    with pytest.raises(RecordError):
        restored(stick, tmp_path / "other")


def test_backup_folder_that_another_program_writes_is_refused(
    filled: EncryptedArchive, stick: Path
) -> None:
    first = back_up(filled, stick, PASSPHRASE, CHEAP)
    next(first)
    with pytest.raises(RecordsInUseError):
        backed_up(filled, stick)
    with pytest.raises(RecordsInUseError):
        backed_up(filled, filled.folder)
    list(first)


def test_short_passphrase_and_field_workers_are_refused(
    filled: EncryptedArchive, stick: Path
) -> None:
    with pytest.raises(RecordError, match="at least 12 characters"):
        backed_up(filled, stick, "short")
    filled.set_pin(Holder("B", Role.FIELD), "222222")
    filled.set_pin(Holder("C", Role.SERVICE), "333333")
    filled.unlock("222222")
    with pytest.raises(RecordError, match="not allowed"):
        backed_up(filled, stick)
    filled.unlock("333333")
    assert backed_up(filled, stick) == [None] * 3
    shutil.rmtree(stick)


@pytest.mark.skipif(os.geteuid() != 0, reason="is not root")
def test_what_root_restores_and_keeps_belongs_to_the_folders_owner(
    filled: EncryptedArchive, stick: Path, tmp_path: Path, small_frame: Frame
) -> None:
    """As the service does not run as root, and `dermascope records` may."""
    backed_up(filled, stick)
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    other = restored(stick, state / "examinations")
    other.keep(small_frame, None, [], None)
    other.set_pin(CLINICIAN, "123456")
    made = list(state.rglob("*"))
    other.close()
    made += state.rglob("*")
    names = {path.name for path in made}
    assert names >= {"archive.db", "archive.db-wal", "pictures", "0000", "0000004.picture"}
    for path in made:
        if path.exists():
            assert path.stat().st_uid == 65534, path
