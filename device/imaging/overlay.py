"""The saliency overlay: colour, opacity and a contour, laid over a picture."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

CONTOUR_LEVEL: Final = 0.5
"""Where the contour is drawn: in the middle of the scale that all maps have in common."""

_COARSENESS: Final = 2
"""Maps are coloured at half the picture's size: they are far coarser still."""

_STAIR: Final = 0.6
_FRACTION: Final = 4
"""Bits of a pixel to which lines are drawn."""

_CONTOUR_COLOUR: Final = (255, 255, 255, 255)
_CONTOUR_EDGE: Final = (0, 0, 0, 255)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What lies over a part of a picture.

    Attributes
    ----------
    pixels
        uint8, (height, width, 4), BGRA as screens have it, the colours multiplied by their opacity.
    left, top
        Where the part begins, in pixels of the picture.
    """

    pixels: NDArray[np.uint8]
    left: int
    top: int


def saliency_layer(
    saliency: NDArray[np.float32], size: tuple[int, int], opacity: float
) -> Layer | None:
    """Return a saliency map as a translucent picture, as far as there is anything to be seen.

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
    Layer or None
        The perceptually uniform colour map "inferno" (van der Walt & Smith), and where the map
        passes `CONTOUR_LEVEL` a white line with a dark edge, so that the area is marked by shape as
        well as by colour. None where the map is empty.
    """
    levels = _levels(saliency, size)
    x, y, across, down = cv2.boundingRect(levels)
    if across == 0:
        return None
    shown = levels[y : y + down, x : x + across]
    small = np.take(_translucent(opacity), shown).view(np.uint8).reshape(down, across, 4)
    # The last one may lie half outside.
    width = min(_COARSENESS * across, size[0] - _COARSENESS * x)
    height = min(_COARSENESS * down, size[1] - _COARSENESS * y)
    whole = (_COARSENESS * across, _COARSENESS * down)
    picture = np.asarray(cv2.resize(small, whole, interpolation=cv2.INTER_NEAREST), np.uint8)
    thick = max(2, round(size[1] / 250))
    for line in _contours(shown):
        exact = (line + 0.5) * _COARSENESS - 0.5
        rough, fine = (np.rint(exact * 2**bits).astype(np.int32) for bits in (0, _FRACTION))
        cv2.polylines(picture, [rough], True, _CONTOUR_EDGE, 3 * thick)
        cv2.polylines(picture, [fine], True, _CONTOUR_COLOUR, thick, cv2.LINE_AA, _FRACTION)
    if (height, width) != picture.shape[:2]:
        picture = np.ascontiguousarray(picture[:height, :width])
    return Layer(picture, _COARSENESS * x, _COARSENESS * y)


def blend_overlay(
    pixels: NDArray[np.uint8], saliency: NDArray[np.float32], opacity: float = 0.6
) -> NDArray[np.uint8]:
    """Return a picture with the overlay on it: uint8, (height, width, 3), RGB."""
    mixed = pixels.copy()
    layer = saliency_layer(saliency, pixels.shape[1::-1], opacity)
    if layer is None:
        return mixed
    heat = layer.pixels.astype(np.float32)
    height, width = heat.shape[:2]
    part = mixed[layer.top : layer.top + height, layer.left : layer.left + width]
    blended = part * (1.0 - heat[:, :, 3:] / 255.0) + heat[:, :, 2::-1]
    part[:] = np.rint(np.minimum(blended, 255.0)).astype(np.uint8)
    return mixed


def colour_scale(steps: int) -> NDArray[np.uint8]:
    """Return the colours of the overlay from little to much: uint8, (steps, 3), RGB."""
    return np.asarray(_inferno()[np.linspace(0, 255, steps).round().astype(np.intp)], np.uint8)


def _levels(saliency: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a map at the size at which it is coloured: uint8, 0 to 255."""
    # One byte a pixel is all that the screen can tell apart, and much faster than four.
    coarse = np.rint(np.clip(saliency, 0, 1) * 255).astype(np.uint8)
    coloured = (-(-size[0] // _COARSENESS), -(-size[1] // _COARSENESS))
    return np.asarray(cv2.resize(coarse, coloured, interpolation=cv2.INTER_CUBIC), np.uint8)


def _contours(levels: NDArray[np.uint8]) -> list[NDArray[np.int32]]:
    """Return the lines where a map passes `CONTOUR_LEVEL`: each int32, (n, 1, 2), x and y."""
    inside = cv2.threshold(levels, round(CONTOUR_LEVEL * 255) - 1, 1, cv2.THRESH_BINARY)[1]
    found, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    # Every stair of a pixel would be a line with an end of its own.
    return [np.asarray(cv2.approxPolyDP(line, _STAIR, closed=True), np.int32) for line in found]


@lru_cache(maxsize=2)
def _translucent(opacity: float) -> NDArray[np.uint32]:
    """Return the pixel of each level, four bytes (BGRA, multiplied) in one number."""
    pixels = np.empty((256, 4), np.uint8)
    level = np.linspace(0.0, 1.0, 256)
    # The lowest tenth fades out, or the map would end in a line of its own.
    alpha = np.sqrt(level) * np.minimum(1.0, level / 0.1) * opacity
    pixels[:, :3] = np.rint(_inferno()[:, ::-1] * alpha[:, None])
    pixels[:, 3] = np.rint(alpha * 255)
    return np.asarray(pixels.view(np.uint32)[:, 0])


@lru_cache(maxsize=1)
def _inferno() -> NDArray[np.uint8]:
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1], np.uint8)
