"""Is this frame good enough to analyze? Measured numbers, and a reason to act on."""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from device.imaging.field_of_view import WORKING_SIDE
from device.imaging.lesion import Mask, locate_lesion


class Shortcoming(StrEnum):
    """What a picture can lack; each has an instruction (`device.screen.wording`)."""

    TOO_SMALL = "too-small"
    TOO_DARK = "too-dark"
    TOO_BRIGHT = "too-bright"
    NOT_IN_CONTACT = "not-in-contact"
    GLARE = "glare"
    MOVED = "moved"
    OUT_OF_FOCUS = "out-of-focus"
    NO_LESION_IN_VIEW = "no-lesion-in-view"
    OFF_CENTRE = "off-centre"


MEASURING_SIDE: Final = 144
"""The field of view is reduced to this side (pixels) first, so that a measure means the same for
every camera; it is just below what the smallest training images hold (150)."""

SMALLEST_SIDE: Final = 96
"""A field of view of fewer pixels holds too little for its focus to be measured."""

_UNLIT: Final = 16
_GLARE: Final = 244
_LEAST_SKIN: Final = 0.1
_NEIGHBOURS: Final = np.ones((7, 7), np.uint8)

_Positive = Annotated[float, msgspec.Meta(ge=0.0)]
_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class QualityLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle's limits; each names the measure of `Quality` that it bounds.

    The limits with a default bound nothing where a bundle does not name them, but for the size.

    Attributes
    ----------
    side_min
        In pixels of the frame; no more than `device.imaging.field_of_view.WORKING_SIDE`, to which
        large fields are reduced first.
    derived_from
        The data that the limits were derived from, and how.
    """

    focus_min: _Positive
    exposure_min: _Share
    exposure_max: _Share
    glare_max: _Share
    coverage_min: _Share
    contrast_min: _Positive = 0.0
    off_centre_max: _Positive = 1.5
    motion_max: _Share = 1.0
    side_min: Annotated[int, msgspec.Meta(ge=1, le=WORKING_SIDE)] = SMALLEST_SIDE
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
        Mean luminance of the lit skin around the lesion, 0 to 1: a lesion may be dark in good
        light. Of all that is lit, where no lesion stands out or it leaves hardly any skin.
    glare
        Share of the lit field that is white with reflection, 0 to 1.
    coverage
        Share of the field's inscribed circle that is lit, 0 to 1; the corners of a round field are
        always dark.
    shortcomings
        What is wrong, most urgent first; empty when the frame is good enough.
    contrast
        How far the lesion's colour is from the skin's (`device.imaging.lesion.LesionPosition`), in
        units of CIELAB; 0 where nothing stands out.
    off_centre
        How far the lesion is from the middle of the field, in half sides.
    motion
        How far the skin moved since the frame before, in parts of the field's side, or None where
        there was none.
    """

    focus: float
    exposure: float
    glare: float
    coverage: float
    shortcomings: tuple[Shortcoming, ...]
    contrast: float = 0.0
    off_centre: float = 0.0
    motion: float | None = None

    @property
    def sufficient(self) -> bool:
        """Whether the frame is good enough."""
        return not self.shortcomings


def measure_quality(
    field: NDArray[np.uint8], limits: QualityLimits, motion: float | None = None
) -> Quality:
    """Measure a field of view and compare it with the bundle's limits.

    Parameters
    ----------
    field
        uint8, (side, side, 3), RGB: the square that the optics fill, whatever the model is shown.
    limits
        The bundle's ``quality`` section.
    motion
        Since the frame before (`device.imaging.motion`), where there was one.
    """
    grey = cv2.cvtColor(field, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    luminance = _reduced(grey, MEASURING_SIDE)
    circle = _circle(luminance.shape[0])
    lit = np.asarray(cv2.bitwise_and(_above(luminance, _UNLIT), circle), np.uint8)
    pixels = cv2.countNonZero(lit)
    tiny: tuple[Shortcoming, ...] = (Shortcoming.TOO_SMALL,) if len(field) < limits.side_min else ()
    if pixels == 0:
        return Quality(0.0, 0.0, 0.0, 0.0, (*tiny, Shortcoming.NOT_IN_CONTACT), motion=motion)
    coverage = pixels / cv2.countNonZero(circle)
    # A larger picture is sharper when it is reduced in one step than a training image, which was
    # reduced once before.
    edges = cv2.Laplacian(_reduced(_reduced(grey, WORKING_SIDE), MEASURING_SIDE), cv2.CV_16S)
    # Next to the dark surround the Laplacian measures the stop's edge, not the skin.
    inside = cv2.erode(lit, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    focus = float(cv2.meanStdDev(edges, mask=inside)[1][0, 0])
    glare = cv2.countNonZero(cv2.bitwise_and(_above(luminance, _GLARE), circle)) / pixels
    position = locate_lesion(field)
    exposure = cv2.mean(luminance, mask=_lit_skin(lit, position.skin))[0] / 255.0
    measured = Quality(
        focus, exposure, glare, coverage, (), position.contrast, position.off_centre, motion
    )
    return replace(measured, shortcomings=tiny + _shortcomings(measured, limits))


def with_motion(quality: Quality, limits: QualityLimits, motion: float | None) -> Quality:
    """Return what was measured of a sufficient frame, for one like it with a motion of its own."""
    measured = replace(quality, motion=motion)
    return replace(measured, shortcomings=_shortcomings(measured, limits))


def _lit_skin(lit: NDArray[np.uint8], skin: Mask | None) -> NDArray[np.uint8]:
    """Return where the lit field is skin and no lesion; all of it where little would be left."""
    if skin is None:
        return lit
    wide = cv2.resize(skin.astype(np.uint8), lit.shape[::-1], interpolation=cv2.INTER_NEAREST)
    part = np.asarray(cv2.bitwise_and(lit, lit, mask=wide), np.uint8)
    return part if cv2.countNonZero(part) >= _LEAST_SKIN * cv2.countNonZero(lit) else lit


@lru_cache(maxsize=4)
def _circle(side: int) -> NDArray[np.uint8]:
    """Return the circle inside a square: uint8, 255 inside."""
    x = np.arange(side) - (side - 1) / 2
    inside = x[:, None] ** 2 + x[None, :] ** 2 <= (side / 2) ** 2
    return inside.astype(np.uint8) * np.uint8(255)


def _above(luminance: NDArray[np.uint8], level: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.threshold(luminance, level, 255, cv2.THRESH_BINARY)[1], np.uint8)


def _reduced(luminance: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    if len(luminance) <= side:
        return luminance
    small = cv2.resize(luminance, (side, side), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)


def _shortcomings(measured: Quality, limits: QualityLimits) -> tuple[Shortcoming, ...]:
    checks: tuple[tuple[bool, Shortcoming], ...] = (
        (measured.exposure < limits.exposure_min, Shortcoming.TOO_DARK),
        (measured.exposure > limits.exposure_max, Shortcoming.TOO_BRIGHT),
        (measured.coverage < limits.coverage_min, Shortcoming.NOT_IN_CONTACT),
        (measured.glare > limits.glare_max, Shortcoming.GLARE),
        ((measured.motion or 0.0) > limits.motion_max, Shortcoming.MOVED),
        (measured.focus < limits.focus_min, Shortcoming.OUT_OF_FOCUS),
        (measured.contrast < limits.contrast_min, Shortcoming.NO_LESION_IN_VIEW),
        (measured.off_centre > limits.off_centre_max, Shortcoming.OFF_CENTRE),
    )
    return tuple(name for failed, name in checks if failed)
