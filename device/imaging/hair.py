"""Hairs over a lesion: thin dark lines."""

import cv2
import numpy as np
from numpy.typing import NDArray


def hair_mask(pixels: NDArray[np.uint8], kernel: int, depth: int) -> NDArray[np.bool_]:
    """Return where thin dark lines are, by the black-hat of the luminance: bool, (height, width).

    After DullRazor (Lee et al. 1997).

    Parameters
    ----------
    pixels
        uint8, (height, width, 3), RGB.
    kernel
        Diameter of the ellipse that a hair is narrower than, in pixels.
    depth
        Grey levels by which a hair is darker than what surrounds it.
    """
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (kernel, kernel))
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, ellipse) > depth)
