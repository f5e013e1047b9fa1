"""The folder of the records while one program has it: where it lies, and whether it is written."""

import contextlib
from pathlib import Path

from device.errors import RecordError, RecordsInUseError, reason
from device.language import translatable
from device.platform.durable_files import make_folder
from device.platform.locked_folder import (
    LockedFolder,
    lies_read_only,
    mount_point,
    why_unwritable,
)
from device.text import printable_path


class HeldFolder:
    """A folder that one program alone keeps records in, on a medium that may come and go.

    Parameters
    ----------
    path
        Where it is.
    create
        Whether it is made; one on a medium that can be taken out is not.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path
        self._create = create
        self._lock: LockedFolder | None = None
        self._medium: Path | None = None
        self._unwritable: OSError | None = None

    @property
    def read_only(self) -> bool:
        """Whether it could be read and not written when it was taken hold of."""
        return self._unwritable is not None

    def hold(self) -> None:
        """Keep other programs out of it, and find out whether it can be written.

        Raises
        ------
        device.errors.RecordsInUseError
            If another program holds it.
        device.errors.RecordError
            If another medium than before is in its place.
        OSError
            If it is not there, or cannot be read.
        """
        medium = mount_point(self._path)
        if self._medium not in (None, medium):
            raise self.missing()
        if self._create:
            make_folder(self._path)
        try:
            self._lock = LockedFolder(self._path)
        except BlockingIOError:
            raise RecordsInUseError(
                translatable("another dermascope keeps its examinations in the same folder"),
                action=translatable("end that one first"),
                where=printable_path(self._path),
            ) from None
        self._medium = medium
        self._unwritable = why_unwritable(self._path)
        for part in self._path.glob(".*.part"):
            with contextlib.suppress(OSError):
                part.unlink()

    def let_go(self) -> None:
        """Let other programs use it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def is_there(self) -> bool:
        """Return whether it is held, and still lies where it did."""
        return self._lock is not None and self._lock.lies_at(self._path)

    def was_put_right(self) -> bool:
        """Return whether it can be written now."""
        self._unwritable = why_unwritable(self._path)
        return not self.read_only

    def missing(self) -> RecordError:
        """Return the error that it is not there."""
        return RecordError(
            "no examination can be kept, as their folder is not there",
            action=translatable("put its disk back in, or make the folder"),
            where=printable_path(self._path),
        )

    def unwritable(self, error: Exception | None = None) -> RecordError:
        """Return the error that it cannot be written, as the system says or said."""
        where = printable_path(self._path)
        if lies_read_only(self._path):
            return RecordError(
                "nothing can be kept, as the disk of the records is read-only",
                action=translatable("see or export what is there, and have the disk checked"),
                where=where,
            )
        return RecordError(
            "no examination can be kept, as their folder cannot be written",
            action=translatable("check the disk, and who may write there"),
            where=where,
            detail=reason(error or self._unwritable or ""),
        )

    def unusable(self, error: Exception) -> RecordError:
        """Return the error that it could not be taken hold of."""
        if isinstance(error, FileNotFoundError) and not self._create:
            return self.missing()
        return self.unwritable(error)
