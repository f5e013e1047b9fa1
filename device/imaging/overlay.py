"""The saliency overlay: colour, opacity and a contour, laid over a picture."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

CONTOUR_LEVEL: Final = 0.5
"""Where the contour is drawn: in the middle of the scale that all maps have in common."""

_COARSE: Final = 4
_FINE: Final = 2
"""Maps are coloured at a part of the picture's size: they are far coarser still."""

_GENTLE: Final = 2.0
"""Levels a pixel: up to this, squares of `_COARSE` pixels are not told from smaller ones."""

_SMOOTHED: Final = 7
"""Pixels of a contour over which it is averaged: the stairs of a coarse map are not its own."""

_FRACTION: Final = 4
"""Bits of a pixel to which lines are drawn."""

CONTOUR_COLOUR: Final = (255, 255, 255)
CONTOUR_EDGE: Final = (0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What lies over a part of a picture.

    Attributes
    ----------
    pixels
        uint8, (height, width, 4), BGRA as screens have it, the colours multiplied by their opacity.
    left, top
        Where the part begins, in pixels of the picture.
    contours
        Closed lines where the map passes `CONTOUR_LEVEL`: each float32, (n, 2), x and y in pixels
        of the picture. They are drawn in `CONTOUR_COLOUR` on `CONTOUR_EDGE`, whatever the opacity,
        so that the area is marked by shape as well as by colour.
    thickness
        Of their lines in pixels; the edge is three times as wide.
    """

    pixels: NDArray[np.uint8]
    left: int
    top: int
    contours: tuple[NDArray[np.float32], ...]
    thickness: int


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
        In the perceptually uniform colour map "inferno" (van der Walt & Smith). None where the map
        is empty.
    """
    # One byte a pixel is all that the screen can tell apart, and much faster than four.
    coarse = np.rint(np.clip(saliency, 0, 1) * 255).astype(np.uint8)
    square = _COARSE if _steepness(coarse, size) <= _GENTLE else _FINE
    scaled = (-(-size[0] // square), -(-size[1] // square))
    levels = np.asarray(cv2.resize(coarse, scaled, interpolation=cv2.INTER_CUBIC), np.uint8)
    x, y, across, down = cv2.boundingRect(levels)
    if across == 0:
        return None
    shown = levels[y : y + down, x : x + across]
    # Each level is so many pixels in a row at once; then each row is written so many times.
    rows = np.take(_translucent(opacity, square), shown, axis=0).reshape(down, -1)
    left, top = square * x, square * y
    # The last squares may lie half outside.
    pixels = np.empty((min(square * down, size[1] - top), min(square * across, size[0] - left)),
                      np.uint32)  # fmt: skip
    for first in range(square):
        same = pixels[first::square]
        same[:] = rows[: len(same), : pixels.shape[1]]
    return Layer(
        pixels=pixels.view(np.uint8).reshape(*pixels.shape, 4),
        left=left,
        top=top,
        contours=tuple((line + 0.5) * square - 0.5 for line in _contours(levels)),
        thickness=max(2, round(size[1] / 250)),
    )


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
    for line in layer.contours:
        rough, fine = (np.rint(line * 2**bits).astype(np.int32) for bits in (0, _FRACTION))
        cv2.polylines(mixed, [rough], True, CONTOUR_EDGE, 3 * layer.thickness)
        cv2.polylines(mixed, [fine], True, CONTOUR_COLOUR, layer.thickness, cv2.LINE_AA, _FRACTION)
    return mixed


def colour_scale(steps: int) -> NDArray[np.uint8]:
    """Return the colours of the overlay from little to much: uint8, (steps, 3), RGB."""
    return np.asarray(_inferno()[np.linspace(0, 255, steps).round().astype(np.intp)], np.uint8)


def _steepness(levels: NDArray[np.uint8], size: tuple[int, int]) -> float:
    """Return by how much a map changes at most from one pixel of a picture to the next."""
    rows, columns = levels.shape
    across = down = 0.0
    if columns > 1:
        across = cv2.norm(levels[:, 1:], levels[:, :-1], cv2.NORM_INF) * columns / size[0]
    if rows > 1:
        down = cv2.norm(levels[1:], levels[:-1], cv2.NORM_INF) * rows / size[1]
    return max(across, down)


def _contours(levels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Return the lines where a map passes `CONTOUR_LEVEL`: each float32, (n, 2), x and y."""
    inside = cv2.threshold(levels, round(CONTOUR_LEVEL * 255) - 1, 1, cv2.THRESH_BINARY)[1]
    found, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return [_smoothed(line[:, 0].astype(np.float32)) for line in found]


def _smoothed(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return every other point of a closed line, each averaged with its neighbours."""
    if len(line) <= _SMOOTHED:
        return line
    around = np.concatenate((np.zeros((1, 2), np.float32), line, line[: _SMOOTHED - 1]))
    sums = around.cumsum(axis=0, dtype=np.float32)
    return np.asarray((sums[_SMOOTHED::2] - sums[:-_SMOOTHED:2]) / _SMOOTHED, np.float32)


@lru_cache(maxsize=4)
def _translucent(opacity: float, count: int) -> NDArray[np.uint32]:
    """Return pixels of each level, so many alike: uint32, (256, count).

    Each is four bytes (BGRA, multiplied) in one number.
    """
    pixels = np.empty((256, 4), np.uint8)
    level = np.linspace(0.0, 1.0, 256)
    # The lowest tenth fades out, or the map would end in a line of its own.
    alpha = np.sqrt(level) * np.minimum(1.0, level / 0.1) * opacity
    pixels[:, :3] = np.rint(_inferno()[:, ::-1] * alpha[:, None])
    pixels[:, 3] = np.rint(alpha * 255)
    return np.repeat(pixels.view(np.uint32), count, axis=1)


@lru_cache(maxsize=1)
def _inferno() -> NDArray[np.uint8]:
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1], np.uint8)
