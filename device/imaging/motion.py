"""How far the skin moved between two frames."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.imaging.field_of_view import FieldOfView, central_field, crop

SIDE: Final = 64
"""Side in pixels of the small pictures that are compared."""

INNER_SHARE: Final = 0.7
"""Share of the field's side that is compared: the square inside a round stop, whose edge stays
where it is however the skin moves."""

_STEP_SIDE: Final = 150
_NOISE: Final = 1.0
_SURE: Final = 0.05
_LOST: Final = 0.5


def motion_thumbnail(
    pixels: NDArray[np.uint8], field: FieldOfView | None = None
) -> NDArray[np.float32]:
    """Return a frame as `estimate_motion` compares it: float32, (`SIDE`, `SIDE`), grey levels.

    Parameters
    ----------
    pixels
        A frame: uint8, (height, width, 3), RGB.
    field
        The field of view in the frame's pixels, as the last finding had it; else the largest
        centred square.
    """
    square = crop(pixels, field or central_field(*pixels.shape[:2]))
    side = len(square)
    margin = int(side * (1.0 - INNER_SHARE) / 2)
    step = max(1, side // _STEP_SIDE)
    inner = np.ascontiguousarray(
        square[margin : side - margin : step, margin : side - margin : step]
    )
    grey = cv2.cvtColor(inner, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def estimate_motion(previous: NDArray[np.float32], current: NDArray[np.float32]) -> float:
    """Return how far the skin moved between two frames, in parts of the field of view's side.

    Phase correlation (Kuglin & Hines 1975) of two small pictures. Where they have nothing in
    common the shift is unknown: half a side is returned, the most that can be.

    Parameters
    ----------
    previous, current
        As `motion_thumbnail` returns them, of the same field.
    """
    # Light that flickers is no motion.
    before, after = previous - previous.mean(), current - current.mean()
    # Nor is the sensor's noise, which is gone from the mean of a few pixels.
    if float(np.abs(cv2.blur(before - after, (5, 5))).mean()) < _NOISE:
        return 0.0
    (x, y), response = cv2.phaseCorrelate(before, after, _window())
    if response < _SURE:
        return _LOST
    return min(float(np.hypot(x, y)) / SIDE * INNER_SHARE, _LOST)


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    return np.asarray(cv2.createHanningWindow((SIDE, SIDE), cv2.CV_32F), np.float32)
