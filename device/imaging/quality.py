"""Is this frame good enough to analyze? Measured numbers, and a reason to act on."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, TypeVar

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from device.imaging.field_of_view import WORKING_SIDE, planes
from device.imaging.lesion import (
    LOCATING_SIDE,
    LesionPosition,
    Mask,
    locate_lesion,
    open_to_the_edge,
)

Number = TypeVar("Number", np.uint8, np.float32)


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
    LESION_TOO_SMALL = "lesion-too-small"
    OFF_CENTRE = "off-centre"


class Remark(StrEnum):
    """What a finding is said with, though the picture can be judged."""

    SEVERAL_LESIONS = "several-lesions"
    LARGER_THAN_FIELD = "larger-than-field"


MEASURING_SIDE: Final = 144
"""The field of view is reduced to this side (pixels) first, so that a measure means the same for
every camera; it is just below what the smallest training images hold (150)."""

SMALLEST_SIDE: Final = 96
"""A field of view of fewer pixels holds too little for its focus to be measured."""

SMALLEST_LESION: Final = 0.085
"""In sides of the field. Of two thousand images of four collections none shows a smaller one."""

LARGEST_CUT: Final = 0.4
"""Share of the field's edge: a lesion that covers more of it is larger than the field."""

_UNLIT: Final = 16
_NEIGHBOURS: Final = np.ones((7, 7), np.uint8)

_REFLECTION: Final = 244
_LARGEST_REFLECTION: Final = np.ones((41, 41), np.uint8)
_REFLECTION_STANDS_OUT: Final = 20
"""Grey levels that a reflection is brighter than what lies around it: white skin is not."""

_BRIGHTEST_PART: Final = 0.05
_WELL_LIT: Final = 0.8
_CLIPPED: Final = 250

_COARSE: Final = 6.0
"""Grey levels of the coarser detail that `Quality.focus` is told for."""

_FAINT: Final = 2.0
"""Grey levels: below this, coarser detail is too faint to compare with."""

_ROUNDING: Final = 0.6
"""Grey levels of the detail that whole grey levels make of nothing."""

_Positive = Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)]
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
    derived_from: Annotated[str, msgspec.Meta(max_length=2000)]

    def __post_init__(self) -> None:
        if self.exposure_min > self.exposure_max:
            raise ValueError(
                f"exposure_min ({self.exposure_min}) is above exposure_max ({self.exposure_max})"
            )


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured of one field of view.

    Attributes
    ----------
    focus
        Standard deviation of the Laplacian of the luminance where the field is lit (Pech-Pacheco
        et al. 2000, doi:10.1109/ICPR.2000.903548), in grey levels, as it would be if that of the
        picture at half the size were six. So what blur takes away is measured, and not how much
        there is to be seen in a lesion.
    exposure
        How much light there is, 0 to 1, whatever the skin's own colour: the luminance that the
        brightest twentieth of the field reaches, but no more than 0.8, and for the rest the share
        of the field that is too bright to show anything.
    glare
        Share of the lesion that reflections hide, 0 to 1: small spots, white and brighter than what
        lies around them. Of the field, where no lesion stands out.
    coverage
        Share of the field's inscribed circle that is not dark from its rim on, 0 to 1: what is
        black in the middle is a lesion. The corners of a round field are always dark.
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
    extent
        How wide or high the lesion is, whichever is more, in sides; 1 where nothing stands out.
    remarks
        What is to be said beside the finding.
    """

    focus: float
    exposure: float
    glare: float
    coverage: float
    shortcomings: tuple[Shortcoming, ...]
    contrast: float = 0.0
    off_centre: float = 0.0
    motion: float | None = None
    extent: float = 1.0
    remarks: tuple[Remark, ...] = ()

    @property
    def sufficient(self) -> bool:
        """Whether the frame is good enough."""
        return not self.shortcomings

    @property
    def measured(self) -> bool:
        """Whether there was anything to measure; in a black picture there is not."""
        return self.coverage > 0.0


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
    lit = _lit(luminance, circle)
    pixels = cv2.countNonZero(lit)
    tiny: tuple[Shortcoming, ...] = (Shortcoming.TOO_SMALL,) if len(field) < limits.side_min else ()
    if pixels == 0:
        return Quality(0.0, 0.0, 0.0, 0.0, (*tiny, Shortcoming.NOT_IN_CONTACT), motion=motion)
    reflections = _reflections(luminance, circle)
    position = locate_lesion(field, None if reflections is None else _seen_coarsely(reflections))
    measured = Quality(
        focus=_focus(grey, lit),
        exposure=_exposure(field, luminance, lit),
        glare=_hidden_share(reflections, position, circle),
        coverage=pixels / cv2.countNonZero(circle),
        shortcomings=(),
        contrast=position.contrast,
        off_centre=position.off_centre,
        motion=motion,
        extent=position.extent,
        remarks=_remarks(position),
    )
    return replace(measured, shortcomings=tiny + _shortcomings(measured, limits))


def with_motion(quality: Quality, limits: QualityLimits, motion: float | None) -> Quality:
    """Return what was measured of a sufficient frame, for one like it with a motion of its own."""
    measured = replace(quality, motion=motion)
    return replace(measured, shortcomings=_shortcomings(measured, limits))


def _lit(luminance: NDArray[np.uint8], circle: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what is inside the circle and not dark from its rim on: uint8, 255 inside."""
    dark = cv2.bitwise_and(circle, cv2.bitwise_not(_above(luminance, _UNLIT)))
    if cv2.countNonZero(dark) == 0:
        return circle
    outside = cv2.bitwise_or(dark, cv2.bitwise_not(circle)).astype(np.uint8)
    unlit = open_to_the_edge(outside)
    return np.asarray(cv2.bitwise_and(circle, cv2.bitwise_not(unlit)), np.uint8)


def _focus(grey: NDArray[np.uint8], lit: NDArray[np.uint8]) -> float:
    # A larger picture is sharper when it is reduced in one step than a training image, which was
    # reduced once before.
    fine = _reduced(_reduced(grey, WORKING_SIDE).astype(np.float32), MEASURING_SIDE)
    coarse = _reduced(fine, max(1, len(fine) // 2))
    # Next to the dark surround the Laplacian measures the stop's edge, not the skin.
    inside = cv2.erode(lit, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    half = cv2.resize(inside, coarse.shape[::-1], interpolation=cv2.INTER_NEAREST)
    detail, coarser = (
        float(cv2.meanStdDev(cv2.Laplacian(values, cv2.CV_32F), mask=mask)[1][0, 0])
        for values, mask in ((fine, inside), (coarse, half))
    )
    seen = math.sqrt(max(0.0, detail**2 - _ROUNDING**2))
    return _COARSE * seen / math.hypot(coarser, _FAINT)


def _exposure(
    field: NDArray[np.uint8], luminance: NDArray[np.uint8], lit: NDArray[np.uint8]
) -> float:
    counts = cv2.calcHist([luminance], [0], lit, [256], [0, 256])[:, 0]
    below = np.cumsum(counts)
    light = int(np.searchsorted(below, (1.0 - _BRIGHTEST_PART) * below[-1])) / 255.0
    # A share is told by a quarter of the pixels as well.
    step = 2 if len(field) >= MEASURING_SIDE else 1
    red, green, blue = planes(field[::step, ::step])
    # Skin is red: what shows nothing any more is clipped in another colour too.
    second = cv2.max(cv2.min(red, green), cv2.min(cv2.max(red, green), blue))
    circle = _circle(len(red))
    clipped = cv2.countNonZero(cv2.bitwise_and(_above(second.astype(np.uint8), _CLIPPED), circle))
    lost = clipped / cv2.countNonZero(circle)
    return min(light, _WELL_LIT) + (1.0 - _WELL_LIT) * lost


def _reflections(
    luminance: NDArray[np.uint8], circle: NDArray[np.uint8]
) -> NDArray[np.uint8] | None:
    """Return where reflections are: uint8, 255 inside; None where there is none."""
    white = cv2.bitwise_and(_above(luminance, _REFLECTION), circle)
    if cv2.countNonZero(white) == 0:
        return None
    # Brighter than what would be left if all that is small and bright were taken away.
    outstanding = cv2.morphologyEx(luminance, cv2.MORPH_TOPHAT, _LARGEST_REFLECTION)
    spots = cv2.bitwise_and(white, _above(outstanding.astype(np.uint8), _REFLECTION_STANDS_OUT))
    return spots.astype(np.uint8) if cv2.countNonZero(spots) else None


def _seen_coarsely(reflections: NDArray[np.uint8]) -> Mask:
    """Return where a small picture shows anything of the reflections or of their edges."""
    wide = cv2.dilate(reflections, _NEIGHBOURS[:5, :5])
    size = (LOCATING_SIDE, LOCATING_SIDE)
    return np.asarray(cv2.resize(wide, size, interpolation=cv2.INTER_AREA) > 0)


def _hidden_share(
    reflections: NDArray[np.uint8] | None, position: LesionPosition, circle: NDArray[np.uint8]
) -> float:
    """Return the share of the lesion that reflections hide."""
    if reflections is None:
        return 0.0
    area = circle
    if position.lesion is not None:
        # Reflections leave holes and bites in what is found.
        points = cv2.findNonZero(position.lesion.astype(np.uint8))
        whole = np.zeros(position.lesion.shape, np.uint8)
        cv2.fillConvexPoly(whole, cv2.convexHull(points).astype(np.int32), 255)
        wide = cv2.resize(whole, circle.shape[::-1], interpolation=cv2.INTER_NEAREST)
        area = np.asarray(cv2.bitwise_and(wide, circle), np.uint8)
    hidden = cv2.countNonZero(cv2.bitwise_and(reflections, area))
    return hidden / max(1, cv2.countNonZero(area))


@lru_cache(maxsize=4)
def _circle(side: int) -> NDArray[np.uint8]:
    """Return the circle inside a square: uint8, 255 inside."""
    x = np.arange(side) - (side - 1) / 2
    inside = x[:, None] ** 2 + x[None, :] ** 2 <= (side / 2) ** 2
    return inside.astype(np.uint8) * np.uint8(255)


def _above(luminance: NDArray[np.uint8], level: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.threshold(luminance, level, 255, cv2.THRESH_BINARY)[1], np.uint8)


def _reduced(luminance: NDArray[Number], side: int) -> NDArray[Number]:
    if len(luminance) <= side:
        return luminance
    small = cv2.resize(luminance, (side, side), interpolation=cv2.INTER_AREA)
    return small.astype(luminance.dtype, copy=False)


def _remarks(position: LesionPosition) -> tuple[Remark, ...]:
    checks = (
        (position.another, Remark.SEVERAL_LESIONS),
        (position.cut_off > LARGEST_CUT, Remark.LARGER_THAN_FIELD),
    )
    return tuple(name for holds, name in checks if holds)


def _shortcomings(measured: Quality, limits: QualityLimits) -> tuple[Shortcoming, ...]:
    checks: tuple[tuple[bool, Shortcoming], ...] = (
        (measured.exposure < limits.exposure_min, Shortcoming.TOO_DARK),
        (measured.exposure > limits.exposure_max, Shortcoming.TOO_BRIGHT),
        (measured.coverage < limits.coverage_min, Shortcoming.NOT_IN_CONTACT),
        (measured.glare > limits.glare_max, Shortcoming.GLARE),
        ((measured.motion or 0.0) > limits.motion_max, Shortcoming.MOVED),
        (measured.focus < limits.focus_min, Shortcoming.OUT_OF_FOCUS),
        (measured.contrast < limits.contrast_min, Shortcoming.NO_LESION_IN_VIEW),
        (measured.extent < SMALLEST_LESION, Shortcoming.LESION_TOO_SMALL),
        (measured.off_centre > limits.off_centre_max, Shortcoming.OFF_CENTRE),
    )
    return tuple(name for failed, name in checks if failed)
