"""The field of view: the part of a frame that the instrument's optics fill.

Everything later sees only this. A dermatoscope has a stop, mostly round, of which a camera may show
all, a part, or nothing but dark corners. The clinician is shown the square about what the stop lets
through, and a model the largest square within it: a network that was trained on skin to the edge
takes black corners for the lesion's, and knows nothing that looks like them.
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

_SEARCHED_SIDE: Final = 96
"""A stop is looked for in a picture of at least this side, and found to a hundredth of it."""

_DARKEST_CORNER: Final = 90
"""Grey levels (the brightest channel) that a stop is at most: some are dark grey, or lit."""
_LEAST_CONTRAST: Final = 50
_BLACK: Final = 24
_LARGEST_BAND: Final = 0.04
"""Share of the frame's side over which a stop's edge may be blurred; a vignette's is wider."""
_SMALLEST_FIELD: Final = 0.04
_LEAST_HIDDEN: Final = 0.005
_LARGEST_MISFIT: Final = 0.03
_RIM: Final = 0.03
"""Share of the square inside a stop that is left out on each side: the edge is blurred."""


@dataclass(frozen=True, slots=True)
class Square:
    """A square of a frame, in pixels.

    Attributes
    ----------
    left, top, side
        The square; it lies inside the frame.
    """

    left: int
    top: int
    side: int

    def lies_in(self, shape: tuple[int, ...]) -> bool:
        """Return whether a frame of this shape, height first, holds the whole square."""
        height, width = shape[:2]
        return (
            0 <= self.left <= width - self.side
            and 0 <= self.top <= height - self.side
            and self.side > 0
        )


@dataclass(frozen=True, slots=True)
class FieldOfView(Square):
    """The square of a frame that the clinician is shown, in pixels.

    Attributes
    ----------
    inscribed
        The largest square that no stop hides a part of, inside the field; None where no stop is
        seen, and the field itself is that.
    """

    inscribed: Square | None = None

    @property
    def unobstructed(self) -> Square:
        """The square that a model is shown."""
        return self.inscribed or self

    def times(self, factor: int) -> "FieldOfView":
        """Return the same field in a frame that is larger by a whole number."""
        inner = self.inscribed
        return FieldOfView(
            self.left * factor,
            self.top * factor,
            self.side * factor,
            inner and Square(inner.left * factor, inner.top * factor, inner.side * factor),
        )

    def lies_in(self, shape: tuple[int, ...]) -> bool:
        """Return whether a frame of this shape, height first, holds the whole field."""
        inside = self.inscribed is None or self.inscribed.lies_in(shape)
        return Square.lies_in(self, shape) and inside


def central_field(height: int, width: int) -> FieldOfView:
    """Return the largest centred square of a frame."""
    side = min(height, width)
    return FieldOfView((width - side) // 2, (height - side) // 2, side)


def find_field(pixels: NDArray[np.uint8]) -> FieldOfView:
    """Return the square about what a stop lets through, as far as it lies in the frame.

    Stops of any convex shape are found, wherever the frame cuts them: at least one corner of the
    frame is dark then, and what is lit has a convex outline and a sharp edge. The largest centred
    square is returned where there is none.

    Parameters
    ----------
    pixels
        uint8, (height, width, 3), RGB.
    """
    height, width = pixels.shape[:2]
    step = max(1, min(height, width) // _SEARCHED_SIDE)
    lit = _lit_part(pixels[::step, ::step])
    if lit is None:
        return central_field(height, width)
    x, y, across, down = (step * value for value in cv2.boundingRect(lit))
    field = _square_about(x + across / 2, y + down / 2, max(across, down), (height, width))
    x, y, side = (step * value for value in _largest_square(lit))
    inner = _square_about(x, y, (1 - 2 * _RIM) * side, (height, width))
    # A frame that is not square may cut the field where it does not cut what lies within it.
    left = min(max(inner.left, field.left), field.left + field.side - inner.side)
    top = min(max(inner.top, field.top), field.top + field.side - inner.side)
    return FieldOfView(field.left, field.top, field.side, Square(left, top, inner.side))


def crop(pixels: NDArray[np.uint8], square: Square) -> NDArray[np.uint8]:
    """Return a square of a frame: a view, not a copy."""
    top, left, side = square.top, square.left, square.side
    return pixels[top : top + side, left : left + side]


def planes(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Return the red, green and blue of a picture, each uint8, (height, width).

    Of every other pixel OpenCV's own makes a copy first, and takes four times as long.
    """
    return tuple(np.ascontiguousarray(pixels[:, :, channel]) for channel in range(3))


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
        The model's; a map over the full frame is cut to the field, and one over what a stop leaves
        is 0 outside of it.
    """
    height, width = frame_shape[:2]
    rows, columns = values.shape
    if geometry == "center-square":
        if field.inscribed is None:
            return values
        shown = field.inscribed
        left, top = shown.left, shown.top
        across = down = shown.side
        # As fine as before in what the model was shown.
        size = (_scaled(columns, field.side, across), _scaled(rows, field.side, down))
        border = cv2.BORDER_CONSTANT
    else:
        # In the map's own squeezed coordinates the square is a rectangle: sample it as a square.
        left, top, across, down = 0, 0, width, height
        size, border = (columns, rows), cv2.BORDER_REPLICATE
    step_x, step_y = field.side * columns / size[0] / across, field.side * rows / size[1] / down
    # Pixel centres lie at half numbers.
    matrix = np.array(
        [
            [step_x, 0.0, columns * (field.left - left) / across + (step_x - 1) / 2],
            [0.0, step_y, rows * (field.top - top) / down + (step_y - 1) / 2],
        ]
    )
    taken = cv2.warpAffine(
        values, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    return taken.astype(np.float32, copy=False)


def _scaled(cells: int, side: int, part: int) -> int:
    return max(cells, round(cells * side / part))


def _square_about(x: float, y: float, side: float, shape: tuple[int, int]) -> Square:
    """Return the square about a point, moved and reduced so far that it lies in the frame."""
    height, width = shape
    whole = max(1, min(int(side), height, width))
    left = min(max(round(x - whole / 2), 0), width - whole)
    top = min(max(round(y - whole / 2), 0), height - whole)
    return Square(left, top, whole)


def _lit_part(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return what a stop lets through, 1 where it is lit and 0 elsewhere, or None without a stop.

    The convex hull of what is lit: a dark lesion that touches the rim bites a piece out of it, and
    no stop has such a shape.
    """
    # Plane by plane: a maximum over the last axis takes twenty times as long.
    red, green, blue = planes(pixels)
    brightest = cv2.blur(cv2.max(cv2.max(red, green), blue), (3, 3)).astype(np.uint8, copy=False)
    height, width = brightest.shape
    patch = max(3, min(height, width) // 25)
    ends = (slice(0, patch), slice(-patch, None))
    corners = [_quantile(brightest[y, x], 0.5) for y in ends for x in ends]
    dark = min(corners)
    middle = brightest[height // 4 : 3 * height // 4 : 2, width // 4 : 3 * width // 4 : 2]
    if dark > _DARKEST_CORNER or middle.size == 0:
        return None
    contrast = _quantile(middle, 0.9) - dark
    if contrast < _LEAST_CONTRAST:
        return None
    inner = _hull(brightest, dark + contrast / 2)
    outer = _hull(brightest, dark + contrast / 4)
    if inner is None or outer is None:
        return None
    band = cv2.contourArea(outer) - cv2.contourArea(inner)
    if band > _LARGEST_BAND * min(height, width) * cv2.arcLength(inner, True):
        # No edge, or that of a lesion as dark as the stop itself, which must not be cut away.
        if max(corners) > _BLACK:
            return None
        inner = _hull(brightest, dark + contrast / 8)
        if inner is None:
            return None
    lit = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(lit, inner, 1)
    share = cv2.countNonZero(lit) / lit.size
    if share < _SMALLEST_FIELD or share > 1 - _LEAST_HIDDEN:
        return None
    hidden = sum(lit[y, x] == 0 for y in (1, height - 2) for x in (1, width - 2))
    # What hides one or two corners alone may be a dark lesion, if it is not round.
    return lit if hidden >= 3 or _is_round(inner, height, width) else None


def _quantile(values: NDArray[np.uint8], share: float) -> float:
    """Return a quantile as one of the values themselves: several times as fast as NumPy's."""
    at = int(share * values.size)
    return float(np.partition(values.ravel(), at)[at])


def _hull(brightest: NDArray[np.uint8], threshold: float) -> NDArray[np.int32] | None:
    """Return the convex hull of the largest part that is brighter: int32, (n, 1, 2), x and y."""
    lit = cv2.threshold(brightest, threshold, 1, cv2.THRESH_BINARY)[1]
    lit = cv2.morphologyEx(lit, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    contours, _ = cv2.findContours(lit, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
    return cv2.convexHull(max(contours, key=cv2.contourArea)).astype(np.int32, copy=False)


def _is_round(hull: NDArray[np.int32], height: int, width: int) -> bool:
    """Tell whether the part of an outline that lies inside the frame is that of a circle.

    The circle is fitted by least squares (Kåsa 1976).
    """
    x, y = hull[:, 0, 0], hull[:, 0, 1]
    inside = (x > 2) & (y > 2) & (x < width - 3) & (y < height - 3)
    points = hull[inside, 0, :].astype(np.float64)
    if len(points) < 5:
        return False
    system = np.column_stack([2.0 * points, np.ones(len(points))])
    (x0, y0, rest), *_ = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)
    radius = float(np.sqrt(max(rest + x0 * x0 + y0 * y0, 0.0)))
    if not 0.2 * min(height, width) < radius < 1.2 * max(height, width):
        return False
    misfit = np.abs(np.hypot(points[:, 0] - x0, points[:, 1] - y0) - radius)
    return bool(np.median(misfit) <= _LARGEST_MISFIT * radius)


def _largest_square(lit: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Return centre and side of the largest upright square within what is lit.

    The distance to the nearest dark pixel, the larger of both axes, is half of it.
    """
    left, top, width, height = cv2.boundingRect(lit)
    part = lit[top : top + height, left : left + width]
    bordered = cv2.copyMakeBorder(part, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    half = cv2.distanceTransform(bordered, cv2.DIST_C, 3)[1:-1, 1:-1]
    largest = cv2.minMaxLoc(half)[1]
    centres = cv2.threshold(half, largest - 0.5, 1, cv2.THRESH_BINARY)[1].astype(np.uint8)
    # Of several the one nearest to the middle.
    points = np.asarray(cv2.findNonZero(centres))[:, 0, :] + 0.5
    x, y = points[np.argmin(((points - (width / 2, height / 2)) ** 2).sum(axis=1))]
    return left + float(x), top + float(y), 2 * largest - 1
