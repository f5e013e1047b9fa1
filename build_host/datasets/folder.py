"""How a data set is read from its folder: a table of its images, and folders of them."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from device.errors import DataError


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row of a table of comma-separated values, with its line in the file.

    Parameters
    ----------
    columns
        What is read of a row; what a row is too short for is empty.

    Raises
    ------
    device.errors.DataError
        If the file is no such table, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            lacking = [c for c in columns if c not in (reader.fieldnames or [])]
            if lacking:
                raise DataError(f"{path}: the columns {', '.join(lacking)} are missing")
            for row in reader:
                yield reader.line_num, {c: (row[c] or "").strip() for c in columns}
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: is not a table of comma-separated values ({error})") from None


def find_images(folder: Path) -> dict[str, Path]:
    """Return the ``.jpg`` files in a folder and in the folders directly inside it, by stem."""
    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    return {p.stem: p for place in places for p in sorted(place.glob("*.jpg"))}
