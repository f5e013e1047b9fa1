"""The camera's thread: frames for the live view, a burst for the shutter."""

import threading
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.errors import SourceError
from device.faults import Fault, expected, unexpected
from device.frame import Frame, FrameSource
from device.imaging.field_of_view import FieldOfView
from device.imaging.motion import estimate_motion, motion_thumbnail
from device.language import translatable
from device.latest import Latest
from device.platform.systemd import Heartbeat
from device.runtime.messages import Burst, LiveFrame, Work

BURST: Final = 5
"""Frames of a press of the shutter: a sixth of a second, in which a hand is still once."""

FAILED: Final = translatable(
    "The camera's program failed. Restart the instrument; if it fails again, report it with the "
    "line below."
)

SILENT_SECONDS: Final = 2.0
"""A camera that gave no frame for so long is lost, whether it says so or not; a replay shows a
picture anew every second."""

_RETRY_SECONDS: Final = 1.0
_MOVED_SHARE: Final = 0.05


class Camera:
    """Reads a source.

    Parameters
    ----------
    source
        Read by this thread alone.
    work
        Where frames and bursts go.
    heartbeat
        Told of every step.
    """

    def __init__(self, source: FrameSource, work: Latest[Work], heartbeat: Heartbeat) -> None:
        self._source = source
        self._work = work
        self._heartbeat = heartbeat
        self.frames: Latest[Frame] = Latest()
        self.trouble: Fault | None = None
        self._shift = _Shift()
        self._lock = threading.Lock()
        self._held = False
        self._press: int | None = None
        self._pressed = threading.Event()
        self._ended = False
        self._heard = time.monotonic()

    @property
    def lost(self) -> bool:
        """Whether the newest frame is no longer what is before the lens."""
        return self.trouble is not None or time.monotonic() - self._heard > SILENT_SECONDS

    def take(self, press: int) -> None:
        """Take a burst and hold the live view, for a press of the shutter."""
        with self._lock:
            self._held = True
            self._press = press
        self._pressed.set()

    def release(self) -> None:
        """Go on with the live view."""
        with self._lock:
            self._held = False
            self._press = None

    def see(self, field: FieldOfView) -> None:
        """Learn where the field of view lies, as the newest finding has it."""
        self._shift.field = field

    def run(self, stop: threading.Event) -> None:
        """Read until told to stop."""
        while not stop.is_set():
            try:
                self._step()
            except SourceError as error:
                self._fail(expected(error), stop)
            except Exception as error:
                self._fail(unexpected(FAILED, error), stop)
            if not self._ended:
                self._heartbeat.mark("capture")

    def _step(self) -> None:
        self._pressed.clear()
        with self._lock:
            press, self._press = self._press, None
        if press is not None:
            self._work.put(self._burst(press))
            return
        if self._ended:
            self._pressed.wait(_RETRY_SECONDS)
            return
        frame = self._source.read()
        self._heard = time.monotonic()
        self.trouble = None
        if frame is None:
            self._ended = True
            self._heartbeat.finished("capture")
            return
        with self._lock:
            if self._held:
                return
        self.frames.put(frame)
        self._work.put(LiveFrame(frame, self._shift.since_the_last(frame.pixels)))

    def _burst(self, press: int) -> Burst:
        frames: list[Frame] = []
        trouble = None
        try:
            self._source.lock_exposure(True)
            try:
                while len(frames) < BURST and not self._ended:
                    frame = self._source.still()
                    self._heard = time.monotonic()
                    if frame is None:
                        self._ended = True
                        self._heartbeat.finished("capture")
                    else:
                        frames.append(frame)
            finally:
                self._source.lock_exposure(False)
        except SourceError as error:
            self.trouble = trouble = expected(error)
        except Exception as error:
            self.trouble = trouble = unexpected(FAILED, error)
        last = self.frames.peek()
        if not frames and self._ended and last is not None:
            # The last picture of a replay can be taken like any other.
            frames.append(last)
        return Burst(press, tuple(frames), trouble)

    def _fail(self, trouble: Fault, stop: threading.Event) -> None:
        self.trouble = trouble
        self._pressed.wait(_RETRY_SECONDS)
        with self._lock:
            press, self._press = self._press, None
        if press is not None and not stop.is_set():
            self._work.put(Burst(press, (), trouble))


class _Shift:
    """Compares each frame with the one before."""

    def __init__(self) -> None:
        self.field: FieldOfView | None = None
        self._compared: FieldOfView | None = None
        self._shape: tuple[int, ...] = ()
        self._previous: NDArray[np.float32] | None = None

    def since_the_last(self, pixels: NDArray[np.uint8]) -> float | None:
        field = self.field
        if field is not None and not field.lies_in(pixels.shape):
            # Another camera, or another size: the next finding will say where its field lies.
            field = None
        if pixels.shape != self._shape or not _same(field, self._compared):
            self._compared, self._shape, self._previous = field, pixels.shape, None
        small = motion_thumbnail(pixels, self._compared)
        previous, self._previous = self._previous, small
        return None if previous is None else estimate_motion(previous, small)


def _same(one: FieldOfView | None, other: FieldOfView | None) -> bool:
    """Tell whether two fields are one for the purpose: findings disagree by a pixel or two."""
    if one is None or other is None:
        return one is other
    room = _MOVED_SHARE * other.side
    ends = ((one.left, other.left), (one.top, other.top), (one.side, other.side))
    return all(abs(a - b) <= room for a, b in ends)
