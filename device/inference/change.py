"""What has changed between two pictures of one lesion, and what is no more than chance.

Two shots of one day differ, too. By how much, `tests.device.imaging.repeat_shots` measures: see
`NOISE`. A change that is smaller is none.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.imaging.abcd import AbcdMeasures
from device.imaging.lesion import runs_out, segment_lesion
from device.imaging.lesion_colour import colour_beside_skin
from device.inference.finding import Finding


class Measure(StrEnum):
    """What is compared."""

    AREA = "area"
    DIAMETER = "diameter"
    ASYMMETRY = "asymmetry"
    COLOUR = "colour"
    MALIGNANCY = "malignancy"


NOISE: Final[Mapping[Measure, float]] = {
    Measure.AREA: 0.27,
    Measure.DIAMETER: 0.19,
    Measure.ASYMMETRY: 0.071,
    Measure.COLOUR: 8.3,
    Measure.MALIGNANCY: 0.69,
}
"""By how much two shots of an unchanged lesion differ: natural logarithms of area and diameter,
asymmetry as it is, distance in CIELAB, logits of malignancy. Each is the largest of its column:

=================================  ======  ========  =========  ======  ==========
measured on                        area    diameter  asymmetry  CIELAB  malignancy
=================================  ======  ========  =========  ======  ==========
HAM10000, 235 drawn pairs, 95 %    0.112   0.069     0.028      3.5     0.69
MILK10k, 146 drawn pairs, 95 %     0.218   0.189     0.057      2.7     0.64
HAM10000, 63 real pairs, 80 %      0.274   0.079     0.071      8.3
=================================  ======  ========  =========  ======  ==========

A drawn pair is one picture as the same hand would take it twice; the model is slim-96. The real
pairs are of one lesion that was not followed up, registered, turned against each other, and of
about one magnification. They are not all of one day, nor of one camera and light: of these four in
five are counted, as one outline in ten is another lesion's extent altogether (95 in 100 pairs: a
factor of 2.7 in area). What is said to have changed is therefore to be looked at, not believed.
"""

_SUREST: Final = 0.999
"""No probability is so near to 0 or 1 that its logit says anything."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is compared of one picture.

    Attributes
    ----------
    area, diameter
        In parts of the field of view and of its side.
    asymmetry
        Share of the area that does not fold onto itself, 0 to 1.
    colour
        CIELAB, lesion less skin.
    malignancy
        Probability of the malignant group; None where it cannot be compared.
    field_mm
        Millimetres of the field's side, or None where the optics are not calibrated.
    """

    area: float
    diameter: float
    asymmetry: float
    colour: tuple[float, float, float]
    malignancy: float | None = None
    field_mm: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one measure.

    Attributes
    ----------
    measure
        Which.
    before, after
        The diameter in millimetres where the optics are calibrated, else None, as is the area;
        asymmetry and malignancy as they are, 0 to 1. A colour has neither.
    difference
        Of area and diameter in parts of what it was; of asymmetry and malignancy what was added; of
        a colour its distance in CIELAB.
    uncertainty
        In the same unit, and in the difference's own direction: 95 in 100 pairs of shots of one day
        differ by less.
    changed
        Whether the difference is larger.
    """

    measure: Measure
    before: float | None
    after: float | None
    difference: float
    uncertainty: float
    changed: bool


def sight(
    field: NDArray[np.uint8], measures: AbcdMeasures | None, finding: Finding | None
) -> Sight | None:
    """Return what is compared of a picture, or None where it does not show one whole lesion.

    Parameters
    ----------
    field
        The field of view: uint8, (side, side, 3), RGB.
    measures, finding
        Of the same picture.
    """
    lesion = segment_lesion(field)
    if measures is None or lesion is None or runs_out(lesion):
        return None
    millimetres = measures.diameter_mm
    return Sight(
        area=measures.area,
        diameter=measures.diameter,
        asymmetry=measures.asymmetry_index,
        colour=colour_beside_skin(field, lesion),
        malignancy=finding.malignancy if finding and finding.rankable else None,
        field_mm=None if millimetres is None else millimetres / measures.diameter,
    )


def changes(earlier: Sight, later: Sight, scale: float | None) -> tuple[Change, ...]:
    """Return what became of every measure that can be compared.

    Parameters
    ----------
    scale
        How much larger the skin is in the earlier picture than in the later one
        (`device.imaging.registration`); None where that is not known. Calibrated optics are
        believed before it: a lesion that has grown evenly looks like one that was held nearer.
    """
    if earlier.field_mm and later.field_mm:
        scale = later.field_mm / earlier.field_mm
    found = []
    if scale is not None:
        diameters = _millimetres(earlier), _millimetres(later)
        area = math.log(later.area * scale**2 / earlier.area)
        diameter = math.log(later.diameter * scale / earlier.diameter)
        found += [_relative(Measure.AREA, area), _relative(Measure.DIAMETER, diameter, *diameters)]
    found += [
        _added(Measure.ASYMMETRY, earlier.asymmetry, later.asymmetry, NOISE[Measure.ASYMMETRY]),
        _colour(math.dist(earlier.colour, later.colour)),
    ]
    if earlier.malignancy is not None and later.malignancy is not None:
        found.append(_malignancy(earlier.malignancy, later.malignancy))
    return tuple(found)


def _millimetres(one: Sight) -> float | None:
    return None if one.field_mm is None else one.diameter * one.field_mm


def _relative(
    measure: Measure, logarithm: float, before: float | None = None, after: float | None = None
) -> Change:
    noise = NOISE[measure]
    # A third more is as much as a quarter less.
    width = abs(math.expm1(math.copysign(noise, logarithm)))
    return Change(measure, before, after, math.expm1(logarithm), width, abs(logarithm) > noise)


def _added(measure: Measure, before: float, after: float, noise: float) -> Change:
    return Change(measure, before, after, after - before, noise, abs(after - before) > noise)


def _colour(distance: float) -> Change:
    noise = NOISE[Measure.COLOUR]
    return Change(Measure.COLOUR, None, None, distance, noise, distance > noise)


def _malignancy(before: float, after: float) -> Change:
    """Compare probabilities by their logits: near 0 and 1 they move less."""
    noise = NOISE[Measure.MALIGNANCY]
    start, end = _logit(before), _logit(after)
    width = abs(_share(start + math.copysign(noise, end - start)) - _share(start))
    return Change(
        Measure.MALIGNANCY, before, after, after - before, width, abs(end - start) > noise
    )


def _logit(share: float) -> float:
    clipped = max(1 - _SUREST, min(share, _SUREST))
    return math.log(clipped / (1 - clipped))


def _share(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
