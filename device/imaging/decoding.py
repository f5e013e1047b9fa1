"""What every decoder keeps to: how large a picture may be, and how much memory it may take."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.errors import ImageError

MAX_PIXELS: Final = 80_000_000
"""Largest image decoded: above any dermatoscope."""

MAX_SIDE: Final = 65_535
"""Longest side, as in JPEG; what is longer is no photograph."""

MAX_MEMORY: Final = 240_000_000
"""Bytes that reading one image may take, its pixels included: a quarter of a 1 GB device."""

KEPT_PIXELS: Final = 25_000_000
"""A larger image is reduced while it is decoded: no network or screen sees more."""

MAX_SECONDS: Final = 20
"""Of the processor, for a decoder of which it is not known beforehand."""

MAX_PROFILE: Final = 4 << 20
"""Largest colour profile read, in bytes; those of printing presses are below 3 MB."""

MAX_EXIF: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an image may be.

    Attributes
    ----------
    max_pixels
        Images with more are refused.
    kept_pixels
        Images with more are reduced by a whole factor.
    seconds
        Of the processor, for a decoder of which it is not known beforehand.
    """

    max_pixels: int = MAX_PIXELS
    kept_pixels: int = KEPT_PIXELS
    seconds: int = MAX_SECONDS


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image as it lies in its file.

    Attributes
    ----------
    pixels
        uint8, (height, width, 3), sRGB.
    orientation
        How to turn it upright: an EXIF orientation, 1 to 8.
    """

    pixels: NDArray[np.uint8]
    orientation: int = 1


def check_size(width: int, height: int, limits: Limits) -> None:
    """Check the size that an image's header tells.

    Raises
    ------
    device.errors.ImageError
        If it has no pixels, or too many.
    """
    if width < 1 or height < 1:
        raise ImageError("the image is damaged: it has no pixels")
    if width * height > limits.max_pixels:
        raise ImageError(
            f"is {width} x {height} pixels, more than the limit of "
            f"{limits.max_pixels // 1_000_000} megapixels; scale it down first"
        )
    if max(width, height) > MAX_SIDE:
        raise ImageError(
            f"is {width} x {height} pixels, more than {MAX_SIDE} on a side; cut the part out "
            "that shows the lesion"
        )


def reduction(width: int, height: int, limits: Limits) -> int:
    """Return the whole factor by which an image is reduced, 1 for most."""
    return max(1, math.ceil(math.sqrt(width * height / limits.kept_pixels)))


def reduced(side: int, factor: int) -> int:
    """Return the length of a side, in pixels, after reduction."""
    return -(-side // factor)


def needs_too_much() -> ImageError:
    """Return the error of an image that cannot be decoded within `MAX_MEMORY`."""
    return ImageError(
        f"needs more than {MAX_MEMORY // 1_000_000} MB of memory to decode; scale it down, or save "
        "it as a JPEG"
    )
