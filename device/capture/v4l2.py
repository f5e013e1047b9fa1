"""Which video devices are USB cameras, asked of the kernel."""

import fcntl
import os
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device.text import printable

# struct v4l2_capability of linux/videodev2.h: driver, card, bus, version, capabilities of the
# whole device, capabilities of this node, three words reserved.
_CAPABILITY: Final = struct.Struct("=16s32s32sIII3I")
_QUERYCAP: Final = 2 << 30 | _CAPABILITY.size << 16 | ord("V") << 8 | 0
_VIDEO_CAPTURE: Final = 0x00000001
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
