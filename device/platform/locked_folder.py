"""A folder that one program alone writes in, and that may lie on a medium that can be taken out."""

import contextlib
import errno
import fcntl
import os
import secrets
import weakref
from pathlib import Path
from typing import Final

_REFUSED: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT})


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


def why_unwritable(folder: Path) -> OSError | None:
    """Return what keeps files from being made in a folder that can be read, or None.

    Raises
    ------
    OSError
        If it cannot be reached.
    """
    # Only trying tells: root may not on a disk that is read-only. An empty file takes no room.
    probe = folder / f".{secrets.token_hex(3)}.part"
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return error
    return None


def lies_read_only(path: Path) -> bool:
    """Return whether a path lies on a disk that nobody can write to."""
    with contextlib.suppress(OSError):
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    return False


def mount_point(path: Path) -> Path:
    """Return where the file system begins that a path lies in, or would lie in."""
    path = path.resolve()
    while not os.path.ismount(path):
        path = path.parent
    return path
