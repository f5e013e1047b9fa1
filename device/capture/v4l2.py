"""Which video devices are USB cameras, and what pictures they give, asked of the kernel."""

import fcntl
import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.text import printable

# struct v4l2_capability of linux/videodev2.h: driver, card, bus, version, capabilities of the
# whole device, capabilities of this node, three words reserved.
_CAPABILITY: Final = struct.Struct("=16s32s32sIII3I")
_QUERYCAP: Final = 2 << 30 | _CAPABILITY.size << 16 | ord("V") << 8 | 0
_VIDEO_CAPTURE: Final = 0x00000001
# struct v4l2_fmtdesc: index, type, flags, description, pixel format, media bus code, three words.
_FORMAT: Final = struct.Struct("=III32s4sI3I")
_ENUM_FORMAT: Final = 3 << 30 | _FORMAT.size << 16 | ord("V") << 8 | 2
# struct v4l2_frmsizeenum: index, pixel format, type, a union of six words, two words reserved.
_FRAME_SIZE: Final = struct.Struct("=I4sI6I2I")
_ENUM_FRAME_SIZES: Final = 3 << 30 | _FRAME_SIZE.size << 16 | ord("V") << 8 | 74
_DISCRETE: Final = 1
_MOST_MODES: Final = 64
_DEVICE_CAPS: Final = 0x80000000


@dataclass(frozen=True, slots=True)
class UsbCamera:
    """A USB camera that is plugged in.

    Attributes
    ----------
    device
        That gives its pictures.
    card
        What the camera calls itself.
    bus
        The port that it is plugged into.
    """

    device: Path
    card: str
    bus: str


def usb_cameras(
    folder: Path = Path("/dev"), query: Callable[[Path], bytes] | None = None
) -> list[UsbCamera]:
    """Return the USB cameras that are plugged in, in the order of their devices' numbers.

    A camera has several devices, of which one gives pictures; a Raspberry Pi has more that belong
    to its own chip.

    Parameters
    ----------
    folder
        Where the ``video*`` devices lie.
    query
        Returns a device's ``v4l2_capability``; by default the kernel is asked.
    """
    ask = query or _query
    cameras = []
    for device in sorted(folder.glob("video*"), key=_number):
        try:
            capability = ask(device)
        except OSError:
            continue
        if gives_pictures_over_usb(capability):
            _, card, bus, *_ = _CAPABILITY.unpack(capability)
            cameras.append(UsbCamera(device, _text(card), _text(bus)))
    return cameras


Ask = Callable[[int, bytearray], None]
"""Has the kernel fill in a structure, as ``fcntl.ioctl`` does on a device."""


def camera_modes(device: Path, ask: Ask | None = None) -> tuple[str, ...]:
    """Return what pictures a camera offers, as ``MJPG 1280x720``.

    Parameters
    ----------
    device
        Its video device.
    ask
        Asks about it; by default the kernel is asked.

    Returns
    -------
    tuple of str
        In the camera's own order; nothing where it is not there or does not say.
    """
    if ask is not None:
        return tuple(_modes(ask))
    try:
        file = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        return tuple(_modes(lambda request, answer: _ioctl(file, request, answer)))
    finally:
        os.close(file)


def _ioctl(file: int, request: int, answer: bytearray) -> None:
    fcntl.ioctl(file, request, answer)


def _modes(ask: Ask) -> Iterator[str]:
    for number in range(_MOST_MODES):
        answer = bytearray(_FORMAT.pack(number, _VIDEO_CAPTURE, 0, b"", b"", 0, 0, 0, 0))
        try:
            ask(_ENUM_FORMAT, answer)
        except OSError:
            return
        pixels = _FORMAT.unpack(answer)[4]
        for place in range(_MOST_MODES):
            answer = bytearray(_FRAME_SIZE.pack(place, pixels, 0, *[0] * 8))
            try:
                ask(_ENUM_FRAME_SIZES, answer)
            except OSError:
                break
            _, _, kind, *sizes = _FRAME_SIZE.unpack(answer)
            # Otherwise from the smallest to the largest, in steps.
            width, height = (sizes[0], sizes[1]) if kind == _DISCRETE else (sizes[1], sizes[4])
            yield f"{_text(pixels)} {width}x{height}"


def gives_pictures_over_usb(capability: bytes) -> bool:
    """Tell whether a ``v4l2_capability`` is that of a USB camera's pictures."""
    _, _, bus, _, whole, node, *_ = _CAPABILITY.unpack(capability)
    able = node if whole & _DEVICE_CAPS else whole
    return bus.startswith(b"usb-") and bool(able & _VIDEO_CAPTURE)


def _query(device: Path) -> bytes:
    answer = bytearray(_CAPABILITY.size)
    file = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(file, _QUERYCAP, answer)
    finally:
        os.close(file)
    return bytes(answer)


def _text(field: bytes) -> str:
    return printable(field.split(b"\0")[0].decode("utf-8", "replace")).strip()


def _number(device: Path) -> int:
    digits = re.search(r"\d+$", device.name)
    return int(digits[0]) if digits else -1
