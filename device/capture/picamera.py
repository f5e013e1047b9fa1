"""The Raspberry Pi's own cameras, through picamera2."""

import contextlib
import time
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.capture.frame import Frame, frame_now
from device.errors import SourceError

STILL_SIZE: Final = (1920, 1080)
PREVIEW_SIZE: Final = (960, 540)
FRAMES_PER_SECOND: Final = 30.0

_WARM_UP_SECONDS: Final = 5.0
_CONTINUOUS_FOCUS: Final = 2


class PicameraSource:
    """A camera on the ribbon cable: a small stream for the preview, the large one for the still.

    Parameters
    ----------
    camera_class
        ``picamera2.Picamera2``, or its stand-in (`device.capture.standin`).
    still_size, preview_size
        Width and height to ask for; what `configure` makes of them is read back.

    Raises
    ------
    device.errors.SourceError
        If no camera is connected, or it is in use.
    """

    def __init__(
        self,
        camera_class: Any,
        still_size: tuple[int, int] = STILL_SIZE,
        preview_size: tuple[int, int] = PREVIEW_SIZE,
    ) -> None:
        if not camera_class.global_camera_info():
            raise SourceError("no camera is connected; switch off and check the ribbon cable")
        try:
            self._camera = camera_class()
        except (RuntimeError, IndexError) as error:
            raise SourceError(f"the camera is in use or not answering ({error})") from None
        self._sequence = 0
        self._closed = False
        try:
            self._configure(still_size, preview_size)
            self._camera.start()
        except (RuntimeError, ValueError) as error:
            self.close()
            raise SourceError(f"the camera cannot be set up ({error})") from None
        self._until_warm = time.monotonic() + _WARM_UP_SECONDS

    @property
    def name(self) -> str:
        """What to call this source on the screen."""
        return "camera"

    @property
    def still_size(self) -> tuple[int, int]:
        """Width and height that the camera really gives for the still."""
        return self._main[0]

    def read(self, timeout: float = 1.0) -> Frame | None:
        """Return the next frame of the preview stream."""
        return self._take("lores", self._lores, timeout)

    def still(self, timeout: float = 1.0) -> Frame | None:
        """Return the next frame of the large stream."""
        return self._take("main", self._main, timeout)

    def lock_exposure(self, locked: bool) -> None:
        """Hold, or let go, exposure and white balance, where the camera can."""
        self._set({"AeEnable": not locked, "AwbEnable": not locked})

    def close(self) -> None:
        """Give the camera back. May be called more than once."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(RuntimeError):
            self._camera.stop()
        self._camera.close()

    def __enter__(self) -> "PicameraSource":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _configure(self, still_size: tuple[int, int], preview_size: tuple[int, int]) -> None:
        camera = self._camera
        # libcamera names formats by their place in a word: "BGR888" lies in memory as R, G, B.
        wanted = camera.create_video_configuration(
            main={"size": still_size, "format": "BGR888"},
            lores={"size": preview_size, "format": "YUV420"},
            buffer_count=4,
        )
        camera.configure(wanted)
        given = camera.camera_configuration()
        self._main = (tuple(given["main"]["size"]), str(given["main"]["format"]))
        lores = given.get("lores") or given["main"]
        self._lores = (tuple(lores["size"]), str(lores["format"]))
        self._has_lores = bool(given.get("lores"))
        self._set({"FrameRate": FRAMES_PER_SECOND, "AfMode": _CONTINUOUS_FOCUS})

    def _set(self, controls: dict[str, Any]) -> None:
        """Set the controls that this camera advertises; setting another is an error."""
        known = {k: v for k, v in controls.items() if k in self._camera.camera_controls}
        if known:
            self._camera.set_controls(known)

    def _take(
        self, stream: str, stream_format: tuple[tuple[int, int], str], timeout: float
    ) -> Frame | None:
        wait = max(timeout, self._until_warm - time.monotonic()) if not self._sequence else timeout
        name = stream if self._has_lores else "main"
        try:
            request = self._camera.capture_request(wait=wait)
        except TimeoutError:
            with contextlib.suppress(RuntimeError):
                self._camera.cancel_all_and_flush()
            raise SourceError("the camera has stopped giving pictures; check the cable") from None
        except RuntimeError as error:
            raise SourceError(f"the camera is gone ({error}); check the cable") from None
        try:
            pixels = to_rgb(request.make_array(name), *stream_format)
        finally:
            request.release()
        self._sequence += 1
        return frame_now(pixels, self._sequence - 1, self.name)


def to_rgb(
    array: NDArray[np.uint8], size: tuple[int, int], stream_format: str
) -> NDArray[np.uint8]:
    """Return a stream's array as RGB.

    Parameters
    ----------
    array
        As ``make_array`` gives it; planar formats are one plane, 3/2 times as high.
    size
        Width and height of the picture.
    stream_format
        libcamera's name, which counts from the low end of a word: ``RGB888`` lies as B, G, R.

    Raises
    ------
    device.errors.SourceError
        If the format is none that is known here.
    """
    width, height = size
    codes = {"YUV420": cv2.COLOR_YUV2RGB_I420, "NV12": cv2.COLOR_YUV2RGB_NV12}
    if stream_format == "BGR888":
        return np.ascontiguousarray(array[:height, :width, :3])
    if stream_format == "RGB888":
        return np.ascontiguousarray(array[:height, :width, 2::-1])
    if stream_format in ("XBGR8888", "XRGB8888"):
        step = 1 if stream_format == "XBGR8888" else -1
        return np.ascontiguousarray(array[:height, :width, :3][:, :, ::step])
    if stream_format in codes:
        picture = cv2.cvtColor(array, codes[stream_format]).astype(np.uint8, copy=False)
        return np.ascontiguousarray(picture[:height, :width])
    raise SourceError(f"the camera gives {stream_format} pictures, which are not understood")
