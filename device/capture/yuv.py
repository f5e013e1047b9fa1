"""From the camera's luma and chroma to red, green, blue."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

# Weights of red and blue in luma: ITU-R BT.601-7, BT.709-6 and BT.2020-2.
_LUMA_WEIGHTS: Final = {
    "Rec601": (0.299, 0.114),
    "Rec709": (0.2126, 0.0722),
    "Rec2020": (0.2627, 0.0593),
}

# libcamera's names for its usual colour spaces, with their encoding and range. Any other is
# written out as primaries/transfer/encoding/range.
_NAMED: Final = {
    "sYCC": ("Rec601", "Full"),
    "SMPTE170M": ("Rec601", "Limited"),
    "Rec709": ("Rec709", "Limited"),
    "Rec2020": ("Rec2020", "Limited"),
}


def yuv_to_rgb(
    array: NDArray[np.uint8], size: tuple[int, int], stream_format: str, colour_space: str
) -> NDArray[np.uint8]:
    """Return a picture with half as many colours as lights along each side as RGB.

    Parameters
    ----------
    array
        uint8, (height * 3 / 2, stride): the plane of lights, and below it those of colours.
    size
        Width and height of the picture, both even; the stride may be wider than it.
    stream_format
        ``YUV420`` (planes U then V), ``YVU420`` (V then U), ``NV12`` (U and V in turn) or ``NV21``.
    colour_space
        libcamera's name, alone or as ``<libcamera.ColorSpace 'name'>``, which its Python objects
        call themselves; an unknown one is taken for ITU-R BT.601 in limited range.

    Returns
    -------
    numpy.ndarray
        uint8, (height, width, 3), RGB.
    """
    width, height = size
    stride = array.shape[1]
    chroma = array[height : height * 3 // 2].reshape(-1)
    if stream_format in ("NV12", "NV21"):
        pairs = chroma.reshape(height // 2, stride)[:, :width].reshape(height // 2, width // 2, 2)
        first, second = pairs[:, :, 0], pairs[:, :, 1]
    else:
        planes = chroma.reshape(2, height // 2, stride // 2)[:, :, : width // 2]
        first, second = planes[0], planes[1]
    u, v = (second, first) if stream_format in ("YVU420", "NV21") else (first, second)
    wide_u, wide_v = (cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in (u, v))
    merged = cv2.merge([array[:height, :width], wide_u, wide_v])
    return np.asarray(cv2.transform(merged, _matrix(colour_space)), np.uint8)


@lru_cache(maxsize=8)
def _matrix(colour_space: str) -> NDArray[np.float32]:
    """Return (3, 4): what Y, U, V and 1 add to red, green, blue."""
    name = colour_space.split("'")[1] if colour_space.count("'") == 2 else colour_space
    encoding, extent = _NAMED.get(name, ("Rec601", "Limited"))
    if "/" in name:
        encoding, extent = name.split("/")[-2:]
    red, blue = _LUMA_WEIGHTS.get(encoding, _LUMA_WEIGHTS["Rec601"])
    green = 1.0 - red - blue
    light, colour, black = (1.0, 1.0, 0.0) if extent == "Full" else (255 / 219, 255 / 224, 16.0)
    of_v, of_u = 2 * (1 - red) * colour, 2 * (1 - blue) * colour
    weights = np.array(
        [
            [light, 0.0, of_v],
            [light, -of_u * blue / green, -of_v * red / green],
            [light, of_u, 0.0],
        ]
    )
    offset = -weights @ np.array([black, 128.0, 128.0])
    return np.column_stack([weights, offset]).astype(np.float32)
