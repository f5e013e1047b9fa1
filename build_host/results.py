"""What stages leave on disk: JSON that a person can read, written in one step."""

from pathlib import Path
from typing import TypeVar

import msgspec

from device.errors import DataError

T = TypeVar("T")


def encoded(value: object) -> bytes:
    """Return a result as it is written."""
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"


def write_result(path: Path, value: object) -> None:
    """Write a result: a reader finds the old one or the new one."""
    part = path.with_name(f"part-{path.name}")
    part.write_bytes(encoded(value))
    part.replace(path)


def read_result(path: Path, kind: type[T]) -> T:
    """Return a result that was written before.

    Raises
    ------
    device.errors.DataError
        If the file is none of this kind; an older version may have written it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise DataError(
            f"{path}: is not what this version writes ({error}); make it again"
        ) from None
