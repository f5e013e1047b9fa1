"""Who may open the records: PINs, key files, roles, and what wrong PINs cost."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from device.errors import (
    NotAllowedError,
    RecordError,
    RecordsLockedError,
    WrongPinError,
)
from device.frame import Frame
from device.records import keyring
from device.records.access import Access, Holder, Protection
from device.records.encrypted_archive import EncryptedArchive
from device.records.keyring import PinCost, measure_cost
from device.records.patients import Action, Decision, Role, new_key
from device.records.pin_delay import seconds_after
from device.records.roles import ALLOWED, Permission
from tests.device.clocks import ManualClock
from tests.device.records.conftest import CHEAP, file_size_limit

CLINICIAN = Holder("Dr. A", Role.CLINICIAN)
FIELD = Holder("Nurse B", Role.FIELD)
SERVICE = Holder("Mr. C", Role.SERVICE)
PINS = {CLINICIAN: "135790", FIELD: "246801", SERVICE: "112233"}


@pytest.fixture
def locked(archive: EncryptedArchive) -> EncryptedArchive:
    """An archive with a PIN for each role, locked."""
    for holder, pin in PINS.items():
        archive.set_pin(holder, pin)
    archive.lock()
    return archive


def again(archive: EncryptedArchive, key_file: Path | None = None) -> EncryptedArchive:
    """Return the archive as a program finds it that starts."""
    archive.close()
    return EncryptedArchive(archive.folder, archive.clock, pin_cost=CHEAP, key_file=key_file)


def test_archive_without_a_pin_says_that_it_is_not_locked(archive: EncryptedArchive) -> None:
    archive.open()
    assert archive.access == Access(Protection.NOTHING, keyring.ANYONE)
    assert archive.access.role is Role.CLINICIAN
    assert (archive.folder / "archive.key").stat().st_size == 32
    archive.lock()
    assert not archive.access.locked


def test_archive_that_nothing_was_asked_of_yet_is_not_locked(archive: EncryptedArchive) -> None:
    assert archive.access == Access(Protection.UNKNOWN, None)
    assert not archive.access.locked
    archive.set_pin(CLINICIAN, PINS[CLINICIAN])
    archive.close()
    assert archive.access.locked


def test_first_pin_takes_away_the_key_that_lay_beside(archive: EncryptedArchive) -> None:
    patient = archive.add_patient("4711")
    archive.set_pin(CLINICIAN, PINS[CLINICIAN])
    assert not (archive.folder / "archive.key").exists()
    assert archive.access.protection is Protection.PIN
    started = again(archive)
    started.open()
    assert started.access == Access(Protection.PIN, None)
    assert started.last_taken is None
    with pytest.raises(RecordsLockedError, match="records are locked; enter your PIN"):
        started.patient(patient.key)
    assert started.unlock(PINS[CLINICIAN]) == CLINICIAN
    assert started.access == Access(Protection.PIN, CLINICIAN)
    assert started.patient(patient.key) == patient
    started.close()


def test_key_that_lay_beside_opens_nothing_once_there_is_a_pin(archive: EncryptedArchive) -> None:
    archive.open()
    before = (archive.folder / "archive.key").read_bytes()
    archive.set_pin(CLINICIAN, PINS[CLINICIAN])
    archive.close()
    (archive.folder / "archive.key").write_bytes(before)
    archive.open()
    assert archive.access.locked
    assert not (archive.folder / "archive.key").exists()


@pytest.mark.parametrize("holder", PINS)
def test_pin_opens_as_whoever_it_is_of(locked: EncryptedArchive, holder: Holder) -> None:
    assert locked.unlock(PINS[holder]) == holder
    assert locked.access.holder == holder
    locked.lock()
    assert locked.access.locked


def test_one_pin_takes_over_from_another(locked: EncryptedArchive) -> None:
    locked.unlock(PINS[CLINICIAN])
    locked.unlock(PINS[SERVICE])
    with pytest.raises(NotAllowedError):
        locked.patients()


def test_nothing_can_be_asked_of_a_locked_archive(locked: EncryptedArchive) -> None:
    for attempt in (
        locked.identifiers,
        locked.patients,
        lambda: locked.add_patient("4711"),
        lambda: locked.delete_patient(new_key()),
        lambda: locked.set_pin(CLINICIAN, "999999"),
        lambda: locked.remove_pin(FIELD.name),
    ):
        with pytest.raises(RecordsLockedError):
            attempt()
    assert not list(locked.folder.rglob("*.picture"))
    assert locked.holders() == tuple(PINS)


def test_keys_are_wiped_when_it_is_locked(locked: EncryptedArchive) -> None:
    locked.unlock(PINS[CLINICIAN])
    opened = locked.opened
    assert opened is not None
    assert any(opened.master)
    locked.lock()
    assert not any(opened.master)
    assert not any(opened.pictures)
    assert locked.opened is None


_NOTHING = Decision(
    decided=datetime(2026, 1, 1, tzinfo=UTC), role=Role.CLINICIAN, action=Action.NOTHING
)
_ATTEMPTS: dict[Permission, Callable[[EncryptedArchive, Frame], object]] = {
    Permission.CAPTURE: lambda a, f: a.keep(f, None, [], None),
    Permission.READ: lambda a, f: (a.patients(), a.identifiers()),
    Permission.ENTER: lambda a, f: a.add_patient("4711"),
    Permission.DECIDE: lambda a, f: a.decide("none", _NOTHING),
    Permission.DELETE: lambda a, f: a.delete_examination("none"),
    Permission.PINS: lambda a, f: a.remove_pin("nobody"),
}


@pytest.mark.parametrize(("holder", "permission"), itertools.product(PINS, _ATTEMPTS))
def test_roles_may_do_what_the_table_says(
    locked: EncryptedArchive, small_frame: Frame, holder: Holder, permission: Permission
) -> None:
    locked.unlock(PINS[holder])
    told = None
    try:
        _ATTEMPTS[permission](locked, small_frame)
    except RecordError as error:
        told = error
    refused = isinstance(told, NotAllowedError)
    assert refused is (permission not in ALLOWED[holder.role])
    if refused:
        assert "not allowed with your PIN; ask someone" in str(told)


@pytest.mark.parametrize("holder", [FIELD, SERVICE])
def test_first_pin_is_a_clinicians(archive: EncryptedArchive, holder: Holder) -> None:
    with pytest.raises(RecordError, match="no clinician would have a PIN"):
        archive.set_pin(holder, "123456")
    assert archive.access.protection is Protection.NOTHING
    assert not again(archive).holders()


@pytest.mark.parametrize(
    ("holder", "pin"), [(SERVICE, "112233"), (FIELD, "246801"), (CLINICIAN, "12")]
)
def test_first_pin_that_is_refused_changes_nothing(
    archive: EncryptedArchive, small_frame: Frame, holder: Holder, pin: str
) -> None:
    archive.open()
    with pytest.raises(RecordError):
        archive.set_pin(holder, pin)
    archive.keep(small_frame, None, [], None)
    assert archive.find_patient("4711") is None
    archive.add_patient("4711")
    assert [entry.holder for entry in archive.trail()][-1] == keyring.ANYONE.name
    archive.set_pin(CLINICIAN, PINS[CLINICIAN])
    assert archive.access == Access(Protection.PIN, CLINICIAN)


def test_last_clinician_keeps_the_pin(locked: EncryptedArchive) -> None:
    locked.unlock(PINS[CLINICIAN])
    for attempt in (
        lambda: locked.remove_pin(CLINICIAN.name),
        lambda: locked.set_pin(Holder(CLINICIAN.name, Role.FIELD), "999999"),
    ):
        with pytest.raises(RecordError, match="no clinician would have a PIN"):
            attempt()
    other = Holder("Dr. D", Role.CLINICIAN)
    locked.set_pin(other, "999999")
    locked.remove_pin(CLINICIAN.name)
    assert locked.holders() == (FIELD, SERVICE, other)
    locked.lock()
    with pytest.raises(WrongPinError):
        locked.unlock(PINS[CLINICIAN])


def test_name_that_has_no_pin_is_told(locked: EncryptedArchive) -> None:
    locked.unlock(PINS[CLINICIAN])
    with pytest.raises(RecordError, match="nobody of this name has a PIN"):
        locked.remove_pin("Dr. Z")


@pytest.mark.parametrize("pin", ["", "12345", "1" * 257])
def test_pin_that_is_too_short_or_long_is_refused(archive: EncryptedArchive, pin: str) -> None:
    with pytest.raises(RecordError, match="at least 6 digits or letters; choose"):
        archive.set_pin(CLINICIAN, pin)


def test_pin_of_somebody_else_cannot_be_taken(locked: EncryptedArchive) -> None:
    locked.unlock(PINS[CLINICIAN])
    with pytest.raises(RecordError, match="this PIN cannot be taken; choose another"):
        locked.set_pin(Holder("Dr. D", Role.CLINICIAN), PINS[FIELD])
    locked.set_pin(FIELD, PINS[FIELD])


def test_everyone_may_change_their_own_pin(locked: EncryptedArchive) -> None:
    assert locked.change_pin(PINS[FIELD], "555555") == FIELD
    assert locked.access.locked
    with pytest.raises(WrongPinError):
        locked.unlock(PINS[FIELD])
    locked.unlock(PINS[CLINICIAN])
    locked.change_pin("555555", "666666")
    assert locked.access.holder == CLINICIAN
    locked.lock()
    assert locked.unlock("666666") == FIELD


def test_own_pin_is_no_way_to_find_out_those_of_others(
    locked: EncryptedArchive, clock: ManualClock
) -> None:
    own = PINS[SERVICE]
    for number in range(3):
        locked.change_pin(own, new := f"55555{number}")
        own = new
    with pytest.raises(WrongPinError, match="too many new PINs; the next one is taken in 6 sec"):
        locked.change_pin(own, PINS[CLINICIAN])
    # It did not come to be tried.
    assert locked.unlock(own) == SERVICE
    clock.sleep(6.0)
    with pytest.raises(RecordError, match="cannot be taken"):
        locked.change_pin(own, PINS[CLINICIAN])
    with pytest.raises(WrongPinError, match="taken in 11 sec"):
        locked.change_pin(own, "666666")


def test_own_pin_is_not_changed_to_a_short_one(locked: EncryptedArchive) -> None:
    with pytest.raises(RecordError, match="at least 6"):
        locked.change_pin(PINS[FIELD], "1")
    assert locked.unlock(PINS[FIELD]) == FIELD


def test_wait_grows_with_each_wrong_pin(locked: EncryptedArchive, clock: ManualClock) -> None:
    waits = []
    for _ in range(12):
        with pytest.raises(WrongPinError, match="this PIN is nobody's; enter it again"):
            locked.unlock("000000")
        waits.append(locked.pin_wait())
        clock.seconds += waits[-1]
    assert waits == [0, 0, 5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert locked.pin_wait() == 0.0
    locked.unlock(PINS[CLINICIAN])
    locked.lock()
    with pytest.raises(WrongPinError):
        locked.unlock("000000")
    assert locked.pin_wait() == 0.0


def test_pin_that_comes_too_soon_is_not_tried(locked: EncryptedArchive, clock: ManualClock) -> None:
    for _ in range(3):
        with pytest.raises(WrongPinError):
            locked.unlock("000000")
    clock.seconds += 2.0
    with pytest.raises(WrongPinError, match="next one is taken in 4 seconds"):
        locked.unlock(PINS[CLINICIAN])
    assert locked.pin_wait() == 3.0
    clock.seconds += 3.0
    assert locked.unlock(PINS[CLINICIAN]) == CLINICIAN


def test_wait_begins_anew_with_the_program(locked: EncryptedArchive, clock: ManualClock) -> None:
    for _ in range(4):
        clock.seconds += locked.pin_wait()
        with pytest.raises(WrongPinError):
            locked.unlock("000000")
    clock.seconds += 9.0
    started = again(locked)
    started.open()
    assert started.pin_wait() == 10.0
    with pytest.raises(WrongPinError, match="too many wrong PINs"):
        started.unlock(PINS[CLINICIAN])
    clock.seconds += 10.0
    started.unlock(PINS[CLINICIAN])
    assert again(started).pin_wait() == 0.0


def test_count_of_wrong_pins_that_is_damaged_is_no_help(
    locked: EncryptedArchive, clock: ManualClock
) -> None:
    (locked.folder / "wrong-pins.json").write_bytes(b"\x00")
    started = again(locked)
    started.open()
    assert started.pin_wait() == seconds_after(3)


def test_wrong_pins_are_told_in_the_trail(locked: EncryptedArchive) -> None:
    for _ in range(2):
        with pytest.raises(WrongPinError):
            locked.unlock("000000")
    locked.unlock(PINS[CLINICIAN])
    told = locked.opened.connection.execute(
        "SELECT holder, event, subject FROM trail ORDER BY number DESC LIMIT 2"
    ).fetchall()
    assert told == [("Dr. A", "unlocked", "Dr. A"), ("Dr. A", "wrong PINs before this", "2")]


def test_records_open_on_a_full_disk(locked: EncryptedArchive, small_frame: Frame) -> None:
    locked.unlock(PINS[CLINICIAN])
    kept = locked.keep(small_frame, None, [], None)
    locked.lock()
    with file_size_limit(100):
        assert locked.unlock(PINS[CLINICIAN]) == CLINICIAN
        assert locked.identifiers() == [kept]
        with pytest.raises(RecordError, match="this could not be kept; free space"):
            locked.add_patient("4711")
    locked.add_patient("4711")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "records.key"
    path.write_bytes(bytes(range(32)))
    return path


def test_key_file_opens_the_records(tmp_path: Path, clock: ManualClock, key_file: Path) -> None:
    archive = EncryptedArchive(tmp_path / "e", clock, key_file=key_file, pin_cost=CHEAP)
    patient = archive.add_patient("4711")
    assert archive.access == Access(Protection.KEY_FILE, keyring.BY_KEY_FILE)
    assert not (archive.folder / "archive.key").exists()
    started = again(archive, key_file)
    assert started.patient(patient.key) == patient
    other = tmp_path / "other.key"
    other.write_bytes(bytes(32))
    short = tmp_path / "short.key"
    short.write_bytes(b"short")
    for wrong, words in (
        (None, "the settings name none; set records_key_file"),
        (other, "another archive's"),
        (short, "fewer than 32 bytes"),
        (tmp_path / "none", "No such file"),
    ):
        refused = again(started, wrong)
        with pytest.raises(RecordError, match=words):
            refused.open()
        assert refused.access.locked


def test_key_file_that_is_provisioned_later_takes_the_place_of_the_key_beside(
    archive: EncryptedArchive, key_file: Path
) -> None:
    patient = archive.add_patient("4711")
    started = again(archive, key_file)
    assert started.patient(patient.key) == patient
    assert not (archive.folder / "archive.key").exists()
    started = again(started, key_file)
    assert started.patient(patient.key) == patient
    assert started.access.protection is Protection.KEY_FILE
    started.close()


def test_key_file_helps_where_a_pin_was_forgotten(
    archive: EncryptedArchive, key_file: Path
) -> None:
    started = again(archive, key_file)
    started.set_pin(CLINICIAN, PINS[CLINICIAN])
    started = again(started, key_file)
    started.open()
    assert started.access.locked
    started.unlock_with_key_file()
    started.set_pin(CLINICIAN, "999999")
    started = again(started)
    assert started.unlock("999999") == CLINICIAN
    with pytest.raises(RecordError, match="name none"):
        again(started).unlock_with_key_file()


def test_damaged_copy_of_the_keyring_is_no_loss(locked: EncryptedArchive) -> None:
    for name in ("keyring.json", "keyring.copy.json"):
        path = locked.folder / name
        content = path.read_bytes()
        path.write_bytes(content[:200] + b"\x00" + content[201:])
        assert keyring.damaged_copies(locked.folder) == [name]
        started = again(locked)
        assert started.unlock(PINS[CLINICIAN]) == CLINICIAN
        started.close()
        path.write_bytes(content)


def test_copy_of_the_keyring_that_an_interrupted_program_did_not_write_is_written(
    locked: EncryptedArchive,
) -> None:
    locked.unlock(PINS[CLINICIAN])
    for name in ("keyring.json", "keyring.copy.json"):
        path = locked.folder / name
        before = path.read_bytes()
        locked.set_pin(FIELD, PINS[FIELD])
        after = path.read_bytes()
        for left in (before, None):
            path.unlink() if left is None else path.write_bytes(left)
            started = again(locked)
            assert started.unlock(PINS[CLINICIAN]) == CLINICIAN
            started.close()
            assert path.read_bytes() == after
        locked.unlock(PINS[CLINICIAN])


def test_keyring_that_is_gone_or_damaged_is_told_and_not_made_anew(
    locked: EncryptedArchive,
) -> None:
    for content in (b"", None):
        for name in ("keyring.json", "keyring.copy.json"):
            (locked.folder / name).unlink(missing_ok=True)
            if content is not None:
                (locked.folder / name).write_bytes(content)
        with pytest.raises(RecordError, match="key of the records cannot be read; restore"):
            again(locked).open()


def test_older_keyring_is_refused(locked: EncryptedArchive) -> None:
    """Or a PIN that was taken away would open the records again."""
    names = ("keyring.json", "keyring.copy.json")
    older = [(locked.folder / name).read_bytes() for name in names]
    locked.unlock(PINS[CLINICIAN])
    locked.remove_pin(FIELD.name)
    locked.close()
    for name, content in zip(names, older, strict=True):
        (locked.folder / name).write_bytes(content)
    with pytest.raises(RecordError, match="older keyring was put in its place"):
        again(locked).unlock(PINS[FIELD])


def test_role_in_the_keyring_cannot_be_raised(locked: EncryptedArchive) -> None:
    ring = keyring.read_keyring(locked.folder)
    assert ring is not None
    pins = tuple(
        msgspec.structs.replace(slot, role=Role.CLINICIAN) if slot.name == FIELD.name else slot
        for slot in ring.pins
    )
    keyring.write_keyring(locked.folder, msgspec.structs.replace(ring, pins=pins))
    started = again(locked)
    with pytest.raises(WrongPinError):
        started.unlock(PINS[FIELD])
    with pytest.raises(RecordError, match="keyring was altered"):
        started.unlock(PINS[CLINICIAN])


def test_throwaway_archive_leaves_its_key_on_no_disk(tmp_path: Path, small_frame: Frame) -> None:
    archive = EncryptedArchive(tmp_path / "e", permanent=False, pin_cost=CHEAP)
    identifier = archive.keep(small_frame, None, [], None)
    assert not (tmp_path / "e" / "archive.key").exists()
    with pytest.raises(RecordError, match="key of the records cannot be read"):
        copied = EncryptedArchive(tmp_path / "e2", pin_cost=CHEAP)
        (tmp_path / "e").rename(tmp_path / "e2")
        archive._release()
        copied.open()
    assert identifier


@pytest.mark.parametrize(
    ("few", "more", "passes"),
    [
        (0.01, 0.02, 32),
        (0.4, 0.6, 14),
        (0.5, 1.5, 4),
        (0.9, 2.5, 2),
        (9.0, 27.0, 2),
        (0.5, 0.4, 32),
    ],
)
def test_cost_of_a_pin_is_measured_on_the_machine(few: float, more: float, passes: int) -> None:
    times = iter((5.0, 5.0 + few, 5.0 + few + more))
    assert measure_cost(lambda: next(times)) == PinCost(passes=passes, memory_kib=65536)


def test_cost_is_measured_for_the_first_pin_and_stays(tmp_path: Path) -> None:
    archive = EncryptedArchive(tmp_path)
    archive.open()
    archive.set_pin(CLINICIAN, PINS[CLINICIAN])
    ring = keyring.read_keyring(tmp_path)
    assert ring is not None
    assert (ring.cost.memory_kib, ring.cost.passes >= 2) == (65536, True)
    archive.lock()
    assert archive.unlock(PINS[CLINICIAN]) == CLINICIAN
