"""The Raspberry Pi's own cameras, through picamera2."""

import contextlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from device.capture.source import FrameSource
from device.capture.yuv import yuv_to_rgb
from device.errors import SourceError
from device.frame import Frame, SourceKind
from device.language import translatable
from device.platform.clock import Clock

STILL_SIZE: Final = (1920, 1080)
PREVIEW_SIZE: Final = (960, 540)

NAME: Final = translatable("camera")

_FRAME_MICROSECONDS: Final = 33333
_CONTINUOUS_FOCUS: Final = 2
_SHORTEST_WAIT: Final = 0.001


class PicameraSource(FrameSource):
    """A camera on the ribbon cable: a small stream for the preview, the large one for the still.

    Parameters
    ----------
    camera_class
        ``picamera2.Picamera2``, or its stand-in (`device.capture.fake_picamera2.FakeCameraPort`).
    clock
        That stamps the frames.
    kind
        What the frames come from: the fake's are drawings.
    still_size, preview_size
        Width and height to ask for; what `configure` makes of them is read back.

    Raises
    ------
    device.errors.SourceError
        If no camera is connected, it is in use, or it cannot be set up.
    """

    def __init__(
        self,
        camera_class: Any,
        clock: Clock,
        kind: SourceKind = SourceKind.CAMERA,
        still_size: tuple[int, int] = STILL_SIZE,
        preview_size: tuple[int, int] = PREVIEW_SIZE,
    ) -> None:
        super().__init__(NAME, kind, clock)
        if not camera_class.global_camera_info():
            raise SourceError(
                "no camera is connected",
                action=translatable("switch off and check the ribbon cable"),
            )
        try:
            self._camera = camera_class()
        except (RuntimeError, IndexError) as error:
            raise SourceError(
                "the camera is in use by another program, or does not answer",
                action=translatable("switch the instrument off and on"),
            ) from error
        try:
            self._configure(still_size, preview_size)
            self._camera.start()
        except Exception as error:
            self.close()
            raise SourceError(
                "the camera cannot be set up",
                action=translatable("use a camera module that picamera2 knows"),
            ) from error

    def read(self, timeout: float = 1.0) -> Frame:
        """Return the next frame of the preview stream."""
        return self._take("lores" if self._given.get("lores") else "main", timeout)

    def still(self, timeout: float = 1.0) -> Frame:
        """Return the next frame of the large stream."""
        return self._take("main", timeout)

    def lock_exposure(self, locked: bool) -> None:
        """Hold, or release, exposure and white balance, where the camera can."""
        self._set({"AeEnable": not locked, "AwbEnable": not locked})

    def _release(self) -> None:
        # A request that timed out would hold up the order to stop for ever.
        with contextlib.suppress(Exception):
            self._camera.cancel_all_and_flush()
        with contextlib.suppress(RuntimeError):
            self._camera.stop()
        self._camera.close()

    def _configure(self, still_size: tuple[int, int], preview_size: tuple[int, int]) -> None:
        camera = self._camera
        # libcamera names formats by their place in a word: "BGR888" lies in memory as R, G, B.
        wanted = camera.create_video_configuration(
            main={"size": still_size, "format": "BGR888"},
            lores={"size": preview_size, "format": "YUV420"},
            buffer_count=4,
        )
        camera.configure(wanted)
        self._given = camera.camera_configuration()
        self._set(
            {
                "FrameDurationLimits": (_FRAME_MICROSECONDS, _FRAME_MICROSECONDS),
                "AfMode": _CONTINUOUS_FOCUS,
            }
        )

    def _set(self, controls: dict[str, Any]) -> None:
        """Set the controls that this camera advertises; setting another is an error."""
        known = {k: v for k, v in controls.items() if k in self._camera.camera_controls}
        if known:
            self._camera.set_controls(known)

    def _take(self, stream: str, timeout: float) -> Frame:
        self._check_open()
        try:
            # With a wait of 0, picamera2 returns no request but a promise of one.
            request = self._camera.capture_request(wait=max(timeout, _SHORTEST_WAIT))
        except TimeoutError:
            with contextlib.suppress(Exception):
                self._camera.cancel_all_and_flush()
            raise SourceError(
                "the camera has stopped giving pictures", action=translatable("check its cable")
            ) from None
        except Exception as error:
            raise _gone() from error
        try:
            array = request.make_array(stream)
        except Exception as error:
            raise _gone() from error
        finally:
            request.release()
        given = self._given[stream]
        colour_space = str(self._given.get("colour_space"))
        pixels = to_rgb(array, tuple(given["size"]), str(given["format"]), colour_space)
        return self._frame(pixels)


def _gone() -> SourceError:
    return SourceError(
        "the camera does not answer",
        action=translatable("switch the instrument off and check the ribbon cable"),
    )


def to_rgb(
    array: NDArray[np.uint8], size: tuple[int, int], stream_format: str, colour_space: str
) -> NDArray[np.uint8]:
    """Return a stream's array as RGB.

    Parameters
    ----------
    array
        As ``make_array`` gives it; planar formats are one plane, 3/2 times as high.
    size
        Width and height of the picture.
    stream_format
        libcamera's name, which counts from the high end of a word: ``RGB888`` lies as B, G, R.
    colour_space
        libcamera's name; only formats of luma and chroma depend on it.

    Raises
    ------
    device.errors.SourceError
        If the format is none that is known here.
    """
    width, height = size
    if stream_format in ("BGR888", "XBGR8888"):
        return np.ascontiguousarray(array[:height, :width, :3])
    if stream_format in ("RGB888", "XRGB8888"):
        return np.ascontiguousarray(array[:height, :width, 2::-1])
    if stream_format == "MJPEG":
        return np.ascontiguousarray(array)
    if stream_format in ("YUV420", "YVU420", "NV12", "NV21"):
        return yuv_to_rgb(array, size, stream_format, colour_space)
    raise SourceError(
        "the camera gives {format} pictures, which are not understood",
        action=translatable("use another camera"),
        format=stream_format,
    )
