"""How the camera was held: EXIF orientation, and turning an image upright."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

_UPRIGHT: Final = 1
_CODES: Final = range(1, 9)


def orientation_of(exif: bytes) -> int:
    """Return the orientation that an EXIF block tells, 1 to 8; 1 (upright) where it tells none.

    Whatever else the block holds, or however damaged it is, decides nothing.
    """
    directory = Image.Exif()
    try:
        directory.load(exif)
        value = directory.get(ExifTags.Base.Orientation, _UPRIGHT)
    except Exception:  # Pillow fails on damaged blocks in more ways than it documents
        return _UPRIGHT
    return value if isinstance(value, int) and value in _CODES else _UPRIGHT


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return an image turned upright.

    Parameters
    ----------
    pixels
        uint8, (height, width, 3), as stored.
    orientation
        As EXIF counts, 1 to 8.

    Returns
    -------
    numpy.ndarray
        The same; height and width are swapped from orientation 5 on.
    """
    import cv2

    match orientation:
        case 2:
            turned = cv2.flip(pixels, 1)
        case 3:
            turned = cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(pixels, 0)
        case 5:
            turned = cv2.transpose(pixels)
        case 6:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.flip(cv2.transpose(pixels), -1)
        case 8:
            turned = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return pixels
    return turned.astype(np.uint8, copy=False)
