"""The colour of a lesion as seen beside its own skin, so that the light matters little."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.imaging.lesion import WORKING_SIDE, Mask, working_image

_BORDER: Final = 0.03
"""Of the side: what lies nearer to the lesion is its blurred edge, and not skin."""

_RING: Final = 0.12
"""Of the side: how far from the lesion skin is looked at."""

_UNLIT: Final = 15.0


def colour_beside_skin(field: NDArray[np.uint8], lesion: Mask) -> tuple[float, float, float]:
    """Return how far a lesion's mean colour is from that of the skin around it.

    Parameters
    ----------
    field
        The field of view: uint8, (side, side, 3), RGB.
    lesion
        As `device.imaging.lesion.segment_lesion` returns it.

    Returns
    -------
    tuple of float
        L*, a* and b* of CIELAB, lesion less skin.
    """
    lab = cv2.cvtColor(working_image(field).astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)
    lit = lab[:, :, 0] > _UNLIT
    near, far = (_grown(lesion, round(share * WORKING_SIDE)) for share in (_BORDER, _RING))
    skin = lit & far & ~near
    if not skin.any():
        skin = lit & ~lesion
    reference = np.median(lab[skin], axis=0) if skin.any() else np.zeros(3)
    light, a, b = (lab[lesion].mean(axis=0) - reference).tolist()
    return light, a, b


def _grown(mask: Mask, by: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0)
