"""Which video devices are USB cameras, asked of the kernel."""

import fcntl
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from device.errors import SourceError
from device.language import translatable

# struct v4l2_capability of linux/videodev2.h: driver, card, bus, version, capabilities of the
# whole device, capabilities of this node, three words reserved.
_CAPABILITY: Final = struct.Struct("=16s32s32sIII3I")
_QUERYCAP: Final = 2 << 30 | _CAPABILITY.size << 16 | ord("V") << 8 | 0
_VIDEO_CAPTURE: Final = 0x00000001
_DEVICE_CAPS: Final = 0x80000000


def first_usb_camera(
    folder: Path = Path("/dev"), query: Callable[[Path], bytes] | None = None
) -> Path:
    """Return the video device of the first USB camera.

    A camera has several devices, of which one gives pictures; a Raspberry Pi has more that belong
    to its own chip.

    Parameters
    ----------
    folder
        Where the ``video*`` devices lie.
    query
        Returns a device's ``v4l2_capability``; by default the kernel is asked.

    Raises
    ------
    device.errors.SourceError
        If there is none.
    """
    ask = query or _query
    for device in sorted(folder.glob("video*"), key=_number):
        try:
            capability = ask(device)
        except OSError:
            continue
        if gives_pictures_over_usb(capability):
            return device
    raise SourceError(
        "no USB camera is plugged in", action=translatable("plug it in, or try another cable")
    )


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


def _number(device: Path) -> int:
    digits = re.search(r"\d+$", device.name)
    return int(digits[0]) if digits else -1
