"""The model's input, made in one place: training, evaluation and the instrument call this."""

from typing import Final, Literal

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

Geometry = Literal["center-square", "full-frame"]
Resize = Literal["area"]

_MAX_SIDE: Final = 1024


class InputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How an image becomes a model's input; the ``input`` section of a bundle's manifest.

    Attributes
    ----------
    height, width
        Size of the tensor in pixels.
    geometry
        ``center-square``: the largest centred square of the image, which is what a
        dermatoscope's optics fill. ``full-frame``: the whole image, squeezed to the tensor's
        shape, as in the HAM10000 28 x 28 tables.
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


def crop(pixels: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
    """Return the part of an RGB image that the model is shown (a view, not a copy)."""
    if geometry == "full-frame":
        return pixels
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def resize(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """Return the model's input before scaling.

    Parameters
    ----------
    pixels
        uint8, (height, width, 3), RGB, of any size.
    spec
        The bundle's ``input`` section.

    Returns
    -------
    numpy.ndarray
        uint8, (spec.height, spec.width, 3), RGB.
    """
    part = crop(pixels, spec.geometry)
    resized = cv2.resize(part, (spec.width, spec.height), interpolation=cv2.INTER_AREA)
    return resized.astype(np.uint8, copy=False)


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
