"""The collections of images that a run can train on, by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np

from build_host.datasets import ham10000, isic2017, isic2019, milk10k
from build_host.datasets.clinic import read_clinic
from build_host.datasets.dataset import Dataset, concatenate
from build_host.datasets.split import Split, divide_by_lesion, split_by_lesion
from build_host.errors import DataError
from device.imaging.field_of_view import WORKING_SIDE

SourceName = Literal["ham10000", "isic-2017", "isic-2019", "milk10k", "bcn20000", "clinic"]


@dataclass(frozen=True, slots=True)
class Source:
    """A collection of images.

    Attributes
    ----------
    title
        Its name in reports; that of a clinic's own pictures is their folder's.
    option, variable
        The option and the environment variable that name its folder.
    licence
        Whose terms it puts on a model; empty for pictures that are the user's own.
    read
        Returns its images; of ISIC 2017, those that are not its test part.
    """

    title: str
    option: str
    variable: str
    licence: str
    read: Callable[[Path], Dataset]


SOURCES: Final[Mapping[SourceName, Source]] = {
    "ham10000": Source(
        "HAM10000", "--ham10000", "DERMASCOPE_HAM10000", ham10000.LICENCE, ham10000.read_ham10000
    ),
    "isic-2017": Source(
        isic2017.ISIC2017,
        "--isic2017",
        "DERMASCOPE_ISIC2017",
        isic2017.LICENCE,
        lambda folder: isic2017.read_isic2017(folder, ("train", "validation")),
    ),
    "isic-2019": Source(
        isic2019.ISIC2019,
        "--isic2019",
        "DERMASCOPE_ISIC2019",
        isic2019.LICENCE,
        isic2019.read_isic2019,
    ),
    "milk10k": Source(
        milk10k.MILK10K,
        "--milk10k",
        "DERMASCOPE_MILK10K",
        milk10k.LICENCE,
        milk10k.read_milk10k,
    ),
    "bcn20000": Source(
        isic2019.BCN20000,
        "--bcn20000",
        "DERMASCOPE_BCN20000",
        isic2019.LICENCE,
        isic2019.read_bcn20000,
    ),
    "clinic": Source(
        "the clinic's own pictures",
        "--clinic",
        "DERMASCOPE_CLINIC",
        "",
        read_clinic,
    ),
}

_MEANING: Final = {"CC BY-NC 4.0": ": attribution, non-commercial use"}

TRAINING_ONLY: Final = frozenset({isic2017.ISIC2017})
"""Sources that have a test part of their own, so that all that is read of them trains."""


@dataclass(frozen=True, slots=True)
class DataFolders:
    """Where a run's data is.

    Attributes
    ----------
    sources
        Folders of the collections that are there.
    pretrained
        ImageNet weights; None to download them, or to take them from installed packages.
    """

    sources: Mapping[SourceName, Path] = field(default_factory=dict)
    pretrained: Path | None = None

    def folder(self, name: SourceName) -> Path:
        """Return the folder of a source.

        Raises
        ------
        build_host.errors.DataError
            If none is named.
        """
        if name not in self.sources:
            source = SOURCES[name]
            raise DataError(
                f"{source.title}: name its folder with {source.option} DIR or ${source.variable}"
            )
        return self.sources[name]


def licences(names: Iterable[SourceName]) -> str:
    """Return the terms that sources put on a model, each with whose they are."""
    under: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        under.setdefault(SOURCES[name].licence, []).append(SOURCES[name].title)
    return "; ".join(
        f"{licence} ({', '.join(titles)}{_MEANING.get(licence, '')})" if licence else titles[0]
        for licence, titles in under.items()
    )


def read_sources(names: tuple[SourceName, ...], folders: DataFolders) -> Dataset:
    """Return the images of several sources as one dataset, each record with its source.

    Of ISIC 2019, those that ISIC 2017 tests on are left out, where that is at hand.

    Raises
    ------
    build_host.errors.DataError
        If the folder of one is not named, or its data is incomplete.
    """
    places = {name: folders.folder(name) for name in names}
    datasets = [_read(name, folder, folders) for name, folder in places.items()]
    return datasets[0] if len(datasets) == 1 else concatenate(*datasets)


def _read(name: SourceName, folder: Path, folders: DataFolders) -> Dataset:
    dataset = SOURCES[name].read(folder)
    if name == "isic-2019" and "isic-2017" in folders.sources:
        tested = isic2017.tested_images(folders.folder("isic-2017"))
        return isic2019.without_images_of(dataset, tested)
    return dataset


def tested_elsewhere(names: Iterable[SourceName], folders: DataFolders) -> Dataset | None:
    """Return the images of sources that test although `read_sources` leaves them out.

    That is ISIC 2017's test part; None where that is not among the sources, or not at hand.
    """
    if "isic-2017" not in names:
        return None
    try:
        return isic2017.read_isic2017(folders.folder("isic-2017"), ("test",))
    except DataError:
        # What trains is often downloaded alone, and what is not there cannot test here.
        return None


def at_full_size(dataset: Dataset) -> Dataset:
    """Return the images of those sources whose pictures are large enough to measure quality by.

    BCN20000 is also handed around reduced to 84 x 84 pixels, in which nothing is in focus.
    """
    large = {
        name
        for name in dataset.sources
        if min(dataset.read(next(r for r in dataset.records if r.source == name)).shape[:2])
        >= WORKING_SIDE
    }
    rows = [i for i, r in enumerate(dataset.records) if r.source in large]
    return dataset.subset(np.array(rows, dtype=np.int64)) if rows else dataset


def split_sources(dataset: Dataset) -> Split:
    """Split the images of one or several sources by lesion.

    Raises
    ------
    build_host.errors.DataError
        If a diagnosis is missing from a part.
    """
    return split_by_lesion(dataset, TRAINING_ONLY)


def divide_sources(dataset: Dataset) -> Split:
    """Split as `split_sources` does, whatever diagnoses are missing from a part."""
    return divide_by_lesion(dataset, TRAINING_ONLY)
