"""The camera's thread: frames for the live view, a burst for the shutter."""

import logging
import threading
from typing import Final, Never

import numpy as np
from numpy.typing import NDArray

from device.capture.source import FrameSource
from device.errors import SourceError, UnexpectedSourceError
from device.faults import Fault
from device.frame import Frame
from device.imaging.field_of_view import FieldOfView
from device.imaging.motion import estimate_motion, motion_thumbnail
from device.language import translatable
from device.latest import Latest
from device.platform.clock import Clock
from device.platform.logs import log_expected
from device.runtime.health import Health, Part, report_unexpected
from device.runtime.inbox import Inbox
from device.runtime.messages import Burst, ExplainCapture, LiveFrame, Shot, TakeBurst

BURST: Final = 5
"""Frames of a press of the shutter: a sixth of a second, in which a hand is still once."""

FAILED: Final = translatable("The camera's program failed.")
SILENT_SECONDS: Final = 2.0
"""A camera that gave no frame for so long is lost, whether it says so or not."""

_RETRY_SECONDS: Final = 1.0
_MOVED_SHARE: Final = 0.05

_log = logging.getLogger(__name__)


class Camera:
    """Reads a source.

    Parameters
    ----------
    source
        Read by this thread alone; closed by whoever opened it, after the thread has ended.
    analysis
        Where frames and bursts go.
    health
        Notified of every step.
    clock
        Time source for waits.

    Attributes
    ----------
    inbox
        Commands for the thread.
    frames
        The newest frame of the live view.
    """

    def __init__(
        self,
        source: FrameSource,
        analysis: Inbox[Burst | ExplainCapture, LiveFrame],
        health: Health,
        clock: Clock,
    ) -> None:
        self._source = source
        self._analysis = analysis
        self._health = health
        self._clock = clock
        self.inbox: Inbox[TakeBurst, Never] = Inbox(clock)
        self.frames: Latest[Frame] = Latest(clock)
        self._fault: Fault | None = None
        self._field: FieldOfView | None = None
        self._motion = _MotionSinceLastFrame()
        self._shot: Shot | None = None
        self._last_frame = clock.monotonic()

    @property
    def fault(self) -> Fault | None:
        """Why there are no frames, or None while there are."""
        return self._fault

    @property
    def lost(self) -> bool:
        """Whether the newest frame is no longer what is before the lens."""
        silent = self._clock.monotonic() - self._last_frame
        return self._fault is not None or silent > SILENT_SECONDS

    def use_field(self, field: FieldOfView) -> None:
        """Compare frames within the field of view that the newest finding has found.

        Called by the analysis; the camera only reads it.
        """
        self._field = field

    def run(self, stop: threading.Event) -> None:
        """Read until told to stop; a press of the shutter that came before is still taken."""
        while not stop.is_set() or self.inbox.commands_waiting():
            command = self.inbox.take(0.0)
            try:
                if command is not None:
                    self._take_burst(command.shot)
                else:
                    self._read()
            except Exception as error:
                self._fault = self._failed(error)
                self._pause()

    def _read(self) -> None:
        frame = self._source.read()
        self._arrived()
        self._health.worked(Part.CAMERA)
        held = self._shot is not None and not self._shot.released
        if held or frame.new_picture:
            self._motion.forget()
        if held:
            return
        self.frames.put(frame)
        moved = self._motion.since_the_last(frame.pixels, self._field)
        self._analysis.offer(LiveFrame(frame, moved))

    def _take_burst(self, shot: Shot) -> None:
        """Send as many frames as the camera gives; whatever goes wrong, the press is answered."""
        self._shot = shot
        if self._fault is not None:
            # At once: an attempt at a camera that does not answer takes a second.
            self._analysis.send(Burst(shot, (), self._fault))
            return
        frames: list[Frame] = []
        fault = None
        try:
            self._source.lock_exposure(True)
            try:
                while len(frames) < BURST:
                    frame = self._source.still()
                    self._arrived()
                    if frames and frame.new_picture:
                        break
                    frames.append(frame)
            finally:
                self._source.lock_exposure(False)
            self._health.worked(Part.CAMERA)
        except Exception as error:
            self._fault = fault = self._failed(error)
        self._analysis.send(Burst(shot, tuple(frames), fault))

    def _arrived(self) -> None:
        self._last_frame = self._clock.monotonic()
        self._fault = None

    def _failed(self, error: Exception) -> Fault:
        """Count an error against the camera, or against the clinic's cable."""
        if isinstance(error, UnexpectedSourceError):
            # Logged where it was caught.
            self._health.failed(Part.CAMERA, error.fault)
            return error.fault
        if isinstance(error, SourceError):
            log_expected(_log, error)
            self._health.waiting(Part.CAMERA, error.fault)
            return error.fault
        return report_unexpected(_log, self._health, Part.CAMERA, FAILED, error)

    def _pause(self) -> None:
        """Wait a while before the next attempt, unless the shutter is pressed."""
        self.inbox.wait(_RETRY_SECONDS)


class _MotionSinceLastFrame:
    """Compares each frame with the one before."""

    def __init__(self) -> None:
        self._field: FieldOfView | None = None
        self._shape: tuple[int, ...] = ()
        self._previous: NDArray[np.float32] | None = None

    def forget(self) -> None:
        """Compare the next frame with none: what was before it is something else."""
        self._previous = None

    def since_the_last(self, pixels: NDArray[np.uint8], field: FieldOfView | None) -> float | None:
        if field is not None and not field.lies_in(pixels.shape):
            # Another camera, or another size: the next finding will say where its field lies.
            field = None
        if pixels.shape != self._shape or not _same(field, self._field):
            self._field, self._shape, self._previous = field, pixels.shape, None
        small = motion_thumbnail(pixels, self._field)
        previous, self._previous = self._previous, small
        return None if previous is None else estimate_motion(previous, small)


def _same(one: FieldOfView | None, other: FieldOfView | None) -> bool:
    """Tell whether two fields are one for the purpose: findings disagree by a pixel or two."""
    if one is None or other is None:
        return one is other
    room = _MOVED_SHARE * other.side
    ends = ((one.left, other.left), (one.top, other.top), (one.side, other.side))
    return all(abs(a - b) <= room for a, b in ends)
