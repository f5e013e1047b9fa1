"""Reading a dataset's folder: its table of images, and the image files."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.errors import DataError
from device.imaging.image_file import read_image


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row of a CSV file, with its line number.

    Parameters
    ----------
    columns
        The columns to read; cells missing from a short row are empty.

    Raises
    ------
    build_host.errors.DataError
        If the file is not CSV, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [c for c in columns if c not in (reader.fieldnames or [])]
            if missing:
                raise DataError(f"{path}: the columns {', '.join(missing)} are missing")
            for row in reader:
                yield reader.line_num, {c: (row[c] or "").strip() for c in columns}
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a CSV file ({error})") from None


def read_header(path: Path) -> tuple[str, ...]:
    """Return the names of a CSV file's columns.

    Raises
    ------
    build_host.errors.DataError
        If the file is not CSV.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return tuple(csv.DictReader(file).fieldnames or ())
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a CSV file ({error})") from None


def marked_class(where: str, name: str, row: Mapping[str, str]) -> str:
    """Return the one column that a row marks with 1: published tables have one for each class.

    Parameters
    ----------
    where
        The row's place, for the message.
    name
        What the row is of.

    Raises
    ------
    build_host.errors.DataError
        If it marks none, or several.
    """
    marked = [column for column, value in row.items() if value in ("1", "1.0")]
    if len(marked) != 1:
        raise DataError(f"{where}: {name!r} has {len(marked)} diagnoses, not one")
    return marked[0]


def check_files(folder: Path, names: Sequence[str]) -> None:
    """Check that a folder has all of these files.

    Raises
    ------
    build_host.errors.DataError
        If one is missing.
    """
    for name in names:
        if not (folder / name).is_file():
            raise DataError(f"{folder}: {name} is missing; name the folder that holds it")


def find_images(folder: Path) -> dict[str, Path]:
    """Return the ``.jpg`` files in a folder, and in folders inside it two deep, by stem."""
    places = [folder, *_folders(folder), *(p for f in _folders(folder) for p in _folders(f))]
    return {p.stem: p for place in places for p in sorted(place.glob("*.jpg"))}


def with_images(
    name: str, records: tuple[ImageRecord, ...], paths: Mapping[str, Path], folder: Path
) -> Dataset:
    """Return a dataset of records and the files of their images.

    Parameters
    ----------
    name
        Of the dataset.
    paths
        Image files by identifier, as `find_images` returns them.
    folder
        Where they were looked for, for the message.

    Raises
    ------
    build_host.errors.DataError
        If an image is missing.
    """
    missing = [r.image_id for r in records if r.image_id not in paths]
    if missing:
        raise DataError(
            f"{folder}: {len(missing)} of {len(records)} images are missing, the first is "
            f"{missing[0]}.jpg"
        )
    return Dataset(name, records, lambda r: read_image(paths[r.image_id]))


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir())
