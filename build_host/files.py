"""Atomic file writes: a reader finds the old file or the new one, never a part of either."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from device.platform.durable_files import fsync_file, fsync_folder


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a file's new content, and put it in the file's place on success.

    For libraries that write to a path of their own (NumPy, Keras, Matplotlib); for bytes there is
    `write_file`. The temporary path is in the same folder, is unique, and keeps the suffix, by
    which those libraries choose the format. It gets the usual permissions, unlike those of
    `device.platform.durable_files.write_atomically`, which are the owner's alone: other users read
    bundles and runs.
    Whatever goes wrong, the old file is untouched and the temporary one is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.part{path.suffix}")
    try:
        yield part
        fsync_file(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    fsync_folder(path.parent)


def write_file(path: Path, content: bytes) -> None:
    """Write a file atomically, making its folder where it does not exist."""
    with replacing(path) as part:
        part.write_bytes(content)
