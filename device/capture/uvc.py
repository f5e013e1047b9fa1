"""USB dermatoscopes and other V4L2 cameras, through OpenCV."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from device.capture.driver_thread import DriverThread
from device.capture.source import FrameSource
from device.capture.v4l2 import UsbCamera, usb_cameras
from device.errors import ImageError, SourceError
from device.frame import Frame, SourceKind
from device.imaging.camera_jpeg import decode_frame
from device.language import translatable
from device.platform.clock import Clock
from device.text import printable_path

SIZE: Final = (1280, 720)
NAME: Final = translatable("USB camera")

# V4L2_EXPOSURE_APERTURE_PRIORITY and V4L2_EXPOSURE_AUTO of linux/v4l2-controls.h, as
# CAP_PROP_AUTO_EXPOSURE passes them on: cameras have the one or the other.
_AUTOMATIC_EXPOSURE: Final = (3.0, 0.0)
_MOTION_JPEG: Final = cv2.VideoWriter.fourcc(*"MJPG")
_MOST_MISSED: Final = 100
_NUMBERED: Final = re.compile(r"video\d+")


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

    Exposure and white balance are set to automatic, and are not locked for a burst: told to hold
    them, such a camera takes the values that were stored in it before, and keeps those when the
    program is killed.

    Parameters
    ----------
    device
        Path of the video device.
    clock
        That stamps the frames and waits.
    size
        Width and height to ask for; what the camera gives instead is taken.
    name
        What to call the camera on the screen.
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
        name: str = NAME,
        open_video: Callable[[str, int], Video] = cv2.VideoCapture,
    ) -> None:
        super().__init__(name, SourceKind.CAMERA, clock)
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
        self._video.set(cv2.CAP_PROP_FOURCC, _MOTION_JPEG)
        self._video.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        self._video.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        self._video.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._set_automatic()
        # Decoded here, because OpenCV shows what is left of a torn frame.
        self._compressed = self._video.get(cv2.CAP_PROP_FOURCC) == _MOTION_JPEG and self._video.set(
            cv2.CAP_PROP_CONVERT_RGB, 0
        )
        self._damaged = False
        self._missed = 0
        self._driver = DriverThread("uvc", self._grab, self._video.release, clock)

    def read(self, timeout: float = 1.0) -> Frame:
        """Return the newest frame that was not read yet."""
        taken = self._driver.take(timeout)
        if taken is None and self._damaged:
            raise SourceError(
                "the pictures of the camera arrive damaged",
                action=translatable(
                    "plug it into another port, without a hub, or use another cable"
                ),
                where=self._where,
            )
        if taken is None:
            raise SourceError(
                "the camera gives no picture",
                action=translatable("plug it in again"),
                where=self._where,
            )
        return self._frame(*taken)

    @property
    def ended(self) -> bool:
        """Whether the camera is given back: OpenCV may hold it for ten seconds after `close`."""
        return self._driver.ended

    def _release(self) -> None:
        self._driver.close()

    def _grab(self) -> NDArray[np.uint8] | None:
        good, picture = self._video.read()
        if good:
            self._missed = 0
            return self._decoded(np.asarray(picture))
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

    def _decoded(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Return a frame as RGB, or None where it arrived damaged."""
        if self._compressed:
            try:
                pixels = decode_frame(picture.tobytes())
            except ImageError:
                self._damaged = True
                return None
            self._damaged = False
            return pixels
        if picture.ndim != 3 or picture.shape[2] != 3:
            return picture
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)

    def _set_automatic(self) -> None:
        # OpenCV answers -1 for a control that the camera lacks.
        exposure = self._video.get(cv2.CAP_PROP_AUTO_EXPOSURE)
        if exposure >= 0 and exposure not in _AUTOMATIC_EXPOSURE:
            any(self._video.set(cv2.CAP_PROP_AUTO_EXPOSURE, mode) for mode in _AUTOMATIC_EXPOSURE)
        if self._video.get(cv2.CAP_PROP_AUTO_WB) == 0:
            self._video.set(cv2.CAP_PROP_AUTO_WB, 1)


class UsbCameraOpener:
    """Opens one USB camera, again and again, wherever it comes back.

    A camera that is plugged in again may get another number. It is known by what it calls itself
    and by its port; a link that udev keeps (``/dev/v4l/by-id/...``) is followed as it is.

    Parameters
    ----------
    device
        Path of the video device; None for the first camera.
    clock, size
        As in `UvcSource`.
    cameras
        Returns the cameras that are plugged in.
    open_video
        As in `UvcSource`.
    """

    def __init__(
        self,
        device: Path | None,
        clock: Clock,
        size: tuple[int, int] = SIZE,
        cameras: Callable[[], list[UsbCamera]] = usb_cameras,
        open_video: Callable[[str, int], Video] = cv2.VideoCapture,
    ) -> None:
        self._device = device
        self._clock = clock
        self._size = size
        self._cameras = cameras
        self._open_video = open_video
        self._known: UsbCamera | None = None
        self._others: frozenset[tuple[str, str]] = frozenset()
        self._last: UvcSource | None = None

    def __call__(self) -> UvcSource:
        """Return the open camera.

        Raises
        ------
        device.errors.SourceError
            As `UvcSource`; and while the camera was not given back since it was open last.
        """
        if self._last is not None and not self._last.ended:
            # Opened now, it would be busy, and nobody could close the program that uses it.
            raise SourceError(
                "the camera gives no picture", action=translatable("plug it in again")
            )
        plugged_in = self._cameras()
        device, camera = self._find(plugged_in)
        name = NAME
        if camera is not None and len(plugged_in) > 1:
            name = f"{camera.card}, {camera.device.name}"
        self._last = UvcSource(device, self._clock, self._size, name, self._open_video)
        if camera is not None:
            self._known = camera
            self._others = frozenset((c.card, c.bus) for c in plugged_in if c is not camera)
        return self._last

    def _find(self, plugged_in: list[UsbCamera]) -> tuple[Path, UsbCamera | None]:
        """Return the device to open, and which camera that is, where it is one of USB."""
        wanted = self._device
        if wanted is not None and not _NUMBERED.fullmatch(wanted.name):
            target = wanted.resolve()
            return wanted, next((c for c in plugged_in if c.device == target), None)
        known = self._again(plugged_in)
        if known is not None:
            return known.device, known
        if wanted is not None:
            return wanted, next((c for c in plugged_in if c.device == wanted), None)
        # While the camera is away, one that was beside it all the time is not it.
        new = [c for c in plugged_in if (c.card, c.bus) not in self._others]
        if not new:
            raise SourceError(
                "no USB camera is plugged in",
                action=translatable("plug it in, or try another cable"),
            )
        return new[0].device, new[0]

    def _again(self, plugged_in: list[UsbCamera]) -> UsbCamera | None:
        """Return the camera that was open last: in its port, or in one that was free before."""
        known = self._known
        if known is None:
            return None
        alike = [c for c in plugged_in if c.card == known.card]
        here = [c for c in alike if c.bus == known.bus]
        moved = [c for c in alike if (c.card, c.bus) not in self._others]
        return next(iter(here or moved), None)
