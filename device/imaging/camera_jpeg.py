"""Frames of Motion JPEG, decoded whole or not at all, within fixed memory and time."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.errors import ImageError
from device.imaging.decoding import Limits
from device.imaging.jpeg_file import decode_jpeg_bytes

MAX_PIXELS: Final = 25_000_000
"""Largest frame taken, by its header."""

MAX_DECODED_PIXELS: Final = 8_300_000
"""Largest frame returned, that of 4K: a burst and what follows it holds ten, on a 1 GB device."""

_LIMITS: Final = Limits(max_pixels=MAX_PIXELS, kept_pixels=MAX_DECODED_PIXELS)
_START: Final = b"\xff\xd8"


def decode_frame(data: bytes) -> NDArray[np.uint8]:
    """Return a frame as RGB, reduced by a whole factor where it is very large.

    A frame is refused for whatever libjpeg warns of in its pixels: torn ones look sharper than
    whole ones. So is one of several scans, as no camera sends: it may take minutes, and memory for
    all of its coefficients.

    Parameters
    ----------
    data
        A sequential JPEG; its Huffman tables may be missing, as Motion JPEG leaves them out, and
        zeros may fill it up.

    Returns
    -------
    numpy.ndarray
        uint8, (height, width, 3), RGB; at most `MAX_DECODED_PIXELS`.

    Raises
    ------
    device.errors.ImageError
        If it is damaged, of several scans, or larger than `MAX_PIXELS`.
    """
    if not data.startswith(_START):
        raise ImageError("is no JPEG")
    return decode_jpeg_bytes(data, _LIMITS, one_scan=True).pixels
