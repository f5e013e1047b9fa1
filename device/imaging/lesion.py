"""The lesion's outline, and what the ABCD rule of dermoscopy measures on it.

Nachbar et al. 1994, doi:10.1016/S0190-9622(94)70061-3: asymmetry, border, colour, diameter.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

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

# The six colours of the ABCD rule, as CIELAB values read off dermoscopic colour charts
# (Seidenari et al. 2003): L from 0 to 100, a and b around 0.
ABCD_COLOURS: Final = {
    "white": (88.0, 4.0, 8.0),
    "red": (52.0, 42.0, 24.0),
    "light brown": (60.0, 18.0, 30.0),
    "dark brown": (32.0, 18.0, 20.0),
    "blue-grey": (42.0, 2.0, -6.0),
    "black": (12.0, 3.0, 3.0),
}
_COLOUR_SHARE: Final = 0.05


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
    skin
        What is lit and not the lesion: bool, (`LOCATING_SIDE`, `LOCATING_SIDE`), or None where
        nothing stands out.
    """

    contrast: float
    off_centre: float
    skin: Mask | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AbcdMeasures:
    """What is measured of a lesion, by the names of the ABCD rule; it has no total score here.

    Attributes
    ----------
    asymmetry
        Axes of two about which the lesion does not fold onto itself: 0, 1 or 2.
    asymmetry_index
        Share of the area that does not fold, the mean of both axes, 0 to 1.
    border_irregularity
        Perimeter squared over 4 pi area: 1 for a circle, more for a ragged outline.
    colours
        Which of the six colours cover at least a twentieth of the lesion.
    diameter
        Largest extent of the outline, in parts of the field of view's side.
    area
        In parts of the field of view.
    diameter_mm
        In millimetres, or None where the optics are not calibrated.
    """

    asymmetry: int
    asymmetry_index: float
    border_irregularity: float
    colours: tuple[str, ...]
    diameter: float
    area: float
    diameter_mm: float | None = None


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


def locate_lesion(field: NDArray[np.uint8]) -> LesionPosition:
    """Return where the lesion lies: `outline` in short, for every frame of a live view.

    Parameters
    ----------
    field
        The field of view: uint8, (side, side, 3), RGB.
    """
    # Hairs are thinner than a pixel of so small a picture: they need no filling.
    distance = _distance_from_skin(_reduced(_in_whole_blocks(field), LOCATING_SIDE))
    part = _largest_central(_standing_out(distance))
    if part is None:
        return LesionPosition(0.0, 0.0)
    inside, (x, y) = part
    lit = distance > 0.0
    apart = _mean(distance, inside) - _mean(distance, lit & ~inside)
    if apart < _LEAST_CONTRAST:
        return LesionPosition(0.0, 0.0)
    middle = (LOCATING_SIDE - 1) / 2
    away = np.hypot(x - middle, y - middle) / (LOCATING_SIDE / 2)
    # The pixel next to the lesion is its border's blur.
    spared = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return LesionPosition(apart, float(away), lit & ~spared)


def working_image(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the field of view at the size that outlines are drawn on."""
    return _reduced(field, WORKING_SIDE)


def lesion_contour(lesion: Mask) -> NDArray[np.float32]:
    """Return a lesion's border as a closed line: float32, (n, 2), x and y in parts of the side.

    Parameters
    ----------
    lesion
        As `outline` returns it.
    """
    line = _border(lesion)[:, 0, :].astype(np.float32)
    return np.asarray((line + 0.5) / len(lesion), np.float32)


def measure_abcd(
    field: NDArray[np.uint8], lesion: Mask, mm_per_pixel: float | None = None
) -> AbcdMeasures:
    """Measure a lesion.

    Parameters
    ----------
    field
        The field of view: uint8, (side, side, 3), RGB.
    lesion
        As `outline` returns it.
    mm_per_pixel
        Millimetres to a pixel of `field` (`device.optics`), where the optics are calibrated.
    """
    index, axes = _asymmetry(lesion)
    line = _border(lesion)
    area = max(cv2.contourArea(line), 1.0)
    perimeter = cv2.arcLength(line, closed=True)
    hull = cv2.convexHull(line)[:, 0, :].astype(np.float64)
    extents = np.linalg.norm(hull[:, None] - hull[None, :], axis=2)
    diameter = float((extents.max() + 1.0) / WORKING_SIDE)
    return AbcdMeasures(
        asymmetry=axes,
        asymmetry_index=index,
        border_irregularity=float(perimeter**2 / (4.0 * np.pi * area)),
        colours=_colours(working_image(field), lesion),
        diameter=diameter,
        area=float(lesion.mean()),
        diameter_mm=None if mm_per_pixel is None else diameter * len(field) * mm_per_pixel,
    )


def _without_hairs(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill thin dark lines with what surrounds them (after DullRazor, Lee et al. 1997)."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_HAIR_KERNEL, _HAIR_KERNEL))
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    hairs = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel) > _HAIR_DEPTH
    hairs = cv2.dilate(hairs.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    filled = np.where(hairs[:, :, None], cv2.morphologyEx(pixels, cv2.MORPH_CLOSE, kernel), pixels)
    return np.asarray(cv2.GaussianBlur(filled, (0, 0), _SMOOTHING), np.uint8)


def _border(lesion: Mask) -> NDArray[np.int32]:
    contours, _ = cv2.findContours(
        lesion.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    return np.asarray(max(contours, key=cv2.contourArea), np.int32)


def _distance_from_skin(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    lit = lab[:, :, 0] > _UNLIT
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


def _largest_central(mask: Mask) -> tuple[Mask, tuple[float, float]] | None:
    """Return the largest part near the centre, and its centre: x and y in pixels."""
    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    away = np.hypot(*((centres[1:] / len(mask) - 0.5).T))
    weight = stats[1:, cv2.CC_STAT_AREA] * np.exp(-((away / _NEAR) ** 2))
    chosen = 1 + int(weight.argmax())
    x, y = centres[chosen]
    return np.asarray(labels == chosen), (float(x), float(y))


def _central_part(mask: Mask) -> Mask | None:
    found = _largest_central(mask)
    if found is None:
        return None
    part = found[0].astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    for step in (cv2.MORPH_OPEN, cv2.MORPH_CLOSE):
        part = cv2.morphologyEx(part, step, kernel).astype(np.uint8)
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    solid = np.zeros_like(part)
    cv2.drawContours(solid, [max(contours, key=cv2.contourArea)], -1, 1, -1)
    return solid.astype(bool) if solid.mean() >= _SMALLEST_SHARE else None


def _asymmetry(lesion: Mask) -> tuple[float, int]:
    """Return the share of the area that does not fold onto itself, and how many axes fail."""
    mask = lesion.astype(np.float32)
    moments = cv2.moments(mask, binaryImage=True)
    centre = (moments["m10"] / moments["m00"], moments["m01"] / moments["m00"])
    turn = 0.5 * np.degrees(np.arctan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"]))
    side = len(lesion)
    matrix = cv2.getRotationMatrix2D(centre, float(turn), 1.0)
    matrix[0, 2] += (side - 1) / 2 - centre[0]
    matrix[1, 2] += (side - 1) / 2 - centre[1]
    upright = cv2.warpAffine(mask, matrix, (side, side)) > 0.5
    area = max(int(upright.sum()), 1)
    failing = [
        float((upright ^ upright[::-1]).sum() / (2 * area)) for upright in (upright, upright.T)
    ]
    # Folding loses a tenth of the area in lesions that clinicians call symmetric.
    return float(np.mean(failing)), sum(f > 0.10 for f in failing)


def _colours(pixels: NDArray[np.uint8], lesion: Mask) -> tuple[str, ...]:
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)[lesion]
    charts = np.array(list(ABCD_COLOURS.values()), np.float32)
    nearest = np.linalg.norm(lab[:, None, :] - charts[None], axis=2).argmin(axis=1)
    shares = np.bincount(nearest, minlength=len(charts)) / max(len(nearest), 1)
    return tuple(
        name for name, share in zip(ABCD_COLOURS, shares, strict=True) if share >= _COLOUR_SHARE
    )
