"""Drawn lesions, whose place and size are known."""

import cv2
import numpy as np
from numpy.typing import NDArray

SKIN = (224, 176, 156)


def drawn(
    side: int = 240, x: float = 0.0, y: float = 0.0, radius: float = 0.4, dark: float = 0.5
) -> NDArray[np.uint8]:
    """Return a round lesion on skin; `x`, `y` and `radius` in half sides."""
    field = np.empty((side, side, 3), np.uint8)
    field[:] = SKIN
    centre = tuple(round((1 + value) * side / 2) for value in (x, y))
    colour = tuple(round(c * dark) for c in SKIN)
    cv2.circle(field, centre, round(radius * side / 2), colour, -1, cv2.LINE_AA)
    noise = np.random.default_rng(0).normal(0, 3, field.shape)
    return np.clip(field + noise, 0, 255).astype(np.uint8)
