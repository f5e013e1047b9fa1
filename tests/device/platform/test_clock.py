import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from device.platform.clock import Clock

HOUR = 3600.0


@pytest.fixture
def fast() -> Clock:
    """A clock by which an hour is over in a fraction of a second."""
    return Clock(speed=100_000.0)


def test_by_default_it_is_the_machines_own_clock() -> None:
    clock = Clock()
    before = time.monotonic(), datetime.now(UTC)
    told = clock.monotonic(), clock.now()
    after = time.monotonic(), datetime.now(UTC)
    assert before <= told <= after
    assert told[1].utcoffset() == timedelta(0)


def test_fast_clock_lets_an_hour_pass_in_a_sleep(fast: Clock) -> None:
    monotonic, now = fast.monotonic(), fast.now()
    fast.sleep(HOUR)
    assert fast.monotonic() - monotonic >= HOUR
    assert fast.now() - now >= timedelta(seconds=HOUR)


def test_fast_clock_waits_an_hour_for_what_never_comes(fast: Clock) -> None:
    begin = fast.monotonic()
    assert not fast.wait(threading.Event(), HOUR)
    assert fast.monotonic() - begin >= HOUR
    condition = threading.Condition()
    begin = fast.monotonic()
    with condition:
        assert not fast.wait_for(condition, lambda: False, HOUR)
    assert fast.monotonic() - begin >= HOUR


def test_both_times_of_a_fast_clock_run_together(fast: Clock) -> None:
    first = fast.monotonic(), fast.now()
    fast.sleep(HOUR)
    monotonic, now = fast.monotonic(), fast.now()
    later = fast.monotonic()
    passed = (now - first[1]).total_seconds()
    # Each is asked for between two others.
    assert monotonic - first[0] >= HOUR
    assert passed <= later - first[0] + 1e-3


def test_waiting_ends_with_what_is_waited_for() -> None:
    clock = Clock()
    event, condition, arrived = threading.Event(), threading.Condition(), []

    def arrive() -> None:
        event.set()
        with condition:
            arrived.append(1)
            condition.notify_all()

    thread = threading.Thread(target=arrive)
    thread.start()
    assert clock.wait(event, HOUR)
    with condition:
        assert clock.wait_for(condition, lambda: arrived, HOUR)
    thread.join()


def test_time_that_is_over_already_is_not_waited_for() -> None:
    clock = Clock(speed=1e-9)
    clock.sleep(-1.0)
    event, condition = threading.Event(), threading.Condition()
    assert not clock.wait(event, -1.0)
    with condition:
        assert not clock.wait_for(condition, lambda: False, -1.0)
        assert clock.wait_for(condition, lambda: True, -1.0)
    event.set()
    assert clock.wait(event, -1.0)
