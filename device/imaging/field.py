"""The field of view: the part of a frame that the clinician is shown."""

import cv2
import numpy as np
from numpy.typing import NDArray

from device.imaging.preprocessing import Geometry, crop


def field_of_view(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the largest centred square of a frame, which the optics fill (a view)."""
    return crop(pixels, "center-square")


def map_over_field(
    values: NDArray[np.float32], frame_shape: tuple[int, ...], geometry: Geometry
) -> NDArray[np.float32]:
    """Return a saliency map over the field of view.

    Parameters
    ----------
    values
        float32, (rows, columns), over the part of the frame that the model is shown.
    frame_shape
        Shape of the frame: height first, then width.
    geometry
        The model's; a map over the full frame is cut to the square.
    """
    if geometry == "center-square":
        return values
    height, width = frame_shape[:2]
    side = min(height, width)
    # In the map's own squeezed coordinates the square is a rectangle: sample it as a square.
    rows, columns = values.shape
    scale_x, scale_y = side / width, side / height
    # Pixel centres lie at half numbers.
    matrix = np.array(
        [
            [scale_x, 0.0, (columns * (1 - scale_x) + scale_x - 1) / 2],
            [0.0, scale_y, (rows * (1 - scale_y) + scale_y - 1) / 2],
        ]
    )
    cut = cv2.warpAffine(
        values, matrix, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return cut.astype(np.float32, copy=False)
