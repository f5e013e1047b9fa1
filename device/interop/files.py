"""Files that are exported: each whole or not at all, and its owner's alone."""

import contextlib
import glob
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from device.errors import ExportError
from device.language import translatable
from device.platform.durable_files import (
    fsync_folder,
    make_folder,
    remove_durably,
    write_atomically,
)
from device.text import printable_path

_PART: Final = ".part"


def write_export(path: Path, content: bytes) -> None:
    """Write a file that is exported.

    Raises
    ------
    device.errors.ExportError
        If it cannot be written.
    """
    with _told(path):
        write_atomically(path, content)


def remove_export(path: Path) -> None:
    """Remove a file that was exported before, where it is there.

    Raises
    ------
    device.errors.ExportError
        If it cannot be removed.
    """
    with _told(path):
        remove_durably(path)


def remove_unfinished(folder: Path, *patterns: str) -> None:
    """Remove what an export left that was interrupted: it is of patients, as what is whole is.

    Parameters
    ----------
    folder
        Where it was written to.
    patterns
        Of the files' names, such as ``*.pdf`` (`pathlib.Path.glob`).
    """
    for pattern in patterns:
        where, _, name = pattern.rpartition("/")
        for part in folder.glob(f"{where}{'/' * bool(where)}.{name}.*{_PART}"):
            with contextlib.suppress(OSError):
                part.unlink()


@contextlib.contextmanager
def export_file(path: Path) -> Iterator[IO[str]]:
    """Yield a text file to write to, line by line; it has its name once the block ends well.

    Raises
    ------
    device.errors.ExportError
        If it cannot be written.
    """
    with _told(path):
        make_folder(path.parent)
        remove_unfinished(path.parent, glob.escape(path.name))
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PART, dir=path.parent)
        part = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        fsync_folder(path.parent)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except ExportError:
        raise
    except OSError as error:
        raise ExportError(
            translatable("what is exported cannot be written"),
            action=translatable("free space on the disk, or name another folder"),
            where=printable_path(path.parent),
            detail=error.strerror or str(error),
        ) from None
