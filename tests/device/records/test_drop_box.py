"""Pictures that are kept while the records are locked, and what becomes of them."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from device.errors import RecordError, RecordsLockedError
from device.frame import Frame
from device.inference.finding import to_record
from device.records import drop_box
from device.records.access import Holder
from device.records.backup import back_up, restore
from device.records.encrypted_archive import EncryptedArchive
from device.records.model import PictureKind, Polarization
from device.records.patients import Action, Decision, Role
from device.records.sealing import AlteredError, new_secret, open_sealed, public_key, seal_for
from device.records.verification import verify
from tests.device.clocks import ManualClock
from tests.device.records.conftest import CHEAP, file_size_limit
from tests.device.records.kill_deeds import FINDING, PASSPHRASE
from tests.device.records.test_locking import again

DOCTOR = Holder("Dr Silva", Role.CLINICIAN)
PIN = "471100"
DECISION = Decision(
    decided=datetime(2026, 1, 1, tzinfo=UTC), role=Role.CLINICIAN, action=Action.REFER
)


@pytest.fixture
def locked(archive: EncryptedArchive) -> EncryptedArchive:
    archive.set_pin(DOCTOR, PIN)
    archive.lock()
    return archive


def box(archive: EncryptedArchive, suffix: str = "*") -> list[Path]:
    return sorted(
        path for path in (archive.folder / "sealed").glob(suffix) if path.name != "public.key"
    )


def opened(archive: EncryptedArchive) -> list[bool]:
    """Open the records as an instrument does, and return what was taken in."""
    archive.unlock(PIN)
    return list(archive.catch_up())


def wrong(archive: EncryptedArchive) -> list[str]:
    return [told for told in verify(archive) if told is not None]


def test_what_is_sealed_is_opened_by_the_private_key_alone() -> None:
    private = new_secret()
    sealed = seal_for(public_key(private), b"a picture", b"this one")
    assert open_sealed(private, sealed, b"this one") == b"a picture"
    assert seal_for(public_key(private), b"a picture", b"this one") != sealed
    for key, altered, context in (
        (new_secret(), sealed, b"this one"),
        (private, sealed, b"another one"),
        (private, bytes(32) + sealed[32:], b"this one"),
        (private, sealed[:40], b"this one"),
        (private, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"this one"),
    ):
        with pytest.raises(AlteredError):
            open_sealed(key, altered, context)


def test_locked_records_keep_a_picture_that_only_opened_ones_read(
    locked: EncryptedArchive, small_frame: Frame
) -> None:
    identifier = locked.keep(
        small_frame,
        None,
        [],
        None,
        kind=PictureKind.REGION,
        polarization=Polarization.POLARIZED,
    )
    with pytest.raises(RecordsLockedError):
        locked.read(identifier)
    left = b"".join(path.read_bytes() for path in locked.folder.rglob("*") if path.is_file())
    for plain in (b"PNG", b"JFIF", b"region", b"polarized", b"camera"):
        assert plain not in left
    assert opened(locked) == [True]
    kept = locked.read(identifier)
    np.testing.assert_array_equal(kept.image, small_frame.pixels)
    assert (kept.record.kind, kept.record.polarization) == ("region", "polarized")
    assert kept.record.taken == small_frame.time
    # It is filed nowhere, as a picture without a code is.
    assert [record.identifier for record in locked.unfiled().items] == [identifier]
    assert box(locked) == []
    assert locked.thumbnail(identifier).shape[2] == 3
    assert wrong(locked) == []


def test_finding_is_kept_too_whenever_it_comes(
    locked: EncryptedArchive, small_frame: Frame
) -> None:
    whole, judged_later, before_the_lock = (
        locked.keep(small_frame, None, [], None),
        locked.keep(small_frame, None, [], None),
        "",
    )
    locked.complete(whole, FINDING, ["melanoma-0.90"], None)
    locked.unlock(PIN)
    # The records were opened while the picture was being judged, and not taken in yet.
    locked.complete(judged_later, FINDING, [], None)
    before_the_lock = locked.keep(small_frame, None, [], None)
    locked.lock()
    locked.complete(before_the_lock, FINDING, [], None)
    assert opened(locked) == [True, True]
    for identifier, flags in (
        (whole, ["melanoma-0.90"]),
        (judged_later, []),
        (before_the_lock, []),
    ):
        record = locked.record(identifier)
        assert record.finding == to_record(FINDING, identifier, flags)
        assert record.field_of_view == FINDING.field
    assert wrong(locked) == []


def test_decision_about_a_picture_that_is_not_taken_in_yet_is_kept(
    locked: EncryptedArchive, small_frame: Frame
) -> None:
    identifier = locked.keep(small_frame, None, [], None)
    locked.unlock(PIN)
    locked.decide(identifier, DECISION)
    assert locked.record(identifier).decision == DECISION
    assert list(locked.catch_up()) == []


def test_picture_of_an_open_lesion_is_filed_under_it_unless_that_is_gone(
    archive: EncryptedArchive, small_frame: Frame
) -> None:
    patient, other = (archive.add_patient(name).key for name in ("4711", "4712"))
    kept, gone = archive.add_lesion(patient).key, archive.add_lesion(other).key
    archive.delete_patient(other)
    archive.set_pin(DOCTOR, PIN)
    archive.lock()
    identifiers = [archive.keep(small_frame, None, [], None, lesion=key) for key in (kept, gone)]
    assert opened(archive) == [True, True]
    assert [archive.record(identifier).lesion for identifier in identifiers] == [kept, None]


def test_what_was_taken_in_comes_neither_twice_nor_back(
    locked: EncryptedArchive, small_frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (locked.keep(small_frame, None, [], None) for _ in range(2))
    with monkeypatch.context() as cut:
        # The power fails before what was taken in is removed.
        cut.setattr(drop_box, "remove_sealed", lambda folder, identifier: None)
        assert opened(locked) == [True, True]
    locked.delete_examination(first)
    locked.lock()
    assert len(box(locked, "*.kept")) == 2
    assert opened(locked) == [True, True]
    assert locked.identifiers() == [second]
    assert box(locked) == []


def test_picture_that_was_not_sealed_to_its_end_is_removed(
    locked: EncryptedArchive, small_frame: Frame
) -> None:
    locked.keep(small_frame, None, [], None)
    (sealed,) = box(locked, "*.kept")
    sealed.unlink()
    (locked.folder / "sealed" / ".x.kept.ab12.part").write_bytes(b"half")
    assert opened(locked) == []
    assert box(locked) == []


@pytest.mark.parametrize("part", [".kept", ".picture", ".finding"])
def test_damaged_one_is_named_and_stays_and_hides_no_other(
    locked: EncryptedArchive, small_frame: Frame, part: str
) -> None:
    identifiers = sorted(locked.keep(small_frame, None, [], None) for _ in range(2))
    for identifier in identifiers:
        locked.complete(identifier, FINDING, [], None)
    path = locked.folder / "sealed" / f"{identifiers[0]}{part}"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert opened(locked) == [False, True]
    assert locked.identifiers() == [identifiers[1]]
    (told,) = wrong(locked)
    assert identifiers[0] in told
    assert path.exists()


def test_full_disk_loses_neither_what_is_sealed_nor_what_is_taken_in(
    locked: EncryptedArchive, small_frame: Frame
) -> None:
    with file_size_limit(1000), pytest.raises(RecordError, match="could not be kept"):
        locked.keep(small_frame, None, [], None)
    assert box(locked) == []
    identifier = locked.keep(small_frame, None, [], None)
    locked.unlock(PIN)
    with file_size_limit(1000), pytest.raises(RecordError, match="could not be kept"):
        list(locked.catch_up())
    assert list(locked.catch_up()) == [True]
    assert locked.identifiers() == [identifier]


def test_what_is_sealed_takes_of_the_share_too(
    locked: EncryptedArchive, small_frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked.unlock(PIN)
    kept = [locked.keep(small_frame, None, [], None)]
    locked.lock()
    kept.append(locked.keep(small_frame, None, [], None))
    locked.close()
    parts = [locked.folder / "archive.db"]
    parts += [path for name in ("pictures/*", "sealed") for path in locked.folder.glob(f"{name}/*")]
    taken = sum(path.stat().st_size for path in parts)
    size = box(locked, "*.picture")[0].stat().st_size
    # Of its share half a picture is left, and then one and a half; other files fill it, too.
    disk = type(shutil.disk_usage("/"))
    half, more = (disk(100 * (taken + n * size // 2), 0, 10 << 20) for n in (1, 3))
    limited = EncryptedArchive(locked.folder, locked.clock, share=0.01, pin_cost=CHEAP)
    monkeypatch.setattr("shutil.disk_usage", lambda path: half)
    for opens in (False, True):
        if opens:
            limited.unlock(PIN)
        with pytest.raises(RecordError, match="taken up their share"):
            limited.keep(small_frame, None, [], None)
        assert limited.room() == 0
    # What was kept is taken in all the same: it is there already.
    assert list(limited.catch_up()) == [True]
    limited.lock()
    with pytest.raises(RecordError, match="taken up their share"):
        limited.keep(small_frame, None, [], None)
    monkeypatch.setattr("shutil.disk_usage", lambda path: more)
    kept.append(limited.keep(small_frame, None, [], None))
    with pytest.raises(RecordError, match="taken up their share"):
        limited.keep(small_frame, None, [], None)
    limited.unlock(PIN)
    list(limited.catch_up())
    assert limited.identifiers() == kept
    limited.close()


def test_why_some_stay_sealed_is_told(locked: EncryptedArchive, small_frame: Frame) -> None:
    for _ in range(3):
        locked.keep(small_frame, None, [], None)
    damaged = box(locked, "*.kept")[0]
    damaged.write_bytes(b"0" * 200)
    locked.unlock(PIN)
    with file_size_limit(1000):
        told = [str(error) for error in locked.take_in_all()]
    assert len(told) == 2
    assert "locked are not in them yet: 3; make room" in told[0]
    assert damaged.stem in told[1]
    assert len([str(error) for error in locked.take_in_all()]) == 1
    assert len(locked.identifiers()) == 2
    assert locked.take_in_whole() is None


def test_records_that_no_such_release_opened_keep_nothing_while_locked(
    locked: EncryptedArchive, small_frame: Frame
) -> None:
    key = locked.folder / "sealed" / "public.key"
    content = bytearray(key.read_bytes())
    for altered in (b"", bytes([content[0] ^ 1]) + content[1:]):
        key.write_bytes(altered)
        with pytest.raises(RecordsLockedError):
            locked.keep(small_frame, None, [], None)
    assert opened(locked) == []
    locked.lock()
    assert key.read_bytes() == content
    locked.keep(small_frame, None, [], None)


def test_locked_records_keep_pictures_after_a_start(
    locked: EncryptedArchive, small_frame: Frame
) -> None:
    identifier = locked.keep(small_frame, None, [], None)
    started = again(locked)
    started.open()
    other = started.keep(replace(small_frame), None, [], None)
    assert opened(started) == [True, True]
    assert sorted(started.identifiers()) == sorted([identifier, other])
    started.close()


def test_backup_holds_what_was_kept_while_locked(
    locked: EncryptedArchive, small_frame: Frame, tmp_path: Path, clock: ManualClock
) -> None:
    identifier = locked.keep(small_frame, None, [], None)
    locked.unlock(PIN)
    assert list(back_up(locked, tmp_path / "stick", PASSPHRASE, CHEAP)) == [None]
    list(restore(tmp_path / "stick", tmp_path / "new", PASSPHRASE, clock=clock))
    restored = EncryptedArchive(tmp_path / "new", clock)
    assert restored.identifiers() == [identifier]
    restored.close()


def test_damaged_one_is_told_when_a_backup_is_made(
    locked: EncryptedArchive, small_frame: Frame, tmp_path: Path
) -> None:
    locked.keep(small_frame, None, [], None)
    (sealed,) = box(locked, "*.kept")
    sealed.write_bytes(b"0" * 200)
    locked.unlock(PIN)
    (error,) = back_up(locked, tmp_path / "stick", PASSPHRASE, CHEAP)
    assert "is damaged" in str(error)
