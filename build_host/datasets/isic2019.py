"""The ISIC 2019 challenge's training images, of three collections, and BCN20000 alone.

Tschandl et al. 2018, doi:10.1038/sdata.2018.161; Codella et al. 2018, arXiv:1710.05006; Combalia et
al. 2019, arXiv:1908.02288.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from build_host.datasets.clinic import is_published, parse_age, read_clinic
from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.folder import (
    check_files,
    find_images,
    marked_class,
    read_csv,
    with_images,
)
from build_host.errors import DataError
from device.diagnoses import Code

TRUTH_FILE: Final = "ISIC_2019_Training_GroundTruth.csv"
METADATA_FILE: Final = "ISIC_2019_Training_Metadata.csv"
LICENCE: Final = "CC BY-NC 4.0"
BCN20000: Final = "BCN20000"
ISIC2019: Final = "ISIC 2019"
APART: Final = f"{ISIC2019} without ISIC 2017's test part"
"""Names the collection in provenance where `without_images_of` has left that out."""

_SMALLER: Final = "_downsampled"
"""Ends the identifier of an image that was published larger before."""

CLASSES: Final[Mapping[str, Code]] = {
    "MEL": Code.MEL, "NV": Code.NV, "BCC": Code.BCC, "AK": Code.AKIEC, "BKL": Code.BKL,
    "DF": Code.DF, "VASC": Code.VASC, "SCC": Code.AKIEC,
}  # fmt: skip
"""What the challenge's classes are called here; squamous cell carcinoma is akiec's."""

_UNKNOWN: Final = "UNK"
_COLLECTIONS: Final[Mapping[str, str]] = {"BCN": BCN20000, "HAM": "HAM10000", "MSK": "MSK"}
"""Which collection an image is of, by how its lesion's identifier begins."""


def read_isic2019(folder: Path) -> Dataset:
    """Return the challenge's training images, each record with the collection that it is of.

    Parameters
    ----------
    folder
        Holds both tables as they are published, and the images, all in one folder or in several.

    Raises
    ------
    build_host.errors.DataError
        If a table is missing, a row cannot be understood, an identifier appears twice, or an image
        is missing.
    """
    records = read_isic2019_tables(folder)
    return with_images(ISIC2019, records, find_images(folder), folder)


def without_images_of(dataset: Dataset, tested: Collection[str]) -> Dataset:
    """Return ISIC 2019 without the images that ISIC 2017 tests on; MSK's are in both.

    Parameters
    ----------
    tested
        Their identifiers in ISIC 2017.
    """
    kept = tuple(r for r in dataset.records if r.image_id.removesuffix(_SMALLER) not in tested)
    return Dataset(APART, kept, dataset.read)


def read_bcn20000(folder: Path) -> Dataset:
    """Return BCN20000's images, from ISIC 2019 or from a folder with a table of them alone.

    Such a table is as `build_host.datasets.clinic` has it.

    Raises
    ------
    build_host.errors.DataError
        As in `read_isic2019`.
    """
    if not is_published(folder):
        return read_clinic(folder, BCN20000)
    records = tuple(r for r in read_isic2019_tables(folder) if r.source == BCN20000)
    if not records:
        raise DataError(f"{folder / METADATA_FILE}: has no lesion of BCN20000")
    return with_images(BCN20000, records, find_images(folder), folder)


def read_isic2019_tables(
    folder: Path, problems: list[DataError] | None = None
) -> tuple[ImageRecord, ...]:
    """Return the rows of the challenge's tables that show one of the seven diagnoses.

    Parameters
    ----------
    problems
        Collects what is wrong with single rows, which are then left out; without it the first bad
        row is raised.

    Raises
    ------
    build_host.errors.DataError
        As in `read_isic2019`.
    """
    check_files(folder, (TRUTH_FILE, METADATA_FILE))
    known, doubtful = _read_metadata(folder / METADATA_FILE, problems)
    path = folder / TRUTH_FILE
    records: dict[str, ImageRecord] = {}
    for line, row in read_csv(path, ("image", *CLASSES, _UNKNOWN)):
        where, image = f"{path}: line {line}", row.pop("image")
        if image in doubtful:
            continue
        try:
            marked = marked_class(where, image, row)
            if image in records or image not in known:
                wrong = "appears twice" if image in records else f"is not in {METADATA_FILE}"
                raise DataError(f"{where}: {image!r} {wrong}")
        except DataError as error:
            if problems is None:
                raise
            problems.append(error)
            continue
        if marked != _UNKNOWN:
            records[image] = replace(known[image], dx=CLASSES[marked])
    if not records:
        raise DataError(f"{path}: has no rows")
    return tuple(records.values())


def _read_metadata(
    path: Path, problems: list[DataError] | None
) -> tuple[dict[str, ImageRecord], set[str]]:
    """Return what is known of each image but its diagnosis, and the images that are in doubt."""
    known: dict[str, ImageRecord] = {}
    doubtful: set[str] = set()
    columns = ("image", "lesion_id", "age_approx", "anatom_site_general", "sex")
    for line, row in read_csv(path, columns):
        # A third of MSK's images name no lesion: each stands for itself.
        lesion = row["lesion_id"] or row["image"]
        try:
            age = parse_age(f"{path}: line {line}", row["age_approx"])
        except DataError as error:
            if problems is None:
                raise
            problems.append(error)
            doubtful.add(row["image"])
            continue
        known[row["image"]] = ImageRecord(
            image_id=row["image"],
            lesion_id=lesion,
            dx=Code.NV,
            age=age,
            sex=row["sex"] or "unknown",
            localization=row["anatom_site_general"] or "unknown",
            source=_COLLECTIONS.get(lesion[:3], "MSK"),
        )
    return known, doubtful
