"""Where the lesion of a HAM10000 image ends, as people drew it.

Tschandl et al. 2020, doi:10.1038/s41591-020-0942-0.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.capture.image_file import read_image
from device.errors import DataError

OUTLINES: Final = "HAM10000_segmentations"
_INSIDE: Final = 128


def read_outline(folder: Path, image_id: str) -> NDArray[np.bool_]:
    """Return which pixels of an image's whole frame lie inside the lesion: bool, (height, width).

    Parameters
    ----------
    folder
        HAM10000, with ``HAM10000_segmentations`` in it.

    Raises
    ------
    device.errors.DataError
        If there is no outline of this image.
    """
    path = folder / OUTLINES / f"{image_id}_segmentation.png"
    if not path.is_file():
        raise DataError(f"{path}: no such file; the lesions' outlines are needed for this")
    return read_image(path)[:, :, 0] >= _INSIDE
