"""The field of view: the part of a frame that the instrument's optics fill.

Everything later sees only this. A dermatoscope has a round stop, of which a camera may show all, a
part, or nothing but dark corners.
"""

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Geometry = Literal["center-square", "full-frame"]

WORKING_SIDE: Final = 150
"""Frames and fields of view are reduced no further than to this side in pixels, by what the model
is shown and what measures them: it is what the smallest training images hold."""

_LIT: Final = 32
_ALL_LIT: Final = 0.93
_SMALLEST_PART: Final = 0.05
_FEWEST_POINTS: Final = 30
_LARGEST_MISFIT: Final = 0.02


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """A square of a frame, in pixels.

    Attributes
    ----------
    left, top, side
        The square; it lies inside the frame.
    """

    left: int
    top: int
    side: int

    def times(self, factor: int) -> "FieldOfView":
        """Return the same field in a frame that is larger by a whole number."""
        return FieldOfView(self.left * factor, self.top * factor, self.side * factor)

    def lies_in(self, shape: tuple[int, ...]) -> bool:
        """Return whether a frame of this shape, height first, holds the whole field."""
        height, width = shape[:2]
        return self.left + self.side <= width and self.top + self.side <= height


def central_field(height: int, width: int) -> FieldOfView:
    """Return the largest centred square of a frame."""
    side = min(height, width)
    return FieldOfView((width - side) // 2, (height - side) // 2, side)


def find_field(pixels: NDArray[np.uint8]) -> FieldOfView:
    """Return the square about the round stop, as far as it lies in the frame.

    A circle is fitted (Kåsa 1976, least squares) to the edge of what is lit; the largest centred
    square is returned where everything is lit, or no circle fits.

    Parameters
    ----------
    pixels
        uint8, (height, width, 3), RGB.
    """
    height, width = pixels.shape[:2]
    step = max(1, min(height, width) // WORKING_SIDE)
    edge = _lit_edge(pixels[::step, ::step])
    circle = _fit_circle(edge) if edge is not None else None
    if circle is None:
        return central_field(height, width)
    x, y, radius = (step * value for value in circle)
    side = round(min(2 * radius, height, width))
    left = min(max(round(x - side / 2), 0), width - side)
    top = min(max(round(y - side / 2), 0), height - side)
    return FieldOfView(left, top, side)


def crop(pixels: NDArray[np.uint8], field: FieldOfView) -> NDArray[np.uint8]:
    """Return the field of a frame: a view, not a copy."""
    return pixels[field.top : field.top + field.side, field.left : field.left + field.side]


def saliency_over_field(
    values: NDArray[np.float32],
    frame_shape: tuple[int, ...],
    geometry: Geometry,
    field: FieldOfView,
) -> NDArray[np.float32]:
    """Return a saliency map over the field of view.

    Parameters
    ----------
    values
        float32, (rows, columns), over the part of the frame that the model is shown.
    frame_shape
        Shape of the frame: height first, then width.
    geometry
        The model's; a map over the full frame is cut to the field.
    """
    if geometry == "center-square":
        return values
    height, width = frame_shape[:2]
    # In the map's own squeezed coordinates the square is a rectangle: sample it as a square.
    rows, columns = values.shape
    scale_x, scale_y = field.side / width, field.side / height
    # Pixel centres lie at half numbers.
    matrix = np.array(
        [
            [scale_x, 0.0, columns * field.left / width + (scale_x - 1) / 2],
            [0.0, scale_y, rows * field.top / height + (scale_y - 1) / 2],
        ]
    )
    taken = cv2.warpAffine(
        values,
        matrix,
        (columns, rows),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return taken.astype(np.float32, copy=False)


def _lit_edge(pixels: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """Return the points where light ends inside the frame: float64, (n, 2), x and y."""
    # Plane by plane: a maximum over the last axis takes twenty times as long.
    red, green, blue = cv2.split(pixels)
    brightest = cv2.max(cv2.max(red, green), blue)
    lit = np.asarray(cv2.threshold(brightest, _LIT, 1, cv2.THRESH_BINARY)[1], np.uint8)
    if cv2.countNonZero(lit) > _ALL_LIT * lit.size:
        return None
    kernel = np.ones((5, 5), np.uint8)
    for clean in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN):
        lit = cv2.morphologyEx(lit, clean, kernel).astype(np.uint8, copy=False)
    contours, _ = cv2.findContours(lit, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    largest = max(contours, key=cv2.contourArea)
    if cv2.contourArea(cv2.convexHull(largest)) < _SMALLEST_PART * lit.size:
        return None
    x, y = largest[:, 0, 0], largest[:, 0, 1]
    height, width = lit.shape
    inside = (x > 1) & (y > 1) & (x < width - 2) & (y < height - 2)
    points = largest[inside, 0, :].astype(np.float64)
    return points if len(points) >= _FEWEST_POINTS else None


def _fit_circle(points: NDArray[np.float64]) -> tuple[float, float, float] | None:
    """Return centre and radius of the circle through points, or None where they lie on none."""
    system = np.column_stack([2.0 * points, np.ones(len(points))])
    (x, y, rest), *_ = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)
    square = rest + x * x + y * y
    if square <= 0.0:
        return None
    radius = float(np.sqrt(square))
    misfit = np.abs(np.hypot(points[:, 0] - x, points[:, 1] - y) - radius)
    return (float(x), float(y), radius) if np.median(misfit) <= _LARGEST_MISFIT * radius else None
