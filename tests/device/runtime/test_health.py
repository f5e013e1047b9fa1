"""Which parts do their work, and what the service manager hears of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from device.capture.source import FrameSource
from device.errors import SourceError
from device.faults import Fault
from device.platform.systemd import Notifier
from device.runtime.camera import Camera
from device.runtime.health import ALLOWANCES, FAILURES, Health, Part, PartState, Watchdog, summary
from device.runtime.inbox import Inbox
from tests.device.clocks import ManualClock
from tests.device.manager import Manager
from tests.device.scripted import GIVE_UP_SECONDS, ScriptedSource, until

FAULT = Fault("It failed.")
ABSENT = Fault("no camera is connected", "plug it in")
LONG = 2 * max(ALLOWANCES.values())

Report = Callable[[Health, Part], None]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def health(clock: ManualClock) -> Health:
    return Health(clock)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


@pytest.fixture
def watchdog(tmp_path: Path, manager: Manager, health: Health, clock: ManualClock) -> Watchdog:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"})
    return Watchdog(notifier, health, clock)


def fails(health: Health, part: Part) -> None:
    health.failed(part, FAULT)


def fails_and_then_has_nothing_to_do(health: Health, part: Part) -> None:
    health.failed(part, FAULT)
    health.waiting(part)


def fails_and_then_lacks_what_it_needs(health: Health, part: Part) -> None:
    health.failed(part, FAULT)
    health.waiting(part, ABSENT)


def misses_what_it_needs(health: Health, part: Part) -> None:
    health.waiting(part, ABSENT)


def has_nothing_to_do(health: Health, part: Part) -> None:
    health.waiting(part)


def stands_still(health: Health, part: Part) -> None:
    pass


def run(health: Health, clock: ManualClock, part: Part, step: Report, seconds: float) -> None:
    """Let time pass in which one part takes the same step over and over, and the others work."""
    for _ in range(round(seconds)):
        clock.seconds += 1.0
        for other in Part:
            if other is not part:
                health.worked(other)
        step(health, part)


@pytest.mark.parametrize("part", ALLOWANCES)
@pytest.mark.parametrize(
    "step",
    [
        stands_still,
        fails,
        fails_and_then_has_nothing_to_do,
        fails_and_then_lacks_what_it_needs,
    ],
)
def test_part_that_stands_still_or_whose_every_step_fails_makes_no_progress(
    health: Health, clock: ManualClock, part: Part, step: Report
) -> None:
    health.worked(part)
    run(health, clock, part, step, ALLOWANCES[part])
    assert health.stalled() == ()
    run(health, clock, part, step, FAILURES + 1)
    assert health.stalled() == (part,)


@pytest.mark.parametrize("part", ALLOWANCES)
@pytest.mark.parametrize("step", [misses_what_it_needs, has_nothing_to_do])
def test_part_that_waits_is_sound_however_long_it_waits(
    health: Health, clock: ManualClock, part: Part, step: Report
) -> None:
    run(health, clock, part, step, LONG)
    assert health.stalled() == ()
    assert health.report()[part].state is PartState.WAITING


def test_missing_camera_is_told_until_it_is_back(health: Health) -> None:
    health.worked(Part.CAMERA)
    health.waiting(Part.CAMERA, ABSENT)
    assert health.report()[Part.CAMERA].fault is ABSENT
    health.worked(Part.CAMERA)
    assert health.report()[Part.CAMERA].fault is None


def test_one_failure_followed_by_nothing_to_do_is_an_accident(
    health: Health, clock: ManualClock
) -> None:
    health.failed(Part.ANALYSIS, FAULT)
    assert health.report()[Part.ANALYSIS].state is PartState.FAILING
    run(health, clock, Part.ANALYSIS, has_nothing_to_do, LONG)
    assert health.stalled() == ()
    told = health.report()[Part.ANALYSIS]
    assert (told.state, told.failures, told.fault) == (PartState.WAITING, 1, FAULT)


def test_work_heals_and_nothing_else_does(health: Health, clock: ManualClock) -> None:
    run(health, clock, Part.ANALYSIS, fails, LONG)
    health.waiting(Part.ANALYSIS)
    assert health.stalled() == (Part.ANALYSIS,)
    assert health.report()[Part.ANALYSIS].failures == LONG
    health.worked(Part.ANALYSIS)
    assert health.stalled() == ()
    told = health.report()[Part.ANALYSIS]
    assert (told.state, told.failures, told.fault) == (PartState.WORKING, 0, None)
    assert told.worked == clock.monotonic()


def test_model_is_told_of_and_not_watched(health: Health, clock: ManualClock) -> None:
    assert health.report()[Part.MODEL].state is PartState.STARTING
    assert health.report()[Part.MODEL].worked is None
    run(health, clock, Part.MODEL, fails, LONG)
    assert health.stalled() == ()
    assert health.report()[Part.MODEL].state is PartState.FAILING


def test_summary_tells_whether_camera_analysis_and_model_do_their_work(health: Health) -> None:
    assert summary(health) == "camera starting, analysis starting, model starting"
    health.waiting(Part.CAMERA, ABSENT)
    health.worked(Part.ANALYSIS)
    health.failed(Part.MODEL, FAULT)
    assert summary(health) == "camera waiting, analysis working, model failing"


@contextmanager
def reading(source: FrameSource, health: Health, clock: ManualClock) -> Iterator[None]:
    """Run the camera's thread, in which each pause is over at once."""
    stop = threading.Event()
    thread = threading.Thread(
        target=Camera(source, Inbox(clock), health, clock).run, args=(stop,), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(GIVE_UP_SECONDS)
    assert not thread.is_alive()


def test_camera_whose_every_read_fails_makes_no_progress_though_its_thread_turns(
    health: Health, clock: ManualClock
) -> None:
    source = ScriptedSource()
    source.fault = RuntimeError("no such control")
    with reading(source, health, clock):
        until(lambda: Part.CAMERA in health.stalled())
        attempts = source.attempts
        until(lambda: source.attempts > attempts)


def test_camera_that_is_unplugged_for_minutes_is_a_state_and_no_failure(
    health: Health, clock: ManualClock
) -> None:
    source = ScriptedSource()
    source.fault = SourceError("no camera is connected")
    end = clock.seconds + 10 * ALLOWANCES[Part.CAMERA]
    with reading(source, health, clock):
        until(lambda: clock.seconds > end)
        assert Part.CAMERA not in health.stalled()
        assert health.report()[Part.CAMERA].fault is source.fault.fault
        source.fault = None
        until(lambda: health.report()[Part.CAMERA].state is PartState.WORKING)


def test_readiness_is_said_once_and_needs_no_model(
    watchdog: Watchdog, manager: Manager, health: Health
) -> None:
    health.failed(Part.MODEL, FAULT)
    watchdog.beat("Live")
    assert manager.heard() == ["WATCHDOG=1"]
    watchdog.ready()
    watchdog.ready()
    assert manager.heard() == ["READY=1"]
    assert health.report()[Part.MODEL].state is PartState.FAILING


def test_status_tells_what_is_shown_and_which_parts_work_whenever_that_changes(
    watchdog: Watchdog, manager: Manager, health: Health, clock: ManualClock
) -> None:
    watchdog.ready()
    told = []
    for shown, report in (
        ("Live", lambda: health.worked(Part.CAMERA)),
        ("Live", lambda: health.worked(Part.CAMERA)),
        ("Live", lambda: health.failed(Part.MODEL, FAULT)),
        ("no camera", lambda: health.waiting(Part.CAMERA, ABSENT)),
    ):
        report()
        watchdog.beat(shown)
        clock.seconds += 1.0
        told.append([x.removeprefix("STATUS=") for x in manager.heard() if x.startswith("STATUS")])
    assert told == [
        ["Live (camera working, analysis starting, model starting)"],
        [],
        ["Live (camera working, analysis starting, model failing)"],
        ["no camera (camera waiting, analysis starting, model failing)"],
    ]


def test_watchdog_is_reset_while_every_part_works(
    watchdog: Watchdog, manager: Manager, health: Health, clock: ManualClock
) -> None:
    heard = 0
    for _ in range(60 * 30):
        clock.seconds += 1 / 30
        for part in ALLOWANCES:
            health.worked(part)
        watchdog.beat("Live")
        heard += len(manager.heard())
    # Often enough, and not at each of 1800 frames.
    assert 50 <= heard <= 70


@pytest.mark.parametrize("part", ALLOWANCES)
def test_one_part_without_progress_misses_the_watchdog_until_it_works_again(
    watchdog: Watchdog, manager: Manager, health: Health, clock: ManualClock, part: Part
) -> None:
    watchdog.ready()
    manager.heard()
    begin = last_reset = clock.seconds
    for _ in range(round(10 * ALLOWANCES[part]) + 50):
        clock.seconds += 0.1
        for other in ALLOWANCES:
            if other is not part:
                health.worked(other)
        health.failed(part, FAULT)
        watchdog.beat("Live")
        heard = manager.heard()
        if "WATCHDOG=1" in heard:
            last_reset = clock.seconds
        elif heard:
            assert heard == [f"STATUS=No progress: {part}"]
    assert last_reset == pytest.approx(begin + ALLOWANCES[part], abs=1.2)
    health.worked(part)
    clock.seconds += 1.1
    watchdog.beat("Live")
    assert manager.heard() == [f"STATUS=Live ({summary(health)})", "WATCHDOG=1"]


def test_watchdog_of_a_short_time_is_reset_twice_within_it(
    tmp_path: Path, manager: Manager, health: Health, clock: ManualClock
) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"})
    watchdog = Watchdog(notifier, health, clock)
    for _ in range(100):
        clock.seconds += 0.01
        watchdog.beat("Live")
    assert len(manager.heard()) >= 2


def test_going_down_on_purpose_is_told(watchdog: Watchdog, manager: Manager) -> None:
    watchdog.stopping()
    assert manager.heard() == ["STOPPING=1"]
