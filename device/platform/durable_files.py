"""Files that must not be lost: the one place that writes them."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700


def write_atomically(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Write a file so that power that fails leaves the old one or the new one.

    What root writes belongs to the folder's owner, who is to read it.

    Parameters
    ----------
    mode
        Of the file, whatever the umask.

    Raises
    ------
    OSError
        If it cannot be written; the old one is then untouched.
    """
    make_folder(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            set_mode(file.fileno(), mode)
            if os.geteuid() == 0:
                owner = path.parent.stat()
                with contextlib.suppress(PermissionError):
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def remove_durably(path: Path) -> None:
    """Remove a file, where it is there, so that power cannot bring it back.

    Raises
    ------
    OSError
        If it cannot be removed.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        fsync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing, so that power cannot undo it.

    What is made is its owner's alone, whatever the umask.
    """
    missing = [folder, *folder.parents]
    missing = missing[: next(i for i, path in enumerate(missing) if path.exists())]
    for path in reversed(missing):
        path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        set_mode(path, PRIVATE_FOLDER)
        fsync_folder(path.parent)


def set_mode(target: Path | int, mode: int) -> None:
    """Set who may read and write a path or a descriptor, where the file system knows of it.

    FAT does not, and refuses: there the mount says it.
    """
    with contextlib.suppress(PermissionError):
        os.chmod(target, mode)  # noqa: PTH101 -- a descriptor is no path


def fsync_file(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
