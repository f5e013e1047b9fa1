"""What the ABCD rule of dermoscopy measures on a lesion.

Nachbar et al. 1994, doi:10.1016/S0190-9622(94)70061-3: asymmetry, border, colour, diameter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.imaging.lesion import WORKING_SIDE, Mask, boundary, working_image

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

STRUCTURES: Final = (1, 2, 3, 4, 5)
"""How many kinds of structures the rule counts: network, structureless areas, branched streaks,
dots and globules. Nobody but the clinician counts them here."""

BENIGN_BELOW: Final = 4.75
MELANOMA_ABOVE: Final = 5.45
"""The rule's usual limits of its total score; what lies between is suspicious."""

_SHAPE_APART: Final = 0.10
"""Folding loses a tenth of the area in lesions that clinicians call symmetric."""

_COLOUR_APART: Final = 8.0
_STRUCTURE_APART: Final = 0.3
_ABRUPT: Final = 0.45
"""In units of CIELAB, in parts of the mean, in parts of the contrast with the skin: a tenth to a
fifth of the naevi of three collections reach each."""

_SMOOTHING: Final = 3.0
_STRUCTURE_SIDE: Final = 7
_BORDER: Final = (1.0, 4.0)
"""Pixels from the outline between which the sides of a border are compared."""

_SEGMENTS: Final = 8
_LEAST_CONTRAST: Final = 4.0


@dataclass(frozen=True, slots=True)
class AbcdMeasures:
    """What is measured of a lesion, by the names of the ABCD rule.

    Attributes
    ----------
    asymmetry
        Axes of two about which the lesion does not fold onto itself: 0, 1 or 2.
    asymmetric_in
        In what it does not: ``shape``, ``colour``, ``structure``.
    border
        Eighths of the outline at which the pigment ends abruptly: 0 to 8, or None in records that
        do not have it.
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
    asymmetric_in: tuple[str, ...] = ()
    border: int | None = None

    def total_score(self, structures: int) -> float | None:
        """Return the rule's total dermoscopy score, 1.0 to 8.9, or None without the border.

        Parameters
        ----------
        structures
            How many kinds of structures there are: 1 to 5.
        """
        if self.border is None:
            return None
        score = 1.3 * self.asymmetry + 0.1 * self.border
        return score + 0.5 * len(self.colours) + 0.5 * structures


def measure_abcd(
    field: NDArray[np.uint8], lesion: Mask, mm_per_pixel: float | None = None
) -> AbcdMeasures:
    """Measure a lesion.

    Parameters
    ----------
    field
        The field of view: uint8, (side, side, 3), RGB.
    lesion
        As `device.imaging.lesion.segment_lesion` returns it.
    mm_per_pixel
        Millimetres to a pixel of `field` (`device.optics`), where the optics are calibrated.
    """
    pixels = working_image(field)
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB).astype(np.float32)
    index, apart = _asymmetry(lesion, lab)
    line = boundary(lesion)
    area = max(cv2.contourArea(line), 1.0)
    perimeter = cv2.arcLength(line, closed=True)
    hull = cv2.convexHull(line)[:, 0, :].astype(np.float64)
    extents = np.linalg.norm(hull[:, None] - hull[None, :], axis=2)
    diameter = float((extents.max() + 1.0) / WORKING_SIDE)
    return AbcdMeasures(
        asymmetry=sum(bool(axis) for axis in apart),
        asymmetric_in=tuple(name for name in _FOLDED if any(name in axis for axis in apart)),
        border=_abrupt_segments(lesion, lab),
        asymmetry_index=index,
        border_irregularity=float(perimeter**2 / (4.0 * np.pi * area)),
        colours=_colours(lab, lesion),
        diameter=diameter,
        area=float(lesion.mean()),
        diameter_mm=None if mm_per_pixel is None else diameter * len(field) * mm_per_pixel,
    )


_FOLDED: Final = ("shape", "colour", "structure")


def _asymmetry(lesion: Mask, lab: NDArray[np.float32]) -> tuple[float, list[frozenset[str]]]:
    """Return the share of the area that does not fold, and by axis what does not."""
    lightness = lab[:, :, 0]
    mean = cv2.blur(lightness, (_STRUCTURE_SIDE, _STRUCTURE_SIDE))
    square = cv2.blur(lightness**2, (_STRUCTURE_SIDE, _STRUCTURE_SIDE))
    structure = np.sqrt(np.maximum(square - mean**2, 0.0)).astype(np.float32)
    upright = _upright(lesion)
    shape = upright(lesion.astype(np.float32)) > 0.5
    colour, texture = (
        upright(cv2.GaussianBlur(values, (0, 0), _SMOOTHING).astype(np.float32))
        for values in (lab, structure)
    )
    area = max(int(shape.sum()), 1)
    lost, apart = [], []
    for fold in (np.flipud, np.fliplr):
        both = shape & fold(shape)
        lost.append(float((shape ^ fold(shape)).sum() / (2 * area)))
        if not both.any():
            apart.append(frozenset({"shape"}))
            continue
        colours = np.linalg.norm(colour - fold(colour), axis=2)[both].mean()
        rough = np.abs(texture - fold(texture))[both].mean() / max(texture[both].mean(), 0.5)
        checks = (
            lost[-1] > _SHAPE_APART, colours > _COLOUR_APART, rough > _STRUCTURE_APART,
        )  # fmt: skip
        apart.append(frozenset(name for name, far in zip(_FOLDED, checks, strict=True) if far))
    return float(np.mean(lost)), apart


def _upright(lesion: Mask) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return what turns a picture so that the lesion's axes lie along its sides."""
    moments = cv2.moments(lesion.astype(np.float32), binaryImage=True)
    centre = (moments["m10"] / moments["m00"], moments["m01"] / moments["m00"])
    turn = 0.5 * np.degrees(np.arctan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"]))
    side = len(lesion)
    matrix = cv2.getRotationMatrix2D(centre, float(turn), 1.0)
    matrix[0, 2] += (side - 1) / 2 - centre[0]
    matrix[1, 2] += (side - 1) / 2 - centre[1]

    def turned(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.warpAffine(picture, matrix, (side, side)), np.float32)

    return turned


def _abrupt_segments(lesion: Mask, lab: NDArray[np.float32]) -> int:
    """Return at how many eighths of the outline most of the contrast with the skin is lost."""
    near, far = _BORDER
    inside, outside = (
        cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 5) for part in (lesion, ~lesion)
    )
    core, skin = inside > far, outside > far
    contrast = np.median(lab[core if core.any() else lesion], axis=0) - np.median(
        lab[skin if skin.any() else ~lesion], axis=0
    )
    least = _ABRUPT * max(float(np.linalg.norm(contrast)), _LEAST_CONTRAST)
    rows, columns = np.nonzero(lesion)
    y, x = np.indices(lesion.shape)
    angle = np.arctan2(y - rows.mean(), x - columns.mean()) + np.pi
    segment = (angle / (2.0 * np.pi) * _SEGMENTS).astype(np.int64) % _SEGMENTS
    within = (inside > near) & (inside <= far)
    beyond = (outside > near) & (outside <= far)
    found = 0
    for number in range(_SEGMENTS):
        own = segment == number
        if (within & own).any() and (beyond & own).any():
            step = lab[within & own].mean(axis=0) - lab[beyond & own].mean(axis=0)
            found += bool(np.linalg.norm(step) > least)
    return found


def _colours(lab: NDArray[np.float32], lesion: Mask) -> tuple[str, ...]:
    charts = np.array(list(ABCD_COLOURS.values()), np.float32)
    nearest = np.linalg.norm(lab[lesion][:, None, :] - charts[None], axis=2).argmin(axis=1)
    shares = np.bincount(nearest, minlength=len(charts)) / max(len(nearest), 1)
    return tuple(
        name for name, share in zip(ABCD_COLOURS, shares, strict=True) if share >= _COLOUR_SHARE
    )
