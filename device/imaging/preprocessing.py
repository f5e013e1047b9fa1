"""The model's input, made in one place: training, evaluation and the instrument call this."""

from typing import Final, Literal

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from device.imaging.field import FieldOfView, Geometry, cut, find_field

Resize = Literal["area"]

_MAX_SIDE: Final = 1024
_WORKING_SIDE: Final = 300


class InputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an image becomes a model's input; the ``input`` section of a bundle's manifest.

    Attributes
    ----------
    height, width
        Size of the tensor in pixels.
    geometry
        ``center-square``: the field of view, which is the largest centred square of the image
        where no round stop is seen (`device.imaging.field`). ``full-frame``: the whole image,
        squeezed to the tensor's shape, as in the HAM10000 28 x 28 tables.
    resize
        ``area``: every output pixel is the mean of the input pixels under it.
    scale, offset
        The network sees ``pixel * scale + offset`` (``pixel`` from 0 to 255).
    """

    height: int
    width: int
    geometry: Geometry
    resize: Resize = "area"
    scale: float = 1.0 / 255.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (1 <= self.height <= _MAX_SIDE and 1 <= self.width <= _MAX_SIDE):
            raise ValueError(f"input size {self.width} x {self.height} is out of 1 to {_MAX_SIDE}")


def reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame made smaller by a whole number, as long as its short side stays above 300.

    One cheap pass over a camera's many pixels, which the model's input and the quality measures
    then share. The images that models are trained on are small and stay as they are.
    """
    height, width = pixels.shape[:2]
    factor = reduction(height, width)
    if factor == 1:
        return pixels
    # Whole blocks only: OpenCV averages those several times as fast as fractions of pixels.
    blocks = pixels[: height // factor * factor, : width // factor * factor]
    size = (width // factor, height // factor)
    return cv2.resize(blocks, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def reduction(height: int, width: int) -> int:
    """Return the whole number by which `reduced` makes a frame of this size smaller."""
    return max(1, min(height, width) // _WORKING_SIDE)


def model_view(
    pixels: NDArray[np.uint8], geometry: Geometry, field: FieldOfView | None = None
) -> NDArray[np.uint8]:
    """Return the part of a frame that the model is shown (a view, not a copy).

    Parameters
    ----------
    field
        The field of view, where it is known already; else it is looked for.
    """
    if geometry == "full-frame":
        return pixels
    return cut(pixels, field or find_field(pixels))


def resize(
    pixels: NDArray[np.uint8], spec: InputSpec, field: FieldOfView | None = None
) -> NDArray[np.uint8]:
    """Return the model's input before scaling.

    Parameters
    ----------
    pixels
        A frame of any size: uint8, (height, width, 3), RGB.
    spec
        The bundle's ``input`` section.
    field
        The field of view in the `reduced` frame, where it is known already.

    Returns
    -------
    numpy.ndarray
        uint8, (spec.height, spec.width, 3), RGB.
    """
    part = model_view(reduced(pixels), spec.geometry, field)
    resized = cv2.resize(part, (spec.width, spec.height), interpolation=cv2.INTER_AREA)
    return resized.astype(np.uint8, copy=False)


def dihedral_views(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Return the eight flips and rotations of a square picture, itself the first.

    A lesion has no upright side: each is as good a picture of it as the others.
    """
    turns = [np.rot90(pixels, turn) for turn in range(4)]
    return tuple(np.ascontiguousarray(v) for v in (*turns, *(t[:, ::-1] for t in turns)))


def scale(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Return ``pixels * spec.scale + spec.offset`` as float32, of the same shape.

    The product and the sum are rounded to float32 one after the other, so that a table of the
    256 possible values (`scale_table`) gives the same bits.
    """
    return scale_table(spec)[pixels]


def scale_table(spec: InputSpec) -> NDArray[np.float32]:
    """Return what each pixel value from 0 to 255 becomes: float32, (256,)."""
    values = np.arange(256, dtype=np.float32)
    return values * np.float32(spec.scale) + np.float32(spec.offset)


def to_tensor(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Return the network's input for one RGB image: float32, (1, height, width, 3)."""
    return scale(resize(pixels, spec), spec)[None]
