from device.faults import Fault
from device.notices import SECONDS, Notices
from tests.device.clocks import ManualClock

DISK, LOSS = Fault("the disk is full", "free it"), Fault("the picture is lost", "take it again")


def test_newest_is_told_first_and_each_for_its_time() -> None:
    clock = ManualClock()
    notices = Notices(clock, [DISK])
    notices.add(LOSS)
    notices.seen()
    clock.seconds += SECONDS - 0.1
    notices.seen()
    assert notices.first is LOSS
    clock.seconds += 0.2
    notices.seen()
    assert notices.first is DISK


def test_time_begins_when_it_can_be_seen() -> None:
    clock = ManualClock()
    notices = Notices(clock, [DISK])
    clock.seconds += 10 * SECONDS
    notices.seen()
    assert notices.first is DISK


def test_fault_that_stays_is_told_once_and_gives_way_to_its_next() -> None:
    notices = Notices(ManualClock())
    notices.add_once("space", DISK)
    notices.add_once("space", DISK)
    notices.add_once("space", LOSS)
    assert notices.first is LOSS
    notices.seen()
    notices.touched()
    assert notices.first is None


def test_what_nobody_has_seen_is_not_taken_away_by_a_touch() -> None:
    notices = Notices(ManualClock(), [DISK])
    notices.touched()
    assert notices.first is DISK
