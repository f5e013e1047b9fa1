"""Frames of Motion JPEG, decoded whole or not at all, within fixed memory and time."""

from typing import Final

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from device.errors import ImageError
from device.text import printable

MAX_PIXELS: Final = 25_000_000
"""Largest frame taken, by its header."""

MAX_DECODED_PIXELS: Final = 8_300_000
"""Largest frame returned, that of 4K: a burst and what follows it holds ten, on a 1 GB device."""

_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN: Final = 0xDA
_END: Final = 0xD9


def decode_frame(data: bytes) -> NDArray[np.uint8]:
    """Return a frame as RGB, reduced to a half, a quarter or an eighth where it is very large.

    A frame is refused for whatever libjpeg only warns of: torn ones look sharper than whole ones.
    So is one of several scans, as no camera sends: it may take minutes, and memory for all of
    its coefficients.

    Parameters
    ----------
    data
        A sequential JPEG; its Huffman tables may be missing, as Motion JPEG leaves them out.

    Returns
    -------
    numpy.ndarray
        uint8, (height, width, 3), RGB; at most `MAX_DECODED_PIXELS`.

    Raises
    ------
    device.errors.ImageError
        If it is damaged, of several scans, or larger than `MAX_PIXELS`.
    """
    width, height = _size(data)
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(f"the frame is {width} x {height} pixels")
    factor = 1
    while factor < 8 and width * height > MAX_DECODED_PIXELS * factor**2:
        factor *= 2
    try:
        pixels = simplejpeg.decode_jpeg(
            data, "RGB", min_width=-(-width // factor), min_height=-(-height // factor)
        )
    except ValueError as error:
        raise ImageError(f"the frame is damaged ({printable(str(error))})") from None
    return np.asarray(pixels, np.uint8)


def _size(data: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG that is decoded in one pass."""
    if not data.startswith(b"\xff\xd8"):
        raise ImageError("the frame is no JPEG")
    size: tuple[int, int] | None = None
    parts = 0
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        segment = data[at + 4 : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
        if marker in _FRAME_HEADERS:
            if marker not in _SEQUENTIAL or len(segment) < 6 or size is not None:
                break
            size, parts = _dimensions(segment), segment[5]
        elif marker == _SCAN:
            if size is None or not segment or segment[0] != parts:
                break
            return size
        elif marker == _END:
            break
        at += 4 + len(segment)
    raise ImageError("the frame is no JPEG of a single scan, or its header is damaged")


def _dimensions(segment: bytes) -> tuple[int, int]:
    return int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big")
