"""Field stops drawn onto images, as the dermatoscopes of other clinics show them.

Every function takes and returns an image of any size, uint8, (height, width, 3), RGB, and leaves
the one that it is given alone. Fractions of a side are of the image's shorter one.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_EDGE: Final = 0.006
"""Blur of a stop's edge, as a fraction of a side."""


def round_stop(
    pixels: Pixels,
    radius: float = 0.5,
    centre: tuple[float, float] = (0.0, 0.0),
    level: int = 0,
    corners: float = 2.0,
    reflections: bool = False,
) -> Pixels:
    """Return an image through a stop.

    Parameters
    ----------
    radius
        In sides.
    centre
        From the middle of the image, in sides.
    level
        Grey level of what the stop hides.
    corners
        2 for a circle, more for a square with ever less rounded corners.
    reflections
        Bright arcs on the stop's rim.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    x = (np.arange(width) + 0.5 - width / 2) / side - centre[0]
    y = (np.arange(height) + 0.5 - height / 2) / side - centre[1]
    away = (np.abs(x[None, :]) ** corners + np.abs(y[:, None]) ** corners) ** (1.0 / corners)
    open_ = np.clip((radius - away) / _EDGE + 0.5, 0.0, 1.0)[:, :, None]
    seen = pixels * open_ + level * (1.0 - open_)
    stopped: Pixels = np.rint(seen).astype(np.uint8)
    if reflections:
        middle = (round(width / 2 + centre[0] * side), round(height / 2 + centre[1] * side))
        axes = (round((radius + 0.02) * side),) * 2
        for begin in (20, 150, 260):
            cv2.ellipse(
                stopped, middle, axes, 0, begin, begin + 25, (210, 205, 200),
                max(1, round(0.015 * side)), cv2.LINE_AA,
            )  # fmt: skip
    return stopped


def small_circle(pixels: Pixels, share: float = 0.45) -> Pixels:
    """Return an image reduced to a circle in a black frame of its own size."""
    height, width = pixels.shape[:2]
    circle = round_stop(pixels)
    size = (max(1, round(share * width)), max(1, round(share * height)))
    reduced = cv2.resize(circle, size, interpolation=cv2.INTER_AREA)
    framed = np.zeros_like(pixels)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    framed[top : top + size[1], left : left + size[0]] = reduced
    return framed


STOPS: Final[Mapping[str, Callable[[Pixels], Pixels]]] = {
    "whole circle": round_stop,
    "cut on four sides": lambda pixels: round_stop(pixels, 0.6),
    "cut on one side": lambda pixels: round_stop(pixels, 0.5, (0.0, 0.14)),
    "off centre": lambda pixels: round_stop(pixels, 0.44, (0.05, -0.04)),
    "rounded square": lambda pixels: round_stop(pixels, 0.47, corners=6.0),
    "dark grey": lambda pixels: round_stop(pixels, level=60),
    "reflections on its rim": lambda pixels: round_stop(pixels, 0.46, reflections=True),
    "corners of 2 %": lambda pixels: round_stop(pixels, 0.5 * math.sqrt(2.0) * 0.93),
    "small in a large frame": small_circle,
}
"""By name."""
