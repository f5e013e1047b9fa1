"""The saliency overlay: colour, opacity and a contour, laid over a picture."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

CONTOUR_LEVEL: Final = 0.5
_STAIR: Final = 0.7
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
        uint8, (height, width, 4), RGBA: the perceptually uniform colour map "inferno"
        (van der Walt & Smith), and where the map passes half of its maximum a white line with a
        dark edge, so that the area is told by shape as well as by colour.
    """
    width, height = size
    # One byte a pixel is all that the screen can tell apart, and much faster than four.
    coarse = np.rint(np.clip(saliency, 0, 1) * 255).astype(np.uint8)
    wide = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    levels = np.asarray(wide, np.uint8)
    picture: NDArray[np.uint8] = np.take(_translucent(opacity), levels).view(np.uint8)
    picture = picture.reshape(height, width, 4)
    for steps in saliency_contours(levels):
        # Every stair of a pixel would be a line with an end of its own.
        contour = cv2.approxPolyDP(steps, _STAIR, closed=True)
        thick = max(1, height // 250)
        cv2.polylines(picture, [contour], True, (*_CONTOUR_EDGE, 255), 3 * thick, cv2.LINE_AA)
        cv2.polylines(picture, [contour], True, (*_CONTOUR_COLOUR, 255), thick, cv2.LINE_AA)
    return picture


def saliency_contours(saliency: NDArray[np.float32] | NDArray[np.uint8]) -> list[NDArray[np.int32]]:
    """Return the lines at half of a map's maximum, each int32 (n, 1, 2), x and y in pixels."""
    highest = float(saliency.max())
    if highest <= 0.0:
        return []
    inside = (saliency >= CONTOUR_LEVEL * highest).astype(np.uint8)
    found, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [np.asarray(line, np.int32) for line in found]


def blend_overlay(
    pixels: NDArray[np.uint8], saliency: NDArray[np.float32], opacity: float = 0.6
) -> NDArray[np.uint8]:
    """Return a picture with the overlay on it: uint8, (height, width, 3), RGB."""
    height, width = pixels.shape[:2]
    heat = saliency_rgba(saliency, (width, height), opacity)
    alpha = heat[:, :, 3:].astype(np.float32) / 255.0
    mixed = pixels.astype(np.float32) * (1.0 - alpha) + heat[:, :, :3].astype(np.float32) * alpha
    return np.asarray(np.rint(mixed), np.uint8)


def colour_scale(steps: int) -> NDArray[np.uint8]:
    """Return the colours of the overlay from little to much: uint8, (steps, 3), RGB."""
    return np.asarray(_inferno()[np.linspace(0, 255, steps).round().astype(np.intp)], np.uint8)


@lru_cache(maxsize=2)
def _translucent(opacity: float) -> NDArray[np.uint32]:
    """Return the pixel of each level, four bytes (RGBA) in one number."""
    pixels = np.empty((256, 4), np.uint8)
    pixels[:, :3] = _inferno()
    level = np.linspace(0.0, 1.0, 256)
    # The lowest tenth fades out, or the map would end in a line of its own.
    pixels[:, 3] = np.sqrt(level) * np.minimum(1.0, level / 0.1) * (255 * opacity)
    return np.asarray(pixels.view(np.uint32)[:, 0])


@lru_cache(maxsize=1)
def _inferno() -> NDArray[np.uint8]:
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1], np.uint8)
