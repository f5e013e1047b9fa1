"""Files that must not be lost: where they lie, and how they are written."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import platformdirs


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the instrument keeps what it must not forget.

    Where the service manager says (``STATE_DIRECTORY``), else the user's own state folder.
    """
    named = environment.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(named) if named else platformdirs.user_state_path("dermascope")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that power that fails leaves the old one or the new one.

    Raises
    ------
    OSError
        If it cannot be written; the old one is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


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
