"""The ISIC 2017 challenge images: another clinic's, none of them in HAM10000.

Codella et al. 2018, arXiv:1710.05006; three of the seven diagnoses occur: nv, mel and bkl.
"""

from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.folder import find_images, images_missing, read_csv
from build_host.errors import DataError
from device.diagnoses import Code
from device.imaging.image_file import read_image

Part = Literal["train", "validation", "test"]

LABELS_FILE: Final = "labels.csv"
LICENCE: Final = "CC0"
ISIC2017: Final = "ISIC 2017"
_COLUMNS: Final = ("image_id", "split", "diagnosis")
_PARTS: Final[tuple[Part, ...]] = ("train", "validation", "test")
_DIAGNOSES: Final[dict[str, Code]] = {"nevus": Code.NV, "mel": Code.MEL, "sk": Code.BKL}


def read_isic2017(folder: Path, parts: tuple[Part, ...]) -> Dataset:
    """Return the images of some parts of the challenge.

    Parameters
    ----------
    folder
        Holds ``labels.csv`` (image_id, split, diagnosis) and a folder of ``.jpg`` files. Where
        those are square, the 4:3 frame that was squeezed into them is restored.
    parts
        ``test`` is for measuring alone.

    Raises
    ------
    build_host.errors.DataError
        If the table is missing, a row cannot be understood, an identifier appears twice, or an
        image is missing.
    """
    path = folder / LABELS_FILE
    records = _read_table(path)
    chosen = tuple(record for part, record in records.values() if part in parts)
    if not chosen:
        raise DataError(f"{path}: has no row of {' or '.join(parts)}")
    images = find_images(folder)
    missing = [r.image_id for r in chosen if r.image_id not in images]
    if missing:
        raise images_missing(folder, missing, len(chosen))
    name = f"{ISIC2017} ({', '.join(parts)})"
    return Dataset(name, chosen, lambda r: _unsqueezed(read_image(images[r.image_id])))


def tested_images(folder: Path) -> frozenset[str]:
    """Return the identifiers of the images of the test part, be they there or not.

    Raises
    ------
    build_host.errors.DataError
        If the table is missing, or a row cannot be understood.
    """
    table = _read_table(folder / LABELS_FILE)
    return frozenset(name for name, (part, _) in table.items() if part == "test")


def _read_table(path: Path) -> dict[str, tuple[str, ImageRecord]]:
    """Return the part and what is known of each image, by its identifier."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; name the folder that holds it")
    records: dict[str, tuple[str, ImageRecord]] = {}
    for line, row in read_csv(path, _COLUMNS):
        where = f"{path}: line {line}"
        name, part, diagnosis = row.values()
        if part not in _PARTS:
            raise DataError(f"{where}: split {part!r} is not one of {', '.join(_PARTS)}")
        if diagnosis not in _DIAGNOSES:
            known = ", ".join(_DIAGNOSES)
            raise DataError(f"{where}: diagnosis {diagnosis!r} is not one of {known}")
        if not name or name in records:
            raise DataError(f"{where}: image_id {name!r} is empty or appears twice")
        records[name] = (
            part,
            ImageRecord(image_id=name, lesion_id=name, dx=_DIAGNOSES[diagnosis], source=ISIC2017),
        )
    return records


def _unsqueezed(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    if height != width:
        return pixels
    size = (width, width * 3 // 4)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
