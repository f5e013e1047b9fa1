"""The saliency overlay: colour, opacity and a contour, laid over a picture."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

CONTOUR_LEVEL: Final = 0.5
"""Where the contour is drawn: in the middle of the scale that all maps have in common."""

_DRAWN_SIDE: Final = 192
"""Maps are coarse, and coloured at this many pixels to a side; one scaling makes the rest."""

_STAIR: Final = 0.6
_FRACTION: Final = 4
"""Bits of a pixel to which lines are drawn."""

_CONTOUR_COLOUR: Final = (255, 255, 255)
_CONTOUR_EDGE: Final = (0, 0, 0)


def saliency_rgba(
    saliency: NDArray[np.float32], size: tuple[int, int], opacity: float
) -> NDArray[np.uint8]:
    """Return a saliency map as a translucent picture.

    Parameters
    ----------
    saliency
        float32, (rows, columns), 0 to 1.
    size
        Width and height of the picture in pixels.
    opacity
        Of the highest values, 0 to 1; the lowest are transparent.

    Returns
    -------
    numpy.ndarray
        uint8, (height, width, 4), RGBA, the colours multiplied by their opacity: the perceptually
        uniform colour map "inferno" (van der Walt & Smith), and where the map passes
        `CONTOUR_LEVEL` a white line with a dark edge, so that the area is marked by shape as well
        as by colour.
    """
    levels = _levels(saliency)
    small = np.take(_translucent(opacity), levels).view(np.uint8).reshape(*levels.shape, 4)
    picture = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    thick = max(1, size[1] // 250)
    for line in _contours(levels):
        exact = (line + 0.5) * size / levels.shape[::-1] - 0.5
        contour = np.rint(exact * 2**_FRACTION).astype(np.int32)
        for colour, width in ((_CONTOUR_EDGE, 3 * thick), (_CONTOUR_COLOUR, thick)):
            cv2.polylines(picture, [contour], True, (*colour, 255), width, cv2.LINE_AA, _FRACTION)
    return picture


def blend_overlay(
    pixels: NDArray[np.uint8], saliency: NDArray[np.float32], opacity: float = 0.6
) -> NDArray[np.uint8]:
    """Return a picture with the overlay on it: uint8, (height, width, 3), RGB."""
    height, width = pixels.shape[:2]
    heat = saliency_rgba(saliency, (width, height), opacity)
    alpha = heat[:, :, 3:].astype(np.float32) / 255.0
    mixed = pixels.astype(np.float32) * (1.0 - alpha) + heat[:, :, :3].astype(np.float32)
    return np.asarray(np.rint(np.minimum(mixed, 255.0)), np.uint8)


def colour_scale(steps: int) -> NDArray[np.uint8]:
    """Return the colours of the overlay from little to much: uint8, (steps, 3), RGB."""
    return np.asarray(_inferno()[np.linspace(0, 255, steps).round().astype(np.intp)], np.uint8)


def _levels(saliency: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a map at the size at which it is coloured: uint8, 0 to 255."""
    # One byte a pixel is all that the screen can tell apart, and much faster than four.
    coarse = np.rint(np.clip(saliency, 0, 1) * 255).astype(np.uint8)
    rows, columns = coarse.shape
    size = (max(columns, _DRAWN_SIDE), max(rows, _DRAWN_SIDE))
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _contours(levels: NDArray[np.uint8]) -> list[NDArray[np.int32]]:
    """Return the lines where a map passes `CONTOUR_LEVEL`: each int32, (n, 1, 2), x and y."""
    inside = cv2.threshold(levels, round(CONTOUR_LEVEL * 255) - 1, 1, cv2.THRESH_BINARY)[1]
    found, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # Every stair of a pixel would be a line with an end of its own.
    return [np.asarray(cv2.approxPolyDP(line, _STAIR, closed=True), np.int32) for line in found]


@lru_cache(maxsize=2)
def _translucent(opacity: float) -> NDArray[np.uint32]:
    """Return the pixel of each level, four bytes (RGBA, multiplied) in one number."""
    pixels = np.empty((256, 4), np.uint8)
    level = np.linspace(0.0, 1.0, 256)
    # The lowest tenth fades out, or the map would end in a line of its own.
    alpha = np.sqrt(level) * np.minimum(1.0, level / 0.1) * opacity
    pixels[:, :3] = np.rint(_inferno() * alpha[:, None])
    pixels[:, 3] = np.rint(alpha * 255)
    return np.asarray(pixels.view(np.uint32)[:, 0])


@lru_cache(maxsize=1)
def _inferno() -> NDArray[np.uint8]:
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1], np.uint8)
