"""Where the lesion is: its outline, and in short its place for every frame of a live view."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.imaging.hair import hair_mask

Mask = NDArray[np.bool_]

WORKING_SIDE: Final = 150
"""Outlines are drawn on the field of view reduced to this side, in pixels."""

LOCATING_SIDE: Final = 48
"""Lesions are located on the field of view reduced to this side, in pixels."""

_HAIR_KERNEL: Final = 9
_HAIR_DEPTH: Final = 14
_SMOOTHING: Final = 2.0
_UNLIT: Final = 15.0
_RIM: Final = 0.9
_FALL_FROM: Final = 0.6
_FALL_WIDTH: Final = 0.5
_THRESHOLD_FACTOR: Final = 0.85
_NEAR: Final = 0.25
_SMALLEST_SHARE: Final = 0.002
_LEAST_CONTRAST: Final = 1.0
_ALL_BUT_DOTS: Final = 0.98
_DOT_TIMES: Final = 2.0
_DOT_CONTRAST: Final = 3.5
_ANOTHER_AREA: Final = 0.3
_ANOTHER_CONTRAST: Final = 0.6


@dataclass(frozen=True, slots=True)
class LesionPosition:
    """Where a lesion lies, as far as a small picture shows it.

    Attributes
    ----------
    contrast
        How much further the lesion's colour is from the skin at the rim than what lies around the
        lesion, in units of CIELAB; 0 where nothing stands out.
    off_centre
        From the middle of the field of view to the lesion's, in half sides: 0 to the square root
        of 2; 0 where nothing stands out.
    extent
        How wide or high the lesion is, whichever is more, in sides; 1 where nothing stands out.
    cut_off
        Share of the field's edge that the lesion covers, 0 to 1: it is larger than the field.
    another
        Whether a second lesion of a like size and colour is in the field.
    lesion
        Where it is: bool, (`LOCATING_SIDE`, `LOCATING_SIDE`), or None where nothing stands out.
    """

    contrast: float
    off_centre: float
    extent: float = 1.0
    cut_off: float = 0.0
    another: bool = False
    lesion: Mask | None = field(default=None, compare=False)


def segment_lesion(field: NDArray[np.uint8]) -> Mask | None:
    """Return where the lesion is, or None where none stands out.

    Hairs are filled in, the distance of every pixel from the colour of the skin at the rim is
    taken in CIELAB, and Otsu's threshold divides it; the largest part near the centre is kept.

    Parameters
    ----------
    field
        The field of view: uint8, (side, side, 3), RGB.

    Returns
    -------
    numpy.ndarray or None
        bool, (`WORKING_SIDE`, `WORKING_SIDE`).
    """
    pixels = working_image(field)
    return _central_part(_standing_out(_distance_from_skin(_without_hairs(pixels))))


def locate_lesion(field: NDArray[np.uint8], hidden: Mask | None = None) -> LesionPosition:
    """Return where the lesion lies: `segment_lesion` in short, for every live frame.

    Parameters
    ----------
    field
        The field of view: uint8, (side, side, 3), RGB.
    hidden
        Where reflections hide it: bool, (`LOCATING_SIDE`, `LOCATING_SIDE`).
    """
    # Hairs are thinner than a pixel of so small a picture: they need no filling.
    distance = _distance_from_skin(_reduced(_in_whole_blocks(field), LOCATING_SIDE))
    if hidden is not None:
        distance = np.where(hidden, np.float32(0.0), distance)
    parts = _parts(_standing_out(distance))
    lit = distance > 0.0
    apart = 0.0 if parts is None else _apart(distance, lit, parts)
    if apart < _LEAST_CONTRAST:
        # A lesion of two hundredths of the width is lost among all that skin.
        parts = _parts(_dots(distance))
        apart = 0.0 if parts is None else _apart(distance, lit, parts)
    if parts is None or apart < _LEAST_CONTRAST:
        return LesionPosition(0.0, 0.0)
    inside = parts.inside
    middle = (LOCATING_SIDE - 1) / 2
    x, y = parts.centres[parts.chosen]
    away = np.hypot(x - middle, y - middle) / (LOCATING_SIDE / 2)
    size = parts.stats[parts.chosen, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    return LesionPosition(
        apart,
        float(away),
        extent=float(size.max()) / LOCATING_SIDE,
        cut_off=_cut_off(inside),
        another=_another(parts, distance),
        lesion=inside,
    )


def working_image(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the field of view at the size that outlines are drawn on."""
    return _reduced(field, WORKING_SIDE)


def lesion_contour(lesion: Mask) -> NDArray[np.float32]:
    """Return a lesion's border as a closed line: float32, (n, 2), x and y in parts of the side.

    Parameters
    ----------
    lesion
        As `segment_lesion` returns it.
    """
    line = boundary(lesion)[:, 0, :].astype(np.float32)
    return np.asarray((line + 0.5) / len(lesion), np.float32)


def _without_hairs(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill thin dark lines with what surrounds them (after DullRazor, Lee et al. 1997)."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_HAIR_KERNEL, _HAIR_KERNEL))
    hairs = hair_mask(pixels, _HAIR_KERNEL, _HAIR_DEPTH)
    hairs = cv2.dilate(hairs.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    filled = np.where(hairs[:, :, None], cv2.morphologyEx(pixels, cv2.MORPH_CLOSE, kernel), pixels)
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), _SMOOTHING), np.uint8)


def open_to_the_edge(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the parts of a mask that touch the picture's edge.

    Parameters
    ----------
    mask
        uint8, (height, width), 255 inside.
    """
    wide = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=255)
    cv2.floodFill(wide, None, (0, 0), 128)
    return np.asarray(cv2.inRange(wide[1:-1, 1:-1], 128, 128), np.uint8)


def runs_out(lesion: Mask) -> bool:
    """Return whether a lesion reaches the edge of the field of view: not all of it is seen."""
    edges = (lesion[0], lesion[-1], lesion[:, 0], lesion[:, -1])
    return any(bool(edge.any()) for edge in edges)


def boundary(lesion: Mask) -> NDArray[np.int32]:
    """Return the pixels of a lesion's outer boundary in order: int32, (n, 1, 2), x and y.

    Parameters
    ----------
    lesion
        As `segment_lesion` returns it.
    """
    contours, _ = cv2.findContours(
        lesion.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    return np.asarray(max(contours, key=cv2.contourArea), np.int32)


def _distance_from_skin(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    # What is black in the middle is a lesion, and not the stop or what it lets no light through.
    dark = np.where(lab[:, :, 0] > _UNLIT, 0, 255).astype(np.uint8)
    lit = open_to_the_edge(dark) == 0
    rim = lit & (_radius(len(pixels)) > _RIM)
    reference = rim if np.count_nonzero(rim) > rim.size // 100 else lit
    if not reference.any():
        return np.zeros(lit.shape, np.float32)
    lightness, a, b = cv2.split(lab - np.median(lab[reference], axis=0))
    distance = cv2.magnitude(cv2.magnitude(lightness, a), b)
    return np.where(lit, distance, np.float32(0.0))


def _standing_out(distance: NDArray[np.float32]) -> Mask:
    """Divide what is far from the skin's colour from the rest; the rim counts less."""
    # A quarter of a CIELAB unit a step, as far as 8 bits reach.
    steps = np.clip(distance * _fall(len(distance)), 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(steps, 0, 255, cv2.THRESH_OTSU)
    return np.asarray(steps > threshold * _THRESHOLD_FACTOR)


@lru_cache(maxsize=4)
def _fall(side: int) -> NDArray[np.float32]:
    beyond = np.maximum(_radius(side) - _FALL_FROM, 0) / _FALL_WIDTH
    return np.asarray(4.0 * np.exp(-(beyond**2)), np.float32)


def _mean(values: NDArray[np.float32], mask: Mask) -> float:
    """Return the mean where the mask is set; 0 where it is nowhere."""
    return cv2.mean(values, mask=mask.view(np.uint8))[0]


def _in_whole_blocks(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a field made smaller by a whole number: several times as fast as by a fraction."""
    whole = len(field) // LOCATING_SIDE
    side = len(field) // max(1, whole)
    return _reduced(field[: side * whole, : side * whole], side) if whole > 1 else field


def _reduced(field: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    how = cv2.INTER_AREA if field.shape[0] > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(field, (side, side), interpolation=how), np.uint8)


@lru_cache(maxsize=4)
def _radius(side: int) -> NDArray[np.float64]:
    """Return each pixel's distance from the centre, in half sides."""
    x = (np.arange(side) + 0.5) / side * 2.0 - 1.0
    return np.asarray(np.hypot(x[:, None], x[None, :]))


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What stands out, in connected parts; `chosen` is the largest near the centre."""

    labels: NDArray[np.int32]
    stats: NDArray[np.int32]
    centres: NDArray[np.float64]
    chosen: int

    @property
    def inside(self) -> Mask:
        return np.asarray(self.labels == self.chosen)


def _parts(mask: Mask) -> _Parts | None:
    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    away = np.hypot(*((centres[1:] / len(mask) - 0.5).T))
    weight = stats[1:, cv2.CC_STAT_AREA] * np.exp(-((away / _NEAR) ** 2))
    return _Parts(
        np.asarray(labels, np.int32),
        np.asarray(stats, np.int32),
        np.asarray(centres),
        1 + int(weight.argmax()),
    )


def _apart(distance: NDArray[np.float32], lit: Mask, parts: _Parts) -> float:
    """Return how much further the chosen part is from the skin's colour than the rest."""
    return _mean(distance, parts.inside) - _mean(distance, lit & ~parts.inside)


def _dots(distance: NDArray[np.float32]) -> Mask:
    """Return what is much further from the skin's colour than nearly all else, and little of it."""
    most = float(np.quantile(distance, _ALL_BUT_DOTS))
    return np.asarray(distance > max(_DOT_TIMES * most, _DOT_CONTRAST)) & (
        _radius(len(distance)) < _RIM
    )


def _cut_off(inside: Mask) -> float:
    """Return the share of the field's edge that a part covers."""
    radius = _radius(len(inside))
    edge = (radius >= _RIM) & (radius < 1.0)
    return float(np.count_nonzero(inside & edge) / np.count_nonzero(edge))


def _another(parts: _Parts, distance: NDArray[np.float32]) -> bool:
    """Return whether there is a second part much like the chosen one, away from the edge."""
    areas = parts.stats[:, cv2.CC_STAT_AREA]
    mean = np.bincount(parts.labels.ravel(), weights=distance.ravel()) / np.maximum(areas, 1)
    width, height = parts.stats[:, cv2.CC_STAT_WIDTH], parts.stats[:, cv2.CC_STAT_HEIGHT]
    like = (
        (areas >= _ANOTHER_AREA * areas[parts.chosen])
        & (mean >= _ANOTHER_CONTRAST * mean[parts.chosen])
        # Compact: neither a hair nor a fold.
        & (areas >= 0.5 * width * height)
        & (np.minimum(width, height) >= 0.5 * np.maximum(width, height))
    )
    like[[0, parts.chosen]] = False
    radius = _radius(len(distance))
    return any(radius[parts.labels == label].max() < 1.0 for label in np.flatnonzero(like))


def _central_part(mask: Mask) -> Mask | None:
    found = _parts(mask)
    if found is None:
        return None
    part = found.inside.astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    for step in (cv2.MORPH_OPEN, cv2.MORPH_CLOSE):
        part = cv2.morphologyEx(part, step, kernel).astype(np.uint8)
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    solid = np.zeros_like(part)
    cv2.drawContours(solid, [max(contours, key=cv2.contourArea)], -1, 1, -1)
    return solid.astype(bool) if solid.mean() >= _SMALLEST_SHARE else None
