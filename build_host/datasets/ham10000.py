"""HAM10000 as its users have it: a metadata table and folders of images, or one pixel table.

Tschandl, Rosendahl, Kittler 2018, doi:10.1038/sdata.2018.161.
"""

import warnings
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.datasets.clinic import parse_age
from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.folder import find_images, image_name, read_csv, what_lies_in, with_images
from build_host.errors import DataError
from device.diagnoses import CODES, Code

METADATA_FILE: Final = "HAM10000_metadata.csv"
HAM10000: Final = "HAM10000"
PIXEL_TABLE: Final = "hmnist_28_28_RGB.csv"
LICENCE: Final = "CC BY-NC 4.0"

_ENDINGS: Final = (".csv", "", ".tab", ".tsv", ".txt")
"""Endings under which the table is handed around, the first that is there."""

_COLUMNS: Final = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
_TABLE_LABELS: Final[tuple[Code, ...]] = (
    Code.AKIEC, Code.BCC, Code.BKL, Code.DF, Code.NV, Code.VASC, Code.MEL
)  # fmt: skip
"""What the pixel table's ``label`` column counts, in the order of its makers."""


def read_ham10000(folder: Path) -> Dataset:
    """Return the HAM10000 images found in a folder.

    Images are looked for in the folder and in folders inside it (``HAM10000_images``,
    ``HAM10000_images_part_1`` and ``_part_2``, or one for each class); without any, the 28 x 28
    table ``hmnist_28_28_RGB.csv`` is read instead.

    Raises
    ------
    build_host.errors.DataError
        If the metadata table is missing, a row cannot be understood, an identifier appears twice,
        an image is missing, or two different ones have its name. The message names the file, the
        row and the reason.
    """
    records = read_metadata(folder)
    paths = find_images(folder)
    if not paths and (folder / PIXEL_TABLE).is_file():
        table = _read_pixel_table(folder / PIXEL_TABLE, records)
        rows = {r.image_id: i for i, r in enumerate(records)}
        return Dataset("HAM10000 (28 x 28 table)", records, lambda r: table[rows[r.image_id]])
    return with_images("HAM10000", records, paths, folder)


def read_metadata(folder: Path, problems: list[DataError] | None = None) -> tuple[ImageRecord, ...]:
    """Return the rows of a folder's metadata table.

    Parameters
    ----------
    problems
        Collects what is wrong with single rows, which are then left out; without it the first
        bad row is raised.

    Raises
    ------
    build_host.errors.DataError
        If the table is missing, is not a CSV file, or lacks a column; without `problems`, if a row
        cannot be understood or an identifier appears twice.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name the one with {METADATA_FILE}")
    path = _find_metadata(folder)
    if path is None:
        raise DataError(
            f"{folder}: {METADATA_FILE} is missing; it says which lesion each image shows, and "
            f"without it no split by lesion can be made; {what_lies_in(folder)}"
        )
    records: list[ImageRecord] = []
    seen: dict[str, int] = {}
    for line, row in read_csv(path, _COLUMNS):
        try:
            record = _parse_row(path, line, row)
            if record.image_id in seen:
                raise DataError(
                    f"{path}: line {line}: {record.image_id} is already in line "
                    f"{seen[record.image_id]}; remove one of the two"
                )
        except DataError as error:
            if problems is None:
                raise
            problems.append(error)
            continue
        seen[record.image_id] = line
        records.append(record)
    if not seen and not problems:
        raise DataError(f"{path}: has no rows")
    return tuple(records)


def _find_metadata(folder: Path) -> Path | None:
    """Return the metadata table in a folder, or in a folder inside it."""
    stem = Path(METADATA_FILE).stem.lower()
    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    tables = [p for place in places for p in sorted(place.glob("[Hh][Aa][Mm]*")) if p.is_file()]
    for ending in _ENDINGS:
        for path in tables:
            if path.name.lower() == stem + ending:
                return path
    return None


def _parse_row(path: Path, line: int, values: dict[str, str]) -> ImageRecord:
    if values["dx"] not in CODES:
        raise DataError(
            f"{path}: line {line}: dx {values['dx']!r} is not one of {', '.join(CODES)}"
        )
    for column in ("lesion_id", "image_id"):
        if not values[column]:
            raise DataError(f"{path}: line {line}: {column} is empty")
    age = parse_age(f"{path}: line {line}", values["age"])
    return ImageRecord(
        image_id=image_name(values["image_id"]),
        lesion_id=values["lesion_id"],
        dx=Code(values["dx"]),
        dx_type=values["dx_type"],
        age=age,
        sex=values["sex"] or "unknown",
        localization=values["localization"] or "unknown",
        source=HAM10000,
    )


def _read_pixel_table(path: Path, records: tuple[ImageRecord, ...]) -> NDArray[np.uint8]:
    """Return the table's images, whose rows follow those of the metadata.

    The table itself does not name its images; that its labels agree with the metadata in every
    row is what shows that the two belong together.
    """
    with path.open(encoding="utf-8") as file:
        header = file.readline().strip().replace('"', "").split(",")
    expected = [f"pixel{i:04d}" for i in range(28 * 28 * 3)] + ["label"]
    if header != expected:
        raise DataError(f"{path}: its columns are not pixel0000 to pixel2351 and label")
    try:
        with warnings.catch_warnings():
            # An empty table is reported below.
            warnings.simplefilter("ignore", UserWarning)
            table = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.uint8, ndmin=2)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    if len(table) != len(records):
        raise DataError(f"{path}: has {len(table)} rows, the metadata {len(records)}")
    for i, (label, record) in enumerate(zip(table[:, -1], records, strict=True)):
        if label >= len(_TABLE_LABELS) or _TABLE_LABELS[label] != record.dx:
            raise DataError(
                f"{path}: row {i + 1} is labelled {label}, but the metadata's row says "
                f"{record.dx}: the rows of the two files are not in the same order"
            )
    return np.ascontiguousarray(table[:, :-1].reshape(-1, 28, 28, 3))
