"""The camera's thread against a source that does as each test says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from device.capture.reconnecting import ReconnectingSource
from device.capture.source import FrameSource
from device.errors import SourceError
from device.imaging.field_of_view import FieldOfView
from device.platform.clock import Clock
from device.runtime.camera import BURST, FAILED, SILENT_SECONDS, Camera
from device.runtime.health import Health, Part, PartState
from device.runtime.inbox import Inbox
from device.runtime.messages import Burst, ExplainCapture, LiveFrame, Shot, TakeBurst
from tests.device.scripted import GIVE_UP_SECONDS, ScriptedSource, until

UNPLUGGED = "the camera was unplugged"

Work = Inbox[Burst | ExplainCapture, LiveFrame]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source() -> ScriptedSource:
    return ScriptedSource()


@pytest.fixture
def work(clock: Clock) -> Work:
    return Inbox(clock)


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


@pytest.fixture
def camera(source: ScriptedSource, work: Work, health: Health, clock: Clock) -> Iterator[Camera]:
    camera = Camera(source, work, health, clock)
    with running(camera):
        yield camera


@contextmanager
def running(camera: Camera) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=camera.run, args=(stop,))
    thread.start()
    try:
        yield
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(GIVE_UP_SECONDS)


def press(camera: Camera) -> Shot:
    shot = Shot()
    camera.inbox.send(TakeBurst(shot))
    return shot


def burst(work: Work) -> Burst:
    until(work.commands_waiting)
    got = work.take(0.0)
    assert isinstance(got, Burst)
    return got


def live(work: Work) -> LiveFrame:
    got = work.take(GIVE_UP_SECONDS)
    assert isinstance(got, LiveFrame)
    return got


def test_frames_of_the_live_view_are_shown_and_given_to_the_analysis(
    camera: Camera, work: Work
) -> None:
    first = live(work).frame
    until(lambda: camera.frames.peek() is not first)


def test_a_press_gives_one_burst_of_stills_under_one_exposure_and_holds_the_view(
    camera: Camera, source: ScriptedSource, work: Work
) -> None:
    until(camera.frames.peek)
    shot = press(camera)
    taken = burst(work)
    held = camera.frames.peek()
    work.take(0.0)
    reads = source.reads
    until(lambda: source.reads > reads + 5)
    assert (taken.shot, len(taken.frames), taken.fault) == (shot, BURST, None)
    assert [f.sequence for f in taken.frames] == list(range(1001, 1001 + BURST))
    assert source.locked == [True, False]
    assert work.take(0.0) is None
    assert camera.frames.peek() is held
    assert source.stills == BURST


def test_releasing_the_shot_goes_on_with_the_live_view(camera: Camera, work: Work) -> None:
    until(camera.frames.peek)
    shot = press(camera)
    burst(work)
    work.take(0.0)
    held = camera.frames.peek()
    shot.release()
    until(lambda: camera.frames.peek() is not held)
    live(work)


def test_burst_ends_where_another_photograph_begins(
    camera: Camera, source: ScriptedSource, work: Work
) -> None:
    until(camera.frames.peek)
    source.new_pictures = {1001, 1003}
    press(camera)
    assert [f.sequence for f in burst(work).frames] == [1001, 1002]


def test_another_photograph_is_no_motion(
    camera: Camera, source: ScriptedSource, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[LiveFrame] = []
    monkeypatch.setattr(work, "offer", offered.append)
    source.new_pictures = {first := source.reads + 50}
    until(lambda: offered and offered[-1].frame.sequence > first + 1)
    motions = {given.frame.sequence: given.motion for given in offered[1:]}
    assert [number for number, motion in motions.items() if motion is None] == [first]


def test_first_frame_after_a_held_picture_is_compared_with_none(
    camera: Camera, source: ScriptedSource, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[LiveFrame] = []
    monkeypatch.setattr(work, "offer", offered.append)
    until(lambda: len(offered) > 2)
    shot = press(camera)
    burst(work)
    before, reads = len(offered), source.reads
    until(lambda: source.reads > reads + 2)
    shot.release()
    until(lambda: len(offered) > before + 1)
    assert [given.motion is None for given in offered[before : before + 2]] == [True, False]


def test_two_presses_give_two_bursts(camera: Camera, source: ScriptedSource, work: Work) -> None:
    shots = [press(camera), press(camera)]
    assert [burst(work).shot for _ in shots] == shots
    assert source.stills == 2 * BURST


def test_fault_is_told_while_it_lasts(camera: Camera, source: ScriptedSource) -> None:
    source.fault = SourceError(UNPLUGGED)
    until(lambda: camera.fault)
    assert camera.fault is not None
    assert camera.fault.message == UNPLUGGED
    source.fault = None
    until(lambda: camera.fault is None)


def test_camera_that_is_not_there_waits_and_one_that_fails_unforeseen_is_failing(
    camera: Camera, source: ScriptedSource, health: Health
) -> None:
    until(lambda: health.report()[Part.CAMERA].state is PartState.WORKING)
    source.fault = SourceError(UNPLUGGED)
    until(lambda: health.report()[Part.CAMERA].state is PartState.WAITING)
    source.fault = ZeroDivisionError("by nought")
    until(lambda: health.report()[Part.CAMERA].state is PartState.FAILING)
    source.fault = None
    until(lambda: health.report()[Part.CAMERA].state is PartState.WORKING)


def test_picture_of_a_camera_that_fails_is_known_not_to_be_live(
    camera: Camera, source: ScriptedSource
) -> None:
    until(camera.frames.peek)
    assert not camera.lost
    source.fault = SourceError(UNPLUGGED)
    until(lambda: camera.lost)
    source.fault = None
    until(lambda: not camera.lost)


def test_picture_of_a_camera_that_says_nothing_at_all_is_not_live_either(
    camera: Camera, source: ScriptedSource
) -> None:
    until(camera.frames.peek)
    source.hold.clear()
    until(lambda: camera.lost)
    assert camera.fault is None
    source.hold.set()
    until(lambda: not camera.lost)


def test_camera_is_not_lost_while_a_picture_is_held(source: ScriptedSource, work: Work) -> None:
    fast = Clock(speed=20.0)
    camera = Camera(source, work, Health(fast), fast)
    with running(camera):
        press(camera)
        burst(work)
        reads, held_since = source.reads, fast.monotonic()
        until(lambda: fast.monotonic() > held_since + 2 * SILENT_SECONDS)
        until(lambda: source.reads > reads)
        until(lambda: not camera.lost)


def test_fault_that_nobody_foresaw_is_told_with_its_name(
    camera: Camera, source: ScriptedSource
) -> None:
    source.fault = ZeroDivisionError("by nought")
    until(lambda: camera.fault)
    assert camera.fault is not None
    told = (camera.fault.message, camera.fault.detail)
    assert told == (FAILED, "ZeroDivisionError: by nought")


def test_press_while_the_camera_fails_is_answered_at_once_with_no_frame(
    camera: Camera, source: ScriptedSource, work: Work
) -> None:
    source.fault = SourceError(UNPLUGGED)
    until(lambda: camera.fault)
    work.take(0.0)
    shot = press(camera)
    answer = burst(work)
    assert (answer.shot, answer.frames) == (shot, ())
    assert answer.fault is not None
    assert source.stills == 0


def test_stills_before_a_fault_are_kept_and_exposure_is_released(
    camera: Camera, source: ScriptedSource, work: Work
) -> None:
    until(camera.frames.peek)
    source.good_stills, source.still_fault = 2, SourceError(UNPLUGGED)
    press(camera)
    taken = burst(work)
    assert len(taken.frames) == 2
    assert taken.fault is not None
    assert taken.fault.message == UNPLUGGED
    assert source.locked == [True, False]


def test_source_is_left_open_for_whoever_opened_it(
    source: ScriptedSource, work: Work, health: Health, clock: Clock
) -> None:
    camera = Camera(source, work, health, clock)
    with running(camera):
        until(camera.frames.peek)
    source.read()


@pytest.mark.parametrize(
    "field",
    [FieldOfView(1100, 600, 120), FieldOfView(280, 0, 720)],
    ids=["outside the new frame", "across its edge"],
)
def test_camera_that_comes_back_with_smaller_frames_is_compared_anew(
    camera: Camera, source: ScriptedSource, work: Work, field: FieldOfView
) -> None:
    source.shape = (720, 1280)
    until(lambda: live(work).frame.pixels.shape[0] == 720)
    camera.use_field(field)
    until(lambda: live(work).motion is not None)
    source.shape = (240, 320)
    until(lambda: live(work).frame.pixels.shape[0] == 240)
    assert camera.fault is None


def test_retry_of_a_missing_camera_waits_by_the_clock(source: ScriptedSource, work: Work) -> None:
    """Five minutes of a missing camera pass in a moment."""
    fast = Clock(speed=3600.0)
    source.fault = SourceError(UNPLUGGED)
    camera = Camera(source, work, Health(fast), fast)
    with running(camera):
        until(lambda: source.attempts > 300)


def test_driver_that_raises_what_nobody_expected_is_failing_behind_a_reconnecting_source_too(
    work: Work,
) -> None:
    fast = Clock(speed=50.0)
    health = Health(fast)

    def broken() -> FrameSource:
        raise AttributeError("a bug in the driver")

    with (
        ReconnectingSource("camera", broken, fast) as source,
        running(Camera(source, work, health, fast)),
    ):
        until(lambda: health.report()[Part.CAMERA].state is PartState.FAILING)


def test_press_that_came_before_the_end_is_still_taken(
    source: ScriptedSource, work: Work, health: Health, clock: Clock
) -> None:
    camera = Camera(source, work, health, clock)
    shot = press(camera)
    stop = threading.Event()
    stop.set()
    camera.run(stop)
    assert burst(work).shot is shot
