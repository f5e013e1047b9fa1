"""The scale of a picture, from a ruler in it."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.errors import ImageError
from device.language import translatable

_LARGEST_SIDE: Final = 450
_FEWEST_TICKS: Final = 5
_CLOSEST: Final = 4.0
_HARMONICS: Final = 12
_STANDS_OUT: Final = 40.0
_LEAST: Final = 1e-3
_SAME_PLACE: Final = 0.25
_HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Ticks:
    """A ruler's ticks.

    Attributes
    ----------
    spacing
        From one tick to the next, in pixels.
    direction
        Along the ruler, in degrees from the picture's horizontal, 0 to 180.
    """

    spacing: float
    direction: float


def find_ticks(field: NDArray[np.uint8]) -> Ticks:
    """Return the spacing of a ruler's ticks.

    Ticks repeat along a line, so their spectrum has peaks at their spacing and its harmonics: the
    lowest of the strong ones is taken, and refined between the spectrum's steps.

    Parameters
    ----------
    field
        The field of view: uint8, (side, side, 3), RGB.

    Raises
    ------
    device.errors.ImageError
        If nothing in the picture repeats as ticks do.
    """
    factor = max(1, -(-len(field) // _LARGEST_SIDE))
    side = len(field) // factor
    if side < 10 * _FEWEST_TICKS:
        raise ImageError(
            translatable("the picture is too small for a ruler"),
            action=translatable("take a larger one"),
        )
    grey = cv2.cvtColor(field[: side * factor, : side * factor], cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    # Light and lesion change slowly.
    edges = small - cv2.GaussianBlur(small, (0, 0), side / 16)
    windowed = np.asarray(edges * cv2.createHanningWindow((side, side), cv2.CV_32F), np.float32)
    u, v = _strongest(windowed)
    spacing = factor * side / float(np.hypot(u, v))
    return Ticks(spacing, float(np.degrees(np.arctan2(v, u)) % 180.0))


def _strongest(windowed: NDArray[np.float32]) -> tuple[float, float]:
    """Return cycles a side along x and y of what repeats most like ticks."""
    side = len(windowed)
    spectrum = np.abs(np.fft.fft2(windowed))[:, : side // 2]
    u = np.arange(side // 2)[None, :]
    v = np.fft.fftfreq(side, 1 / side)[:, None]
    frequency = np.hypot(u, v)
    band = (frequency >= _FEWEST_TICKS) & (frequency <= side / _CLOSEST)
    # What nature draws falls off with the frequency; thin ticks do not.
    flat = np.where(band, spectrum * frequency, 0.0)
    row, column = (int(i) for i in np.unravel_index(np.argmax(flat), flat.shape))
    peak = _refined(windowed, float(column), float(v[row, 0]))
    # The strongest may be any harmonic. The ticks themselves are the lowest that is as strong.
    found = peak
    for part in range(2, _HARMONICS + 1):
        x, y = peak[0] / part, peak[1] / part
        if np.hypot(x, y) < _FEWEST_TICKS or _height(windowed, x, y) < _HALF * peak[2]:
            continue
        lower = _refined(windowed, x, y)
        if np.hypot(lower[0] - x, lower[1] - y) < _SAME_PLACE:
            found = lower
    # Against what else there is of the same fineness, in every direction.
    standing_out = 0.0
    for harmonic in (1, 2, 3):
        x, y = found[0] * harmonic, found[1] * harmonic
        around = spectrum[np.abs(frequency - np.hypot(x, y)) < 1.0]
        if np.hypot(x, y) < side / 2 and around.size:
            height = _height(windowed, x, y)
            least = max(float(np.median(around)), _LEAST * side * side)
            standing_out = max(standing_out, height / least)
    if standing_out < _STANDS_OUT:
        raise ImageError(
            translatable("no ruler was found in the picture"),
            action=translatable(
                "lay one with millimetre ticks across the whole field, focus on it, and take the "
                "picture again"
            ),
        )
    return found[0], found[1]


def _height(windowed: NDArray[np.float32], u: float, v: float) -> float:
    at = np.arange(len(windowed)) / len(windowed)
    row = np.exp(-2j * np.pi * v * at) @ windowed
    return float(np.abs(row @ np.exp(-2j * np.pi * u * at)))


def _refined(windowed: NDArray[np.float32], u: float, v: float) -> tuple[float, float, float]:
    """Return the peak within a step of a place of the spectrum, and its height."""
    at = np.arange(len(windowed)) / len(windowed)
    for width in (1.0, 0.2, 0.04):
        around = np.linspace(-width, width, 11)
        columns = np.exp(-2j * np.pi * np.outer(at, u + around))
        rows = np.exp(-2j * np.pi * np.outer(v + around, at))
        height = np.abs(rows @ windowed @ columns)
        row, column = (int(i) for i in np.unravel_index(np.argmax(height), height.shape))
        u, v = u + float(around[column]), v + float(around[row])
    return u, v, float(height[row, column])
