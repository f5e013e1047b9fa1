"""The model's input, made in one place: training, evaluation and the instrument call this."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from device.imaging.field_of_view import (
    WORKING_SIDE,
    FieldOfView,
    Geometry,
    Square,
    crop,
    find_field,
)

Resize = Literal["area"]

_MAX_SIDE: Final = 1024


class InputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an image becomes a model's input; the ``input`` section of a bundle's manifest.

    Attributes
    ----------
    height, width
        Size of the tensor in pixels.
    geometry
        ``center-square``: the largest centred square of the image, or, where a stop is seen, the
        largest square within it (`device.imaging.field_of_view`). ``full-frame``: the whole
        image, squeezed to the tensor's shape, as in the HAM10000 28 x 28 tables.
    resize
        ``area``: every output pixel is the mean of the input pixels under it.
    scale, offset
        The network sees ``pixel * scale + offset`` (``pixel`` from 0 to 255).
    """

    height: int
    width: int
    geometry: Geometry
    resize: Resize = "area"
    scale: Annotated[float, msgspec.Meta(gt=0.0, le=100.0)] = 1.0 / 255.0
    offset: Annotated[float, msgspec.Meta(ge=-1000.0, le=1000.0)] = 0.0

    def __post_init__(self) -> None:
        if not (1 <= self.height <= _MAX_SIDE and 1 <= self.width <= _MAX_SIDE):
            raise ValueError(f"input size {self.width} x {self.height} is out of 1 to {_MAX_SIDE}")


@dataclass(frozen=True, slots=True)
class CroppedField:
    """The field of view of a frame, no larger than what comes after it needs.

    Attributes
    ----------
    pixels
        uint8, (side, side, 3), RGB.
    field
        Where it lies in the frame, in the frame's own pixels.
    """

    pixels: NDArray[np.uint8]
    field: FieldOfView

    @property
    def unobstructed(self) -> NDArray[np.uint8]:
        """What no stop hides: uint8, (side, side, 3), RGB; a view, not a copy."""
        field, inner = self.field, self.field.inscribed
        if inner is None:
            return self.pixels
        scale = len(self.pixels) / field.side
        part = Square(
            round((inner.left - field.left) * scale),
            round((inner.top - field.top) * scale),
            max(1, int(inner.side * scale)),
        )
        return crop(self.pixels, part)


def crop_field(
    pixels: NDArray[np.uint8], input_side: int = 0, field: FieldOfView | None = None
) -> CroppedField:
    """Cut the field of view out of a frame, and reduce it to what the rest works with.

    Parameters
    ----------
    pixels
        A frame of any size: uint8, (height, width, 3), RGB.
    input_side
        Of the model's input in pixels: what no stop hides is reduced no further.
    field
        Where it lies, in the frame's pixels, where that is known; else it is looked for.
    """
    if field is None:
        small = downscale(pixels, max(WORKING_SIDE, input_side))
        factor = min(pixels.shape[:2]) // min(small.shape[:2])
        seen = find_field(small)
        field = seen.times(factor)
        if seen.side >= WORKING_SIDE and seen.unobstructed.side >= input_side:
            return CroppedField(crop(small, seen), field)
    return CroppedField(downscale(crop(pixels, field), _least_side(field, input_side)), field)


def _least_side(field: FieldOfView, input_side: int) -> int:
    """Return to what a field is reduced at most, for what is shown to the model and measured."""
    # A small stop in a large frame would lose its detail with the frame's.
    return max(WORKING_SIDE, math.ceil(input_side * field.side / field.unobstructed.side))


def downscale(pixels: NDArray[np.uint8], least: int = WORKING_SIDE) -> NDArray[np.uint8]:
    """Return a picture halved as often as its short side stays at `least` pixels or above.

    The images that models are trained on are small and stay as they are.
    """
    while min(pixels.shape[:2]) // 2 >= least:
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        # OpenCV averages blocks of 2 x 2 several times as fast as larger ones or fractions.
        blocks = pixels[: height * 2, : width * 2]
        halved = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_AREA)
        pixels = halved.astype(np.uint8, copy=False)
    return pixels


def model_region(
    pixels: NDArray[np.uint8], geometry: Geometry, field: FieldOfView
) -> NDArray[np.uint8]:
    """Return the part of a frame that the model is shown (a view, not a copy)."""
    return pixels if geometry == "full-frame" else crop(pixels, field.unobstructed)


def resize_to_input(
    pixels: NDArray[np.uint8], spec: InputSpec, look: CroppedField | None = None
) -> NDArray[np.uint8]:
    """Return the model's input before scaling.

    Parameters
    ----------
    pixels
        A frame of any size: uint8, (height, width, 3), RGB.
    spec
        The bundle's ``input`` section.
    look
        `crop_field` of the frame for this input, where that was done already.

    Returns
    -------
    numpy.ndarray
        uint8, (spec.height, spec.width, 3), RGB.
    """
    if spec.geometry == "full-frame":
        return _resized(_downscaled_frame(pixels, spec), spec)
    return _resized((look or crop_field(pixels, max(spec.height, spec.width))).unobstructed, spec)


def resize_known_field(
    pixels: NDArray[np.uint8], spec: InputSpec, field: FieldOfView
) -> NDArray[np.uint8]:
    """Return what `resize_to_input` does of a frame whose field is known, and nothing else.

    What a stop hides is not reduced, which takes half the time.
    """
    if spec.geometry == "full-frame":
        return _resized(_downscaled_frame(pixels, spec), spec)
    shown = field.unobstructed
    # As often halved as the whole field is where that is measured too.
    least = _least_side(field, max(spec.height, spec.width)) * shown.side / field.side
    return _resized(downscale(crop(pixels, shown), math.floor(least)), spec)


def _downscaled_frame(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    return downscale(pixels, max(WORKING_SIDE, spec.height, spec.width))


def _resized(shown: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    resized = cv2.resize(shown, (spec.width, spec.height), interpolation=cv2.INTER_AREA)
    return resized.astype(np.uint8, copy=False)


def dihedral_views(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Return the eight flips and rotations of a square picture, itself the first.

    A lesion has no upright side: each is as good a picture of it as the others.
    """
    turns = [np.rot90(pixels, turn) for turn in range(4)]
    return tuple(np.ascontiguousarray(v) for v in (*turns, *(t[:, ::-1] for t in turns)))


Number = TypeVar("Number", bound=np.generic)


def undo_dihedral_views(views: Sequence[NDArray[Number]]) -> tuple[NDArray[Number], ...]:
    """Turn what belongs to each of `dihedral_views` back, so that all lie on the first.

    Parameters
    ----------
    views
        Eight square arrays, (side, side, ...), in the order of `dihedral_views`.
    """
    return tuple(
        np.rot90(view if number < 4 else view[:, ::-1], -(number % 4))
        for number, view in enumerate(views)
    )


def scale_pixels(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Return ``pixels * spec.scale + spec.offset`` as float32, of the same shape.

    The product and the sum are rounded to float32 one after the other, so that a table of the
    256 possible values (`scale_table`) gives the same bits.
    """
    return scale_table(spec)[pixels]


def scale_table(spec: InputSpec) -> NDArray[np.float32]:
    """Return what each pixel value from 0 to 255 becomes: float32, (256,)."""
    values = np.arange(256, dtype=np.float32)
    return values * np.float32(spec.scale) + np.float32(spec.offset)
