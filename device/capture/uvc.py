"""USB dermatoscopes and other V4L2 cameras, through OpenCV."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from device.capture.driver_thread import DriverThread
from device.capture.source import FrameSource
from device.errors import SourceError
from device.frame import Frame, SourceKind
from device.language import translatable
from device.platform.clock import Clock
from device.text import printable_path

SIZE: Final = (1280, 720)
NAME: Final = translatable("USB camera")

# V4L2_EXPOSURE_MANUAL of linux/v4l2-controls.h, as CAP_PROP_AUTO_EXPOSURE passes it on.
_MANUAL_EXPOSURE: Final = 1.0
_MOST_MISSED: Final = 100


class Video(Protocol):
    """As much of ``cv2.VideoCapture`` as is used."""

    def isOpened(self) -> bool: ...  # noqa: D102, N802
    def read(self) -> tuple[bool, Any]: ...  # noqa: D102
    def get(self, prop: int, /) -> float: ...  # noqa: D102
    def set(self, prop: int, value: float, /) -> bool: ...  # noqa: D102
    def release(self) -> None: ...  # noqa: D102


class UvcSource(FrameSource):
    """A camera at ``/dev/videoN``.

    A thread of its own takes frames off the driver, because OpenCV's own read may wait for ten
    seconds on a camera that has stalled or was unplugged.

    Parameters
    ----------
    device
        Path of the video device.
    clock
        That stamps the frames and waits.
    size
        Width and height to ask for; what the camera gives instead is taken.
    open_video
        ``cv2.VideoCapture``, or its stand-in.

    Raises
    ------
    device.errors.SourceError
        If the device is absent, busy or may not be opened.
    """

    def __init__(
        self,
        device: Path,
        clock: Clock,
        size: tuple[int, int] = SIZE,
        open_video: Callable[[str, int], Video] = cv2.VideoCapture,
    ) -> None:
        super().__init__(NAME, SourceKind.CAMERA, clock)
        self._device = device
        self._where = printable_path(device)
        if not device.exists():
            raise SourceError(
                "no camera is plugged in there",
                action=translatable("check the cable"),
                where=self._where,
            )
        if not os.access(device, os.R_OK | os.W_OK):
            raise SourceError(
                "this user may not use the camera",
                action=translatable("add the user to the group video"),
                where=self._where,
            )
        self._video = open_video(str(device), cv2.CAP_V4L2)
        if not self._video.isOpened():
            self._video.release()
            raise SourceError(
                "the camera is busy or is no camera",
                action=translatable("close other programs that use it, or plug it in again"),
                where=self._where,
            )
        # Motion JPEG is what lets USB 2 carry 30 frames a second above 640 x 480.
        self._video.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._video.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        self._video.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        self._video.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._wanted_lock = False
        self._locked = False
        self._automatic: dict[int, float] = {}
        self._missed = 0
        self._driver = DriverThread("uvc", self._grab, self._video.release, clock)

    def read(self, timeout: float = 1.0) -> Frame:
        """Return the newest frame that was not read yet."""
        taken = self._driver.take(timeout)
        if taken is None:
            raise SourceError(
                "the camera gives no picture",
                action=translatable("plug it in again"),
                where=self._where,
            )
        return self._frame(*taken)

    def lock_exposure(self, locked: bool) -> None:
        """Hold exposure and white balance, or release them, with the next picture."""
        self._wanted_lock = locked

    def _release(self) -> None:
        self._driver.close()

    def _grab(self) -> NDArray[np.uint8] | None:
        # Set where frames are read: OpenCV's capture is not made for two threads.
        if self._wanted_lock != self._locked:
            self._locked = self._wanted_lock
            self._set_lock(self._locked)
        good, picture = self._video.read()
        if good:
            self._missed = 0
            if not isinstance(picture, np.ndarray) or picture.ndim != 3 or picture.shape[2] != 3:
                return np.asarray(picture)
            return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        if not self._device.exists():
            raise SourceError(
                "the camera was unplugged",
                action=translatable("plug it in again"),
                where=self._where,
            )
        self._missed += 1
        if self._missed > _MOST_MISSED:
            raise SourceError(
                "the camera has stopped", action=translatable("plug it in again"), where=self._where
            )
        return None

    def _set_lock(self, locked: bool) -> None:
        if not locked:
            for prop, value in self._automatic.items():
                self._video.set(prop, value)
            self._automatic = {}
            return
        for prop, held in (
            (cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE),
            (cv2.CAP_PROP_AUTO_WB, 0.0),
        ):
            before = self._video.get(prop)
            # OpenCV answers -1 for a control that the camera lacks.
            if before >= 0 and self._video.set(prop, held):
                self._automatic[prop] = before
