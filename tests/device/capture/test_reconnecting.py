import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from device.capture.fake_picamera2 import FakeCameraPort, PortState
from device.capture.picamera import PicameraSource
from device.capture.reconnecting import HANGS_SECONDS, ReconnectingSource
from device.capture.source import FrameSource
from device.errors import SourceError, UnexpectedSourceError
from device.frame import Frame, SourceKind
from device.platform.clock import Clock
from device.runtime.camera import Camera as ReadingCamera
from device.runtime.health import Health, Part
from device.runtime.inbox import Inbox
from tests.device.capture.drivers import CLOCK, eventually, plain
from tests.device.clocks import ManualClock
from tests.device.scripted import GIVE_UP_SECONDS, until


@dataclass
class Camera:
    """A driver that does what it is told."""

    failure: Exception | None = None
    opened: int = 0
    open_now: int = 0
    most_open: int = 0
    locks: list[bool] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.hold.set()

    def open(self) -> "Opened":
        self.hold.wait(20)
        if self.failure:
            raise self.failure
        self.opened += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        return Opened(self)


class Opened(FrameSource):
    def __init__(self, camera: Camera) -> None:
        super().__init__("test", SourceKind.CAMERA, CLOCK)
        self.camera = camera

    def read(self, timeout: float = 1.0) -> Frame:
        if self.camera.failure:
            raise self.camera.failure
        return self._frame(plain())

    def lock_exposure(self, locked: bool) -> None:
        if self.camera.failure:
            raise self.camera.failure
        self.camera.locks.append(locked)

    def _release(self) -> None:
        self.camera.open_now -= 1


def quickly_reconnecting(open_inner: Callable[[], FrameSource]) -> ReconnectingSource:
    return ReconnectingSource("camera", open_inner, CLOCK, pauses=(0.02, 0.1))


@pytest.fixture
def camera() -> Camera:
    return Camera()


@pytest.fixture
def source(camera: Camera) -> Iterator[ReconnectingSource]:
    with quickly_reconnecting(camera.open) as source:
        yield source


def test_nothing_is_opened_before_the_first_read(
    camera: Camera, source: ReconnectingSource
) -> None:
    assert camera.opened == 0
    eventually(source)
    assert camera.opened == 1


def test_no_frame_is_lost_to_finding_out_that_the_source_works(source: ReconnectingSource) -> None:
    assert [eventually(source).sequence for _ in range(3)] == [0, 1, 2]


def test_every_read_tells_what_is_wrong_until_it_works_again(
    camera: Camera, source: ReconnectingSource
) -> None:
    eventually(source)
    camera.failure = SourceError("the cable is out; plug it in")
    for _ in range(5):
        with pytest.raises(SourceError, match="the cable is out; plug it in"):
            source.read(0.3)
    camera.failure = None
    assert eventually(source).pixels.shape == plain().shape


def test_what_is_wrong_with_opening_is_told(camera: Camera, source: ReconnectingSource) -> None:
    camera.failure = SourceError("no camera is plugged in")
    with pytest.raises(SourceError, match="no camera is plugged in"):
        source.read(10.0)


def test_broken_source_is_closed_before_another_is_opened(
    camera: Camera, source: ReconnectingSource
) -> None:
    for _ in range(3):
        eventually(source)
        camera.failure = SourceError("gone")
        with pytest.raises(SourceError):
            source.read(0.1)
        until(lambda: camera.open_now == 0)
        camera.failure = None
    eventually(source)
    assert camera.opened == 4
    assert camera.most_open == 1


def test_sequence_goes_on_over_a_break(camera: Camera, source: ReconnectingSource) -> None:
    numbers = [eventually(source).sequence for _ in range(3)]
    camera.failure = SourceError("gone")
    with pytest.raises(SourceError):
        source.read(0.1)
    camera.failure = None
    numbers += [eventually(source).sequence for _ in range(3)]
    numbers.append(source.still(1.0).sequence)
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    "failure", [RuntimeError("0x1"), ValueError(), MemoryError(), OSError(5, "I/O"), KeyError("x")]
)
def test_any_failure_of_a_driver_becomes_a_message(
    camera: Camera, source: ReconnectingSource, failure: Exception
) -> None:
    eventually(source)
    camera.failure = failure
    for _ in range(3):
        with pytest.raises(SourceError, match=r"the camera has failed; unplug"):
            source.read(0.2)
    camera.failure = None
    eventually(source)


def test_read_does_not_wait_for_a_driver_that_hangs(
    camera: Camera, source: ReconnectingSource
) -> None:
    camera.hold.clear()
    with pytest.raises(SourceError, match="being started"):
        source.read(0.05)
    camera.hold.set()
    eventually(source)


def test_source_that_opens_after_close_is_closed_too(camera: Camera) -> None:
    camera.hold.clear()
    source = quickly_reconnecting(camera.open)
    with pytest.raises(SourceError):
        source.read(0.05)
    closing = threading.Thread(target=source.close)
    closing.start()
    camera.hold.set()
    closing.join(20)
    until(lambda: camera.opened == 1 and camera.open_now == 0)


def test_close_gives_the_source_back(camera: Camera, source: ReconnectingSource) -> None:
    eventually(source)
    source.close()
    assert camera.open_now == 0


class ImpatientClock(Clock):
    """Notes how long a reconnection is put off, and waits for none of it."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait_for(
        self, condition: threading.Condition, predicate: Callable[[], object], seconds: float
    ) -> bool:
        if threading.current_thread().name == "reconnect":
            self.pauses.append(seconds)
            seconds = 0.0
        return super().wait_for(condition, predicate, seconds)


def test_pauses_double_up_to_the_longest(camera: Camera) -> None:
    clock = ImpatientClock()
    camera.failure = SourceError("gone")
    with ReconnectingSource("camera", camera.open, clock) as source:
        with pytest.raises(SourceError):
            source.read(10.0)
        until(lambda: len(clock.pauses) >= 7)
    assert clock.pauses[:7] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_lock_is_told_to_a_source_that_is_opened_later(
    camera: Camera, source: ReconnectingSource
) -> None:
    source.lock_exposure(True)
    eventually(source)
    camera.failure = SourceError("gone")
    with pytest.raises(SourceError):
        source.read(0.1)
    camera.failure = None
    eventually(source)
    assert camera.locks == [True, True]


def test_failing_lock_is_a_broken_source_and_no_crash(
    camera: Camera, source: ReconnectingSource
) -> None:
    eventually(source)
    camera.failure = RuntimeError("control")
    source.lock_exposure(True)
    with pytest.raises(SourceError, match="has failed"):
        source.read(0.05)


@pytest.mark.parametrize("state", [PortState.STALLED, PortState.ABSENT])
def test_camera_that_stalls_or_vanishes_comes_back(state: PortState) -> None:
    port = FakeCameraPort(CLOCK, picture=lambda seconds: plain())
    with quickly_reconnecting(lambda: PicameraSource(port, CLOCK)) as source:
        before = eventually(source)
        port.state = state
        with pytest.raises(SourceError):
            source.read(0.2)
        port.state = PortState.WORKING
        assert eventually(source).sequence > before.sequence


def test_camera_that_another_program_has_is_taken_once_it_is_free() -> None:
    port = FakeCameraPort(CLOCK, PortState.BUSY, picture=lambda seconds: plain())
    with quickly_reconnecting(lambda: PicameraSource(port, CLOCK)) as source:
        with pytest.raises(SourceError, match="in use by another program"):
            source.read(10.0)
        port.state = PortState.WORKING
        eventually(source)


@pytest.fixture
def hanging() -> Iterator[tuple[Camera, ReconnectingSource, ManualClock]]:
    """A source whose clock stands still but for the time that reading takes."""
    camera, clock = Camera(), ManualClock()
    with ReconnectingSource("test", camera.open, clock) as source:
        yield camera, source, clock
        camera.hold.set()


def test_driver_that_never_comes_back_from_opening_is_a_failure_of_the_program(
    hanging: tuple[Camera, ReconnectingSource, ManualClock],
) -> None:
    camera, source, clock = hanging
    camera.hold.clear()
    begin = clock.seconds
    while clock.seconds < begin + HANGS_SECONDS:
        with pytest.raises(SourceError, match="being started"):
            source.read()
    for _ in range(2):
        with pytest.raises(UnexpectedSourceError, match="the camera's driver hangs"):
            source.read()
    camera.hold.set()
    until(lambda: camera.open_now)
    source.read()


def test_driver_that_never_comes_back_from_closing_is_one_too(
    hanging: tuple[Camera, ReconnectingSource, ManualClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera, source, clock = hanging
    closing = threading.Event()

    def hang(opened: Opened) -> None:
        closing.set()
        camera.hold.wait(GIVE_UP_SECONDS)

    monkeypatch.setattr(Opened, "_release", hang)
    eventually(source)
    camera.hold.clear()
    camera.failure = SourceError("it was unplugged")
    with pytest.raises(SourceError, match="unplugged"):
        source.read()
    assert closing.wait(GIVE_UP_SECONDS)
    clock.seconds += HANGS_SECONDS + 1.0
    with pytest.raises(UnexpectedSourceError, match="the camera's driver hangs"):
        source.read()


def test_driver_that_hangs_misses_the_watchdog(
    hanging: tuple[Camera, ReconnectingSource, ManualClock],
) -> None:
    camera, source, clock = hanging
    camera.hold.clear()
    health, stop = Health(clock), threading.Event()
    reading = threading.Thread(
        target=ReadingCamera(source, Inbox(clock), health, clock).run, args=(stop,)
    )
    reading.start()
    until(lambda: Part.CAMERA in health.stalled())
    stop.set()
    reading.join()
