"""Reading a dataset's folder: its table of images, and the image files."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import IO, Final

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.errors import DataError
from device.imaging.image_file import read_image

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".jpe")
"""Endings of the images, however they are written."""

_SEPARATORS: Final = ",;\t"
_DEEPEST: Final = 4
_HEAD_BYTES: Final = 4096


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row of a CSV file, with its line number.

    Cells are separated by commas, semicolons or tabs: whichever the first line has most of.

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
            reader = _reader(file)
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
            return tuple(_reader(file).fieldnames or ())
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


def image_name(text: str) -> str:
    """Return an image's identifier, which tables write with its file's ending or without."""
    return text[: -len(end)] if (end := PurePath(text).suffix).lower() in IMAGE_SUFFIXES else text


def find_images(folder: Path) -> dict[str, Path]:
    """Return the JPEG files in a folder, and in folders inside it four deep, by stem.

    A copy in another folder does no harm.

    Raises
    ------
    build_host.errors.DataError
        If two different files have one name.
    """
    found: dict[str, Path] = {}
    different = []
    for path in _files(folder):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            first = found.setdefault(path.stem, path)
            if first is not path and not _alike(first, path):
                different.append((first, path))
    if different:
        first, second = different[0]
        raise DataError(
            f"{folder}: {len(different)} images are there twice and differ, the first are "
            f"{first.relative_to(folder)} and {second.relative_to(folder)}; take one of the two "
            "folders away"
        )
    return found


def what_lies_in(folder: Path) -> str:
    """Return which files are in a folder and in those inside it, for a message."""
    counts = Counter(path.suffix.lower() or "without ending" for path in _files(folder))
    if not counts:
        return "nothing lies there"
    return "there lie " + ", ".join(f"{n:,} {end}" for end, n in counts.most_common(4))


def images_missing(folder: Path, missing: Sequence[str], rows: int) -> DataError:
    """Return the error of images that a table names and that are not there."""
    return DataError(
        f"{folder}: {len(missing)} of {rows} images are missing, the first is "
        f"{missing[0]}.jpg; {what_lies_in(folder)}"
    )


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
        raise images_missing(folder, missing, len(records))
    return Dataset(name, records, lambda r: read_image(paths[r.image_id]))


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder, and in folders inside it, those of the outer folders first."""
    inside = [folder]
    for _ in range(_DEEPEST + 1):
        entries = [p for f in inside for p in sorted(f.iterdir()) if not p.name.startswith(".")]
        yield from (p for p in entries if not p.is_dir())
        inside = [p for p in entries if p.is_dir()]


def _alike(first: Path, second: Path) -> bool:
    """Tell whether two images are the same: as long, and the same in header and first blocks."""
    if first.stat().st_size != second.stat().st_size:
        return False
    with first.open("rb") as one, second.open("rb") as other:
        return one.read(_HEAD_BYTES) == other.read(_HEAD_BYTES)


def _reader(file: IO[str]) -> "csv.DictReader[str]":
    header = file.readline()
    file.seek(0)
    return csv.DictReader(file, delimiter=max(_SEPARATORS, key=header.count))
