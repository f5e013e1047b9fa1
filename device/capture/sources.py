"""From the ``source`` setting to an open source of frames."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from device.capture.demo import DemoSource
from device.capture.reconnecting import ReconnectingSource
from device.capture.replay import ReplaySource
from device.capture.source import FrameSource
from device.capture.uvc import NAME as USB_CAMERA
from device.capture.uvc import SIZE, UsbCameraOpener
from device.errors import ConfigError, SourceError
from device.frame import SourceKind
from device.language import translatable
from device.paths import user_path
from device.platform.clock import Clock
from device.text import printable

SOURCE_SYNTAX: Final = (
    "demo, replay:PATH (image, folder or video), mjpeg:URL (a network camera's Motion JPEG), "
    "picamera, picamera-fake, picamera-fake:faults, usb, usb:/dev/videoN or "
    "usb:/dev/v4l/by-id/NAME"
)
"""What `open_source` takes, as it is shown to a person."""


def open_source(setting: str, clock: Clock, camera_size: tuple[int, int] = SIZE) -> FrameSource:
    """Return the source that a setting names.

    Cameras open with the first ``read``, and open again whenever they fail; files must be there.

    Parameters
    ----------
    setting
        ``demo``; ``replay:PATH``, an image, a folder or a video; ``mjpeg:http://...``, a network
        camera's stream of Motion JPEG; ``picamera``, the camera on the ribbon cable;
        ``picamera-fake``, the same without a camera, and ``picamera-fake:faults``, one that stalls
        and is pulled out now and then; ``usb``, the first USB camera, ``usb:/dev/videoN``, or
        ``usb:/dev/v4l/by-id/NAME``, that camera wherever it is plugged in.
    clock
        That the frames are stamped and paced by.
    camera_size
        Width and height to ask of a USB camera.

    Raises
    ------
    device.errors.ConfigError
        If the setting is none of these, or picamera2 is not installed.
    device.errors.SourceError
        If the files are not there.
    """
    kind, _, rest = setting.partition(":")
    if setting == "demo":
        return DemoSource(clock)
    if kind == "replay" and rest and "://" not in rest:
        return ReplaySource(user_path("source replay", rest), clock)
    if kind == "mjpeg" and rest:
        return _mjpeg(rest, clock)
    if setting == "picamera":
        return _picamera(clock)
    if setting in ("picamera-fake", "picamera-fake:faults"):
        return _fake_picamera(clock, faults=bool(rest))
    if setting == "usb" or (kind == "usb" and rest and "://" not in rest):
        return _usb(Path(rest) if rest else None, clock, camera_size)
    # A misspelt setting may hold the password of a stream.
    address = "@" in setting or "://" in setting
    shown = repr(printable(kind) + ":...") if address else repr(setting)
    raise ConfigError(f"source {shown} is unknown; use {SOURCE_SYNTAX}")


def _mjpeg(url: str, clock: Clock) -> FrameSource:
    from device.capture.mjpeg import NAME, MjpegSource, parse_url

    parse_url(url)
    return ReconnectingSource(NAME, lambda: MjpegSource(url, clock), clock)


def _picamera(clock: Clock) -> FrameSource:
    from device.capture.picamera import NAME, PicameraSource

    if find_spec("picamera2") is None:
        raise ConfigError(
            "picamera2 is not installed, or not seen from this virtual environment",
            action="on Raspberry Pi OS install the package python3-picamera2 and make the "
            "environment with --system-site-packages; or use picamera-fake",
            where="source picamera",
        )

    def open_camera() -> FrameSource:
        try:
            from picamera2 import Picamera2
        except ModuleNotFoundError as error:
            raise SourceError(
                "picamera2 or libcamera is installed in part only",
                action=translatable(
                    "install python3-picamera2 and python3-libcamera, and make the virtual "
                    "environment with --system-site-packages"
                ),
                where="source picamera",
                detail=f"{type(error).__name__}: {error}",
            ) from error
        except Exception as error:  # a library that was built for another NumPy raises anything
            raise SourceError(
                "picamera2 does not fit the other packages of this virtual environment",
                action=translatable(
                    "make it with the system's own Python and --system-site-packages, and install "
                    "the program again"
                ),
                where="source picamera",
                detail=f"{type(error).__name__}: {error}",
            ) from error
        return PicameraSource(Picamera2, clock)

    return ReconnectingSource(NAME, open_camera, clock)


def _fake_picamera(clock: Clock, *, faults: bool) -> FrameSource:
    from device.capture.fake_picamera2 import FAULTS, FakeCameraPort
    from device.capture.picamera import NAME, PicameraSource

    port = FakeCameraPort(clock, timetable=FAULTS if faults else ())
    kind = SourceKind.DEMO
    return ReconnectingSource(NAME, lambda: PicameraSource(port, clock, kind), clock, kind)


def _usb(device: Path | None, clock: Clock, size: tuple[int, int]) -> FrameSource:
    return ReconnectingSource(USB_CAMERA, UsbCameraOpener(device, clock, size), clock)
