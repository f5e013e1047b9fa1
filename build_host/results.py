"""The results that stages leave on disk: JSON, indented for people."""

from pathlib import Path
from typing import TypeVar

import msgspec

from build_host.errors import DataError
from build_host.files import write_file

T = TypeVar("T")


def to_json(value: object) -> bytes:
    """Return a result as it is written."""
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"


def write_result(path: Path, value: object) -> None:
    """Write a result atomically."""
    write_file(path, to_json(value))


def read_result(path: Path, kind: type[T]) -> T:
    """Return a result that was written before.

    Raises
    ------
    build_host.errors.DataError
        If the file is not of this kind; an older version may have written it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise DataError(
            f"{path}: is not what this version writes ({error}); make it again"
        ) from None
