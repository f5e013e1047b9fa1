"""Reading a dataset's folder: its table of images, and the image files."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from build_host.errors import DataError


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


def find_images(folder: Path) -> dict[str, Path]:
    """Return the ``.jpg`` files in a folder and in the folders directly inside it, by stem."""
    places = [folder, *sorted(p for p in folder.iterdir() if p.is_dir())]
    return {p.stem: p for place in places for p in sorted(place.glob("*.jpg"))}
