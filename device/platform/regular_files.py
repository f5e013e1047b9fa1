"""Reading small files that anyone may have put there."""

import os
import stat
from pathlib import Path


def read_regular_file(path: Path, most: int) -> bytes:
    """Return a file's content; neither a pipe nor a file of any size holds the program up.

    Parameters
    ----------
    path
        What is to be read.
    most
        Bytes that it may have.

    Raises
    ------
    OSError
        If it cannot be read, is no file, or is larger.
    """
    # A pipe without a writer would be waited for without end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("is no file")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(f"is larger than {most} bytes")
    return content
