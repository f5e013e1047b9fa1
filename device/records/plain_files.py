"""Examinations as plain files, as earlier releases kept them: a folder each, to be brought over.

They are read as if anyone may have altered them.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from device.errors import RecordError
from device.imaging.image_file import read_image
from device.platform.regular_files import read_regular_file
from device.records.examination_tables import damaged, decode_record
from device.records.model import Examination

_RECORD_FILE: Final = "examination.json"
_IMAGE_FILE: Final = "image.png"
_NAME: Final = re.compile(r"(?:(?P<number>\d{6,})-)?\d{8}T\d{6}Z-[0-9a-f]+")
_LARGEST_RECORD: Final = 1 << 20


def plain_examinations(folder: Path) -> list[str]:
    """Return the examinations in a folder, in the order in which they were kept.

    Those of before examinations were numbered come first, by their time.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    return sorted(_names(folder), key=lambda name: (_number(name), name))


def read_plain(folder: Path, identifier: str) -> Examination:
    """Return an examination that was kept as plain files, of any version.

    Raises
    ------
    device.errors.RecordError
        If its files are damaged.
    """
    path = folder / identifier
    try:
        record = decode_record(identifier, read_regular_file(path / _RECORD_FILE, _LARGEST_RECORD))
        if not (path / _IMAGE_FILE).is_file():
            raise ValueError("its image is no file")
        pixels = read_image(path / _IMAGE_FILE)
        field = record.field_of_view
        if field is not None and not field.lies_in(pixels.shape):
            raise ValueError("its field of view does not lie in its image")
    except RecordError:
        raise
    except (OSError, ValueError) as error:
        raise damaged(identifier, error) from None
    return Examination(record, pixels)


def _names(folder: Path) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                yield entry.name


def _number(identifier: str) -> int:
    """Return the number that an identifier begins with, or 0 for one of before there were any."""
    match = _NAME.fullmatch(identifier)
    return int(match["number"] or 0) if match else 0
