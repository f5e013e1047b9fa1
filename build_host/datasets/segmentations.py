"""HAM10000's lesion segmentation masks, drawn by dermatologists.

Tschandl et al. 2020, doi:10.1038/s41591-020-0942-0.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.errors import DataError
from device.imaging.image_file import read_image

SEGMENTATIONS_FOLDER: Final = "HAM10000_segmentations"
_INSIDE: Final = 128


def read_segmentation(folder: Path, image_id: str) -> NDArray[np.bool_]:
    """Return the lesion mask of an image's whole frame: bool, (height, width), True inside.

    Parameters
    ----------
    folder
        HAM10000, with ``HAM10000_segmentations`` in it.

    Raises
    ------
    build_host.errors.DataError
        If there is no segmentation of this image.
    """
    path = folder / SEGMENTATIONS_FOLDER / f"{image_id}_segmentation.png"
    if not path.is_file():
        raise DataError(f"{path}: no such file; the lesion segmentations are needed for this")
    return read_image(path)[:, :, 0] >= _INSIDE
