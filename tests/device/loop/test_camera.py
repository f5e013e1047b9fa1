"""The camera's thread against a source that does as each test says."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from device.capture.frame import Frame, frame_now
from device.errors import SourceError
from device.imaging.field import FieldOfView
from device.loop.camera import BURST, FAILED, SILENT_SECONDS, Camera
from device.loop.latest import Latest
from device.loop.work import Burst, Seen, Work
from device.service import Heartbeat, Notifier
from tests.device.clinic import GIVE_UP_SECONDS

UNPLUGGED = "the camera was unplugged; plug it in again"


class Source:
    """A source whose pictures, and faults, a test sets while it runs."""

    name = "camera"

    def __init__(self) -> None:
        self.reads = 0
        self.stills = 0
        self.shape = (240, 320)
        self.fault: Exception | None = None
        self.still_fault: Exception | None = None
        self.good_stills = 0
        self.left: int | None = None
        self.locked: list[bool] = []
        self.hold = threading.Event()
        self.hold.set()

    def read(self, timeout: float = 1.0) -> Frame | None:
        time.sleep(0.005)
        self.hold.wait(GIVE_UP_SECONDS)
        if self.fault is not None:
            raise self.fault
        if self.left is not None and self.reads >= self.left:
            return None
        self.reads += 1
        return self._frame(self.reads)

    def still(self, timeout: float = 1.0) -> Frame | None:
        if self.still_fault is not None and self.stills >= self.good_stills:
            raise self.still_fault
        if self.left is not None:
            return None
        self.stills += 1
        return self._frame(1000 + self.stills)

    def lock_exposure(self, locked: bool) -> None:
        self.locked.append(locked)

    def close(self) -> None:
        pass

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _frame(self, number: int) -> Frame:
        pixels = np.full((*self.shape, 3), 180, np.uint8)
        cv2.circle(pixels, (self.shape[1] // 2, self.shape[0] // 2), 40, (90, 60, 50), -1)
        return frame_now(pixels, number, self.name)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def work() -> Latest[Work]:
    return Latest()


@pytest.fixture
def camera(source: Source, work: Latest[Work]) -> Iterator[Camera]:
    camera = Camera(source, work, Heartbeat(Notifier({})))
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


def burst(work: Latest[Work]) -> Burst:
    until(lambda: isinstance(work.peek(), Burst))
    got = work.peek()
    assert isinstance(got, Burst)
    return got


def test_frames_of_the_live_view_are_shown_and_given_to_the_analysis(
    camera: Camera, work: Latest[Work]
) -> None:
    until(lambda: isinstance(work.peek(), Seen))
    first = camera.frames.peek()
    until(lambda: camera.frames.peek() is not first)


def test_a_press_gives_one_burst_of_stills_under_one_exposure_and_holds_the_view(
    camera: Camera, source: Source, work: Latest[Work]
) -> None:
    until(camera.frames.peek)
    camera.take(7)
    taken = burst(work)
    held = camera.frames.peek()
    reads = source.reads
    until(lambda: source.reads > reads + 5)
    assert (taken.press, len(taken.frames)) == (7, BURST)
    assert [f.sequence for f in taken.frames] == list(range(1001, 1001 + BURST))
    assert source.locked == [True, False]
    assert work.peek() is taken
    assert camera.frames.peek() is held
    assert source.stills == BURST


def test_releasing_goes_on_with_the_live_view(camera: Camera, work: Latest[Work]) -> None:
    until(camera.frames.peek)
    camera.take(1)
    burst(work)
    camera.release()
    until(lambda: isinstance(work.peek(), Seen))


def test_two_presses_give_two_bursts(camera: Camera, source: Source, work: Latest[Work]) -> None:
    for press in (1, 2):
        camera.take(press)
        until(lambda press=press: burst(work).press == press)
    assert source.stills == 2 * BURST


def test_fault_is_told_while_it_lasts(camera: Camera, source: Source) -> None:
    source.fault = SourceError(UNPLUGGED)
    until(lambda: camera.trouble)
    assert camera.trouble is not None
    assert camera.trouble.words == UNPLUGGED
    source.fault = None
    until(lambda: camera.trouble is None)


def test_picture_of_a_camera_that_fails_is_known_not_to_be_live(
    camera: Camera, source: Source
) -> None:
    with running(camera):
        until(camera.frames.peek)
        assert not camera.lost
        source.fault = SourceError(UNPLUGGED)
        until(lambda: camera.lost)
        source.fault = None
        until(lambda: not camera.lost)


def test_picture_of_a_camera_that_says_nothing_at_all_is_not_live_either(
    camera: Camera, source: Source
) -> None:
    with running(camera):
        until(camera.frames.peek)
        source.hold.clear()
        until(lambda: camera.lost)
        assert camera.trouble is None
        source.hold.set()
        until(lambda: not camera.lost)


def test_camera_is_not_lost_while_a_picture_is_held(camera: Camera, work: Latest[Work]) -> None:
    with running(camera):
        camera.take(1)
        burst(work)
        time.sleep(SILENT_SECONDS + 0.5)
        assert not camera.lost


def test_fault_that_nobody_expected_is_told_with_its_name(camera: Camera, source: Source) -> None:
    source.fault = ZeroDivisionError("by nought")
    until(lambda: camera.trouble)
    assert camera.trouble is not None
    assert (camera.trouble.words, camera.trouble.detail) == (FAILED, "ZeroDivisionError: by nought")


def test_press_while_the_camera_fails_is_answered_at_once_with_no_frame(
    camera: Camera, source: Source, work: Latest[Work]
) -> None:
    source.fault = SourceError(UNPLUGGED)
    until(lambda: camera.trouble)
    source.still_fault = source.fault
    camera.take(3)
    assert (burst(work).press, burst(work).frames) == (3, ())


def test_stills_before_a_fault_are_kept_and_exposure_is_let_go(
    camera: Camera, source: Source, work: Latest[Work]
) -> None:
    source.good_stills, source.still_fault = 2, SourceError(UNPLUGGED)
    camera.take(1)
    assert len(burst(work).frames) == 2
    assert source.locked == [True, False]


def test_last_frame_of_what_has_ended_can_be_taken(
    camera: Camera, source: Source, work: Latest[Work]
) -> None:
    until(camera.frames.peek)
    source.left = 0
    camera.take(1)
    frames = burst(work).frames
    assert frames == (camera.frames.peek(),)


@pytest.mark.parametrize(
    "field",
    [FieldOfView(1100, 600, 120), FieldOfView(280, 0, 720)],
    ids=["outside the new frame", "across its edge"],
)
def test_camera_that_comes_back_with_smaller_frames_is_judged_again(
    camera: Camera, source: Source, work: Latest[Work], field: FieldOfView
) -> None:
    source.shape = (720, 1280)
    until(lambda: isinstance(w := work.peek(), Seen) and w.frame.pixels.shape[0] == 720)
    camera.see(field)
    until(lambda: isinstance(w := work.peek(), Seen) and w.motion is not None)
    source.shape = (240, 320)
    until(lambda: isinstance(w := work.peek(), Seen) and w.frame.pixels.shape[0] == 240)
    assert camera.trouble is None
