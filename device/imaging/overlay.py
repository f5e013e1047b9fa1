"""The saliency overlay: colour, opacity and a contour, laid over a picture."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

CONTOUR_LEVEL: Final = 0.5
_CONTOUR_COLOUR: Final = (255, 255, 255)
_CONTOUR_EDGE: Final = (0, 0, 0)


def heat_colours(
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
    wide = cv2.resize(saliency, (width, height), interpolation=cv2.INTER_CUBIC)
    smooth = np.clip(wide, 0, 1, dtype=np.float32)
    levels = (smooth * 255).astype(np.uint8)
    picture = np.empty((height, width, 4), np.uint8)
    picture[:, :, :3] = _inferno()[levels]
    picture[:, :, 3] = (np.sqrt(smooth) * (255 * opacity)).astype(np.uint8)
    for contour in contours(smooth):
        thick = max(1, height // 250)
        cv2.polylines(picture, [contour], True, (*_CONTOUR_EDGE, 255), 3 * thick, cv2.LINE_AA)
        cv2.polylines(picture, [contour], True, (*_CONTOUR_COLOUR, 255), thick, cv2.LINE_AA)
    return picture


def contours(saliency: NDArray[np.float32]) -> list[NDArray[np.int32]]:
    """Return the lines at half of a map's maximum, each int32 (n, 1, 2), x and y in pixels."""
    highest = float(saliency.max())
    if highest <= 0.0:
        return []
    inside = (saliency >= CONTOUR_LEVEL * highest).astype(np.uint8)
    found, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [np.asarray(line, np.int32) for line in found]


def blend(
    pixels: NDArray[np.uint8], saliency: NDArray[np.float32], opacity: float = 0.6
) -> NDArray[np.uint8]:
    """Return a picture with the overlay on it: uint8, (height, width, 3), RGB."""
    height, width = pixels.shape[:2]
    heat = heat_colours(saliency, (width, height), opacity)
    alpha = heat[:, :, 3:].astype(np.float32) / 255.0
    mixed = pixels.astype(np.float32) * (1.0 - alpha) + heat[:, :, :3].astype(np.float32) * alpha
    return np.asarray(np.rint(mixed), np.uint8)


@lru_cache(maxsize=1)
def _inferno() -> NDArray[np.uint8]:
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1], np.uint8)
