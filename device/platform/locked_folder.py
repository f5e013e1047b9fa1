"""A folder that one program alone writes in, and that may lie on a medium that can be taken out."""

import fcntl
import os
import weakref
from pathlib import Path


class LockedFolder:
    """A folder that is held open and locked until it is closed, or the process is gone.

    No file is needed: the lock is on the folder itself.

    Parameters
    ----------
    path
        An existing folder.

    Raises
    ------
    BlockingIOError
        If another program holds it.
    OSError
        If there is no such folder, or it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.close = weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise
        except OSError:
            # A file system that knows no locks is used all the same.
            pass
        self._stat = os.fstat(descriptor)

    def lies_at(self, path: Path) -> bool:
        """Return whether a path still leads to this very folder."""
        try:
            return os.path.samestat(path.stat(), self._stat)
        except OSError:
            return False


def mount_point(path: Path) -> Path:
    """Return where the file system begins that a path lies in, or would lie in."""
    path = path.resolve()
    while not os.path.ismount(path):
        path = path.parent
    return path
