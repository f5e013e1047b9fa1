"""Reading small files that anyone may have put there."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular_file(path: Path) -> BinaryIO:
    """Open a file to read its bytes; a pipe or a device holds nobody up.

    Raises
    ------
    OSError
        If it cannot be opened, or is no file.
    """
    # A pipe without a writer would be waited for without end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        raise OSError(errno.EINVAL, "is no file")
    return os.fdopen(descriptor, "rb")


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
    with open_regular_file(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"is larger than {most} bytes")
    return content
