"""A clinic's own pictures: a folder of images and a table that says what they show.

The table is a CSV file, ``images.csv`` or ``metadata.csv``, with a row for each image. Diagnoses
may be written as the clinic writes them: ``diagnoses.csv`` beside it says which of the seven each
stands for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.folder import (
    find_images,
    image_name,
    read_csv,
    read_header,
    with_images,
)
from build_host.errors import DataError
from device.diagnoses import CODES, Code

TABLES: Final = ("images.csv", "metadata.csv")
DIAGNOSES_FILE: Final = "diagnoses.csv"
_OUT_OF_SCOPE: Final = ("", "-", "none")

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "image": ("image", "image_id"),
    "lesion": ("lesion", "lesion_id"),
    "diagnosis": ("dx", "diagnosis"),
    "confirmed_by": ("confirmed_by", "dx_type"),
    "age": ("age",),
    "sex": ("sex",),
    "site": ("site", "localization"),
    "source": ("source",),
    "skin_tone": ("skin_tone", "skin_tone_class"),
}
"""What the table may tell, and the columns in which it does, the first that is there."""

_NEEDED: Final = ("image", "lesion", "diagnosis")
_UNKNOWN: Final = frozenset({"", "unknown", "nan", "na", "n/a", "none", "null", "-", "?"})
_OLDEST: Final = 130.0


@dataclass(frozen=True, slots=True)
class ClinicTable:
    """The rows of a clinic's table.

    Attributes
    ----------
    records
        Of images that show one of the seven diagnoses.
    out_of_scope
        Identifiers of images that show none of them.
    """

    records: tuple[ImageRecord, ...]
    out_of_scope: tuple[str, ...]


def read_clinic(folder: Path, name: str = "") -> Dataset:
    """Return a clinic's images.

    Parameters
    ----------
    folder
        Holds the table, and the images as ``.jpg`` files or in a folder of them.
    name
        Of the source, where the table does not name it; by default the folder's.

    Raises
    ------
    build_host.errors.DataError
        If the table is missing, a row cannot be understood, an identifier appears twice, or an
        image is missing.
    """
    name = name or folder.resolve().name
    records = read_clinic_table(folder, name).records
    return with_images(name, records, find_images(folder), folder)


def is_published(folder: Path) -> bool:
    """Tell whether a folder has no such table, so that it must hold a collection's own."""
    return not any((folder / table).is_file() for table in TABLES)


def out_of_scope_images(folder: Path) -> dict[str, Path]:
    """Return the images of a clinic that show none of the seven diagnoses, by identifier."""
    table = read_clinic_table(folder, "", [])
    paths = find_images(folder)
    return {name: paths[name] for name in table.out_of_scope if name in paths}


def read_clinic_table(
    folder: Path, name: str, problems: list[DataError] | None = None
) -> ClinicTable:
    """Return the rows of a clinic's table.

    Parameters
    ----------
    name
        As in `read_clinic`.
    problems
        Collects what is wrong with single rows, which are then left out; without it the first bad
        row is raised.

    Raises
    ------
    build_host.errors.DataError
        If a table is missing, is no CSV file, or lacks a column; without `problems`, if a row
        cannot be understood or an identifier appears twice.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name the one with {TABLES[0]}")
    path = next((folder / table for table in TABLES if (folder / table).is_file()), None)
    if path is None:
        raise DataError(
            f"{folder}: {TABLES[0]} is missing; it needs the columns {', '.join(_NEEDED)}"
        )
    columns = _columns(path)
    codes = _read_diagnoses(folder / DIAGNOSES_FILE)
    records: list[ImageRecord] = []
    out_of_scope: list[str] = []
    seen: dict[str, int] = {}
    for line, row in read_csv(path, tuple(columns.values())):
        values = {what: row[column] for what, column in columns.items()}
        values["image"] = image_name(values["image"])
        where = f"{path}: line {line}"
        try:
            record = _parse_row(where, values, codes, name)
            image = values["image"]
            if image in seen:
                raise DataError(
                    f"{where}: {image} is already in line {seen[image]}; remove one of the two"
                )
        except DataError as error:
            if problems is None:
                raise
            problems.append(error)
            continue
        seen[image] = line
        if record is None:
            out_of_scope.append(image)
        else:
            records.append(record)
    if not seen and not problems:
        raise DataError(f"{path}: has no rows")
    return ClinicTable(tuple(records), tuple(out_of_scope))


def _columns(path: Path) -> dict[str, str]:
    header = read_header(path)
    found = {
        what: next(name for name in names if name in header)
        for what, names in _NAMES.items()
        if any(name in header for name in names)
    }
    missing = [what for what in _NEEDED if what not in found]
    if missing:
        raise DataError(f"{path}: the columns {', '.join(missing)} are missing")
    return found


def _read_diagnoses(path: Path) -> dict[str, Code | None]:
    """Return what each name of a diagnosis stands for; None for none of the seven."""
    codes: dict[str, Code | None] = {str(code): code for code in CODES}
    codes |= dict.fromkeys(_OUT_OF_SCOPE)
    if not path.is_file():
        return codes
    for line, row in read_csv(path, ("name", "dx")):
        dx = row["dx"].lower()
        if dx not in (*CODES, *_OUT_OF_SCOPE):
            raise DataError(
                f"{path}: line {line}: dx {row['dx']!r} is not one of {', '.join(CODES)}, nor "
                "empty for none of them"
            )
        codes[row["name"].lower()] = Code(dx) if dx in CODES else None
    return codes


def _parse_row(
    where: str, values: Mapping[str, str], codes: Mapping[str, Code | None], name: str
) -> ImageRecord | None:
    for what in ("image", "lesion"):
        if not values[what]:
            raise DataError(f"{where}: {what} is empty")
    written = values["diagnosis"]
    if written.lower() not in codes:
        raise DataError(
            f"{where}: diagnosis {written!r} is not one of {', '.join(CODES)}; say in "
            f"{DIAGNOSES_FILE} (columns name, dx) what it stands for"
        )
    age = parse_age(where, values.get("age", ""))
    dx = codes[written.lower()]
    if dx is None:
        return None
    return ImageRecord(
        image_id=values["image"],
        lesion_id=values["lesion"],
        dx=dx,
        dx_type=values.get("confirmed_by", ""),
        age=age,
        sex=values.get("sex") or "unknown",
        localization=values.get("site") or "unknown",
        source=values.get("source") or name,
        skin_tone=values.get("skin_tone", ""),
    )


def parse_age(where: str, text: str) -> float | None:
    """Return an age in years, or None where it is not known.

    Raises
    ------
    build_host.errors.DataError
        If it is none; the message begins with `where`.
    """
    if text.lower() in _UNKNOWN:
        return None
    try:
        # A spreadsheet may write a decimal comma.
        age = float(text.replace(",", "."))
    except ValueError:
        raise DataError(f"{where}: age {text!r} is not a number") from None
    if not 0.0 <= age <= _OLDEST:
        raise DataError(f"{where}: age {text!r} is not an age in years")
    return age
