"""The images of a fold: those that a model is calibrated or measured on."""

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset
from build_host.datasets.milk10k import Photograph, milk10k_photographs
from build_host.datasets.sources import DataFolders, SourceName, read_sources, split_sources
from build_host.datasets.split import TEST_FOLD, VALIDATION_FOLD, fold_of
from build_host.errors import DataError
from device.imaging.image_file import read_image
from device.imaging.preprocessing import InputSpec, resize_to_input
from device.models.bundle import Bundle


def fold(
    names: tuple[SourceName, ...], folders: DataFolders, part: Literal["validation", "test"]
) -> Dataset:
    """Return the validation or test folds of sources."""
    dataset = read_sources(names, folders)
    split = split_sources(dataset)
    return dataset.subset(split.validation if part == "validation" else split.test)


def sources_of(bundle: Bundle) -> tuple[SourceName, ...]:
    """Return the sources that a bundle was trained on.

    Raises
    ------
    build_host.errors.DataError
        If one is not known.
    """
    try:
        return msgspec.convert(bundle.manifest.provenance.sources, tuple[SourceName, ...])
    except msgspec.ValidationError as error:
        raise DataError(f"{bundle.folder}: names a source that is not known ({error})") from None


def own_fold(bundle: Bundle, folders: DataFolders, part: Literal["validation", "test"]) -> Dataset:
    """Return the validation or test folds of all the sources that a bundle was trained on."""
    return fold(sources_of(bundle), folders, part)


def main_fold(bundle: Bundle, folders: DataFolders, part: Literal["validation", "test"]) -> Dataset:
    """Return HAM10000's fold, by which models are compared, or those of its own sources.

    The latter for a model that HAM10000 had no part in.
    """
    if "ham10000" in bundle.manifest.provenance.sources:
        return fold(("ham10000",), folders, part)
    return own_fold(bundle, folders, part)


def photographs(
    folders: DataFolders, part: Literal["train", "validation", "test"]
) -> list[Photograph]:
    """Return MILK10k's photographs without a dermatoscope of a part, split by lesion as all are."""
    wanted = {"train": (1, 2, 3), "validation": (VALIDATION_FOLD,), "test": (TEST_FOLD,)}[part]
    everything = milk10k_photographs(folders.folder("milk10k"))
    return [photo for photo in everything if fold_of(photo.lesion_id) in wanted]


def photograph_inputs(
    folders: DataFolders, spec: InputSpec, part: Literal["train", "validation", "test"]
) -> NDArray[np.uint8]:
    """Return photographs that no dermatoscope took as a model's input: uint8, (n, h, w, 3), RGB."""
    chosen = photographs(folders, part)
    pixels = [resize_to_input(read_image(photo.path), spec) for photo in chosen]
    return np.array(pixels, np.uint8).reshape(-1, spec.height, spec.width, 3)
