"""MILK10k: lesions of five centres and of every skin tone, nearly all proven by histology.

MILK study team, doi:10.34970/648456. Each lesion has a dermoscopic image and a clinical photograph;
what the seven diagnoses do not name is out of scope.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_host.datasets.clinic import (
    is_published,
    out_of_scope_images,
    parse_age,
    read_clinic,
)
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

MILK10K: Final = "MILK10k"
TRUTH_FILE: Final = "MILK10k_Training_GroundTruth.csv"
METADATA_FILE: Final = "MILK10k_Training_Metadata.csv"
CLINICAL_FILE: Final = "clinical.csv"
LICENCE: Final = "CC BY-NC 4.0"

CLASSES: Final[Mapping[str, Code | None]] = {
    "AKIEC": Code.AKIEC, "BCC": Code.BCC, "BEN_OTH": None, "BKL": Code.BKL, "DF": Code.DF,
    "INF": None, "MAL_OTH": None, "MEL": Code.MEL, "NV": Code.NV, "SCCKA": Code.AKIEC,
    "VASC": Code.VASC,
}  # fmt: skip
"""What its classes are called here: squamous cell carcinoma and keratoacanthoma are akiec's."""


@dataclass(frozen=True, slots=True)
class MilkImages:
    """What MILK10k's published tables say of its images.

    Attributes
    ----------
    records
        Of the dermoscopic images that show one of the seven diagnoses.
    out_of_scope
        Identifiers of the dermoscopic images that show none of them.
    clinical
        Identifiers of the photographs that no dermatoscope took, and of their lesions.
    """

    records: tuple[ImageRecord, ...]
    out_of_scope: tuple[str, ...]
    clinical: tuple[tuple[str, str], ...]


def read_milk10k(folder: Path) -> Dataset:
    """Return the dermoscopic images that show one of the seven diagnoses.

    Parameters
    ----------
    folder
        Holds the tables as they are published, or one table as `build_host.datasets.clinic` has
        it, and the images.

    Raises
    ------
    build_host.errors.DataError
        If a table is missing, a row cannot be understood, or an image is missing.
    """
    if is_published(folder):
        return with_images(
            MILK10K, read_milk10k_tables(folder).records, find_images(folder), folder
        )
    return read_clinic(folder, MILK10K)


def milk10k_out_of_scope(folder: Path) -> dict[str, Path]:
    """Return the dermoscopic images that show none of the seven diagnoses, by identifier."""
    if not is_published(folder):
        return out_of_scope_images(folder)
    paths = find_images(folder)
    return {n: paths[n] for n in read_milk10k_tables(folder).out_of_scope if n in paths}


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph that no dermatoscope took.

    Attributes
    ----------
    image_id, lesion_id
        As in `build_host.datasets.dataset.ImageRecord`.
    path
        Its file.
    """

    image_id: str
    lesion_id: str
    path: Path


def milk10k_photographs(folder: Path) -> tuple[Photograph, ...]:
    """Return the photographs that no dermatoscope took; may be none."""
    paths = find_images(folder)
    if is_published(folder):
        named = read_milk10k_tables(folder).clinical
    elif (folder / CLINICAL_FILE).is_file():
        rows = read_csv(folder / CLINICAL_FILE, ("image_id", "lesion_id"))
        named = tuple((row["image_id"], row["lesion_id"]) for _, row in rows)
    else:
        named = ()
    return tuple(Photograph(i, lesion, paths[i]) for i, lesion in named if i in paths)


def read_milk10k_tables(folder: Path, problems: list[DataError] | None = None) -> MilkImages:
    """Return what the published tables say.

    Parameters
    ----------
    problems
        Collects what is wrong with single rows, which are then left out; without it the first bad
        row is raised.

    Raises
    ------
    build_host.errors.DataError
        As in `read_milk10k`.
    """
    check_files(folder, (TRUTH_FILE, METADATA_FILE))
    diagnoses, doubtful = _read_diagnoses(folder / TRUTH_FILE, problems)
    path = folder / METADATA_FILE
    columns = (
        "lesion_id", "image_type", "isic_id", "age_approx", "sex", "skin_tone_class", "site",
    )  # fmt: skip
    records: list[ImageRecord] = []
    out_of_scope: list[str] = []
    clinical: list[tuple[str, str]] = []
    for line, row in read_csv(path, columns):
        where, lesion, image = f"{path}: line {line}", row["lesion_id"], row["isic_id"]
        if lesion in doubtful:
            continue
        try:
            if lesion not in diagnoses:
                raise DataError(f"{where}: lesion {lesion!r} is not in {TRUTH_FILE}")
            age = parse_age(where, row["age_approx"])
        except DataError as error:
            if problems is None:
                raise
            problems.append(error)
            continue
        dx = diagnoses[lesion]
        if not row["image_type"].startswith("dermoscopic"):
            clinical.append((image, lesion))
        elif dx is None:
            out_of_scope.append(image)
        else:
            records.append(
                ImageRecord(
                    image_id=image,
                    lesion_id=lesion,
                    dx=dx,
                    age=age,
                    sex=row["sex"] or "unknown",
                    localization=row["site"] or "unknown",
                    source=MILK10K,
                    skin_tone=row["skin_tone_class"],
                )
            )
    if not records:
        raise DataError(f"{path}: has no rows of dermoscopic images")
    return MilkImages(tuple(records), tuple(out_of_scope), tuple(clinical))


def _read_diagnoses(
    path: Path, problems: list[DataError] | None
) -> tuple[dict[str, Code | None], set[str]]:
    """Return the diagnosis of each lesion, None for none of the seven; and those in doubt."""
    diagnoses: dict[str, Code | None] = {}
    doubtful: set[str] = set()
    for line, row in read_csv(path, ("lesion_id", *CLASSES)):
        lesion = row.pop("lesion_id")
        try:
            diagnoses[lesion] = CLASSES[marked_class(f"{path}: line {line}", lesion, row)]
        except DataError as error:
            if problems is None:
                raise
            problems.append(error)
            doubtful.add(lesion)
    return diagnoses, doubtful
