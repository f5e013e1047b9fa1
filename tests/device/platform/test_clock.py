import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device.platform.clock import Clock, clock_is_set

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


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def hardware_clock(folder: Path, shows: object) -> Path:
    (folder / "rtc0").mkdir(parents=True)
    (folder / "rtc0" / "since_epoch").write_text(f"{shows}\n")
    return folder


def test_time_before_the_program_was_written_is_not_right(tmp_path: Path) -> None:
    assert not clock_is_set(NOW.replace(year=1970), tmp_path / "none", tmp_path / "none")
    assert clock_is_set(NOW, tmp_path / "none", tmp_path / "none")


@pytest.mark.parametrize(
    ("shows", "believed"),
    [
        (int(NOW.timestamp()), True),
        (int(NOW.timestamp()) + 3 * 3600 + 5, True),  # in local time
        (int(NOW.timestamp()) - 400, False),
        (0, False),
        ("nothing", False),
    ],
)
def test_without_a_server_the_clock_with_a_battery_is_asked(
    tmp_path: Path, shows: object, believed: bool
) -> None:
    timesyncd = tmp_path / "timesync"
    timesyncd.mkdir()
    assert not clock_is_set(NOW, timesyncd, tmp_path / "none")
    hardware = hardware_clock(tmp_path / "rtc", shows)
    assert clock_is_set(NOW, timesyncd, hardware) is believed
    (timesyncd / "synchronized").touch()
    assert clock_is_set(NOW, timesyncd, hardware)
