"""What the ABCD rule of dermoscopy measures on a lesion.

Nachbar et al. 1994, doi:10.1016/S0190-9622(94)70061-3: asymmetry, border, colour, diameter.
"""

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
    index, axes = _asymmetry(lesion)
    line = boundary(lesion)
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
