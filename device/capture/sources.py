"""From the ``source`` setting to an open source of frames."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from device.capture.demo import DemoSource
from device.capture.reconnecting import ReconnectingSource
from device.capture.replay import ReplaySource
from device.errors import ConfigError, SourceError
from device.frame import FrameSource
from device.text import printable

GRAMMAR: Final = (
    "demo, replay:PATH (image, folder or video), replay:http://HOST/PATH (Motion JPEG), picamera, "
    "picamera-standin, picamera-standin:faults, usb or usb:/dev/videoN"
)
"""What `open_source` takes, as it is shown to a person."""


def open_source(setting: str) -> FrameSource:
    """Return the source that a setting names.

    Cameras open with the first ``read``, and open again whenever they fail; files must be there.

    Parameters
    ----------
    setting
        ``demo``; ``replay:PATH``, an image, a folder or a video; ``replay:http://...``, a stream of
        Motion JPEG; ``picamera``, the camera on the ribbon cable; ``picamera-standin``, the same
        without a camera, and ``picamera-standin:faults``, one that stalls and is pulled out now and
        then; ``usb``, the first USB camera, or ``usb:/dev/videoN``.

    Raises
    ------
    device.errors.ConfigError
        If the setting is none of these.
    device.errors.SourceError
        If the files are not there, or picamera2 is not installed.
    """
    kind, _, rest = setting.partition(":")
    if setting == "demo":
        return DemoSource()
    if kind == "replay" and rest.startswith(("http://", "https://")):
        return _mjpeg(rest)
    if kind == "replay" and rest:
        return ReplaySource(Path(rest).expanduser())
    if setting == "picamera":
        return _picamera()
    if setting in ("picamera-standin", "picamera-standin:faults"):
        return _standin(faults=bool(rest))
    if setting == "usb" or (kind == "usb" and rest):
        return _usb(Path(rest) if rest else None)
    # A misspelt setting may hold the password of a stream.
    shown = repr(setting) if "@" not in setting else repr(printable(kind) + ":...")
    raise ConfigError(f"source {shown} is unknown; use {GRAMMAR}")


def _mjpeg(url: str) -> FrameSource:
    from device.capture.mjpeg import NAME, MjpegSource, parse_url

    parse_url(url)
    return ReconnectingSource(NAME, lambda: MjpegSource(url))


def _picamera() -> FrameSource:
    from device.capture.picamera import NAME, PicameraSource

    if find_spec("picamera2") is None:
        raise SourceError(
            "picamera2 is not installed; on Raspberry Pi OS install the package python3-picamera2, "
            "elsewhere dermascope[camera]; or use picamera-standin",
            where="source picamera",
        )

    def open_camera() -> FrameSource:
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise SourceError(
                "picamera2 or libcamera is installed in part only; install the packages "
                "python3-picamera2 and python3-libcamera",
                where="source picamera",
            ) from error
        return PicameraSource(Picamera2)

    return ReconnectingSource(NAME, open_camera)


def _standin(faults: bool) -> FrameSource:
    from device.capture.fake_picamera2 import FAULTS, FakeCameraPort
    from device.capture.picamera import NAME, PicameraSource

    port = FakeCameraPort(timetable=FAULTS if faults else ())
    return ReconnectingSource(NAME, lambda: PicameraSource(port))


def _usb(device: Path | None) -> FrameSource:
    from device.capture.uvc import NAME, UvcSource
    from device.capture.v4l2 import first_usb_camera

    # A camera that is plugged in again may come back under another number.
    return ReconnectingSource(NAME, lambda: UvcSource(device or first_usb_camera()))
