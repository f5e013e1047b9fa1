"""Is this frame good enough to be judged? Measured numbers, and a reason to act on."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final, Literal

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

Shortcoming = Literal["not-in-contact", "too-dark", "too-bright", "glare", "out-of-focus"]

MEASURING_SIDE: Final = 144
"""The field of view is reduced to this side (pixels) first, so that a measure means the same for
every camera; it is just below what the smallest training images hold (150)."""

_UNLIT: Final = 16
_GLARE: Final = 245

_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class QualityLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The bundle's limits; each names the measure of `Quality` that it bounds.

    Attributes
    ----------
    derived_from
        The data that the limits were derived from, and how.
    """

    focus_min: Annotated[float, msgspec.Meta(ge=0.0)]
    exposure_min: _Share
    exposure_max: _Share
    glare_max: _Share
    coverage_min: _Share
    derived_from: str


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured of one field of view.

    Attributes
    ----------
    focus
        Standard deviation of the Laplacian of the luminance, in grey levels, where the field is
        lit (Pech-Pacheco et al. 2000, doi:10.1109/ICPR.2000.903548).
    exposure
        Mean luminance where the field is lit, 0 to 1.
    glare
        Share of the lit field that is white with reflection, 0 to 1.
    coverage
        Share of the field's inscribed circle that is lit, 0 to 1; the corners of a round field are
        always dark.
    shortcomings
        What is wrong, the first thing to mend first; empty when the frame can be judged.
    """

    focus: float
    exposure: float
    glare: float
    coverage: float
    shortcomings: tuple[Shortcoming, ...]

    @property
    def sufficient(self) -> bool:
        """Whether the frame can be judged."""
        return not self.shortcomings


def measure_quality(field: NDArray[np.uint8], limits: QualityLimits) -> Quality:
    """Measure a field of view and compare it with the bundle's limits.

    Parameters
    ----------
    field
        uint8, (side, side, 3), RGB: the square that the optics fill, whatever the model is shown.
    limits
        The bundle's ``quality`` section.
    """
    small = _reduce(field)
    luminance = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    circle = _circle(luminance.shape[0])
    lit = circle & (luminance > _UNLIT)
    coverage = float(lit.sum() / circle.sum())
    if coverage == 0.0:
        return Quality(0.0, 0.0, 0.0, 0.0, ("not-in-contact",))
    edges = cv2.Laplacian(luminance, cv2.CV_32F)
    # Next to the dark surround the Laplacian measures the stop's edge, not the skin.
    eroded = cv2.erode(
        lit.astype(np.uint8), np.ones((5, 5), np.uint8),
        borderType=cv2.BORDER_CONSTANT, borderValue=0,
    )  # fmt: skip
    inside = eroded.astype(bool)
    focus = float(edges[inside].std()) if inside.any() else 0.0
    exposure = float(luminance[lit].mean()) / 255.0
    glare = float((small.min(axis=2) >= _GLARE)[lit].mean())
    return Quality(
        focus, exposure, glare, coverage, _shortcomings(focus, exposure, glare, coverage, limits)
    )


@lru_cache(maxsize=4)
def _circle(side: int) -> NDArray[np.bool_]:
    x = np.arange(side) - (side - 1) / 2
    return np.asarray(x[:, None] ** 2 + x[None, :] ** 2 <= (side / 2) ** 2)


def _reduce(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if field.shape[0] <= MEASURING_SIDE:
        return np.ascontiguousarray(field)
    size = (MEASURING_SIDE, MEASURING_SIDE)
    return cv2.resize(field, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _shortcomings(
    focus: float, exposure: float, glare: float, coverage: float, limits: QualityLimits
) -> tuple[Shortcoming, ...]:
    checks: tuple[tuple[bool, Shortcoming], ...] = (
        (exposure < limits.exposure_min, "too-dark"),
        (exposure > limits.exposure_max, "too-bright"),
        (coverage < limits.coverage_min, "not-in-contact"),
        (glare > limits.glare_max, "glare"),
        (focus < limits.focus_min, "out-of-focus"),
    )
    return tuple(name for failed, name in checks if failed)
