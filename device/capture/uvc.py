"""USB dermatoscopes and other V4L2 cameras, through OpenCV."""

import threading
import time
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.capture.frame import Frame, frame_now
from device.errors import SourceError

_WARM_UP_SECONDS: Final = 5.0


class UvcSource:
    """A camera at ``/dev/videoN``.

    A thread of its own takes frames off the driver, because OpenCV's own read may wait for ever
    on a camera that has stalled or was unplugged.

    Parameters
    ----------
    device
        Path of the video device.
    size
        Width and height to ask for; what the camera gives instead is taken.

    Raises
    ------
    device.errors.SourceError
        If the device is absent, busy, or gives no picture.
    """

    def __init__(self, device: Path, size: tuple[int, int] = (1280, 720)) -> None:
        if not device.exists():
            raise SourceError(f"{device}: no camera is plugged in there; check the cable")
        self._device = device
        self._video = cv2.VideoCapture(str(device), cv2.CAP_V4L2)
        if not self._video.isOpened():
            raise SourceError(f"{device}: the camera is busy or not a camera; close other programs")
        # Motion JPEG is what lets USB 2 carry 30 frames a second above 640 x 480.
        self._video.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._video.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        self._video.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        self._video.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._sequence = 0
        self._read_up_to = 0
        self._started = time.monotonic()
        self._newest: NDArray[np.uint8] | None = None
        self._lost = False
        self._closing = False
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._pump, name="uvc", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """What to call this source on the screen."""
        return "USB camera"

    def read(self, timeout: float = 1.0) -> Frame | None:
        """Return the newest frame that was not read yet."""
        patience = timeout
        if self._sequence == 0:
            patience = max(timeout, self._started + _WARM_UP_SECONDS - time.monotonic())
        with self._arrived:
            seen = self._arrived.wait_for(
                lambda: self._lost or self._sequence > self._read_up_to, patience
            )
            if self._lost:
                raise SourceError(f"{self._device}: the camera was unplugged; plug it in again")
            if not seen or self._newest is None:
                raise SourceError(f"{self._device}: the camera gives no picture; plug it in again")
            self._read_up_to = self._sequence
            return frame_now(self._newest, self._sequence - 1, self.name)

    def close(self) -> None:
        """Give the camera back. May be called more than once."""
        self._closing = True
        self._thread.join(timeout=2.0)
        if not self._thread.is_alive():
            self._video.release()

    def __enter__(self) -> "UvcSource":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _pump(self) -> None:
        while not self._closing:
            good, picture = self._video.read()
            with self._arrived:
                if good:
                    self._newest = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(
                        np.uint8, copy=False
                    )
                    self._sequence += 1
                elif not self._device.exists() or self._sequence:
                    self._lost = True
                self._arrived.notify_all()
            if not good:
                if self._lost:
                    return
                time.sleep(0.05)
