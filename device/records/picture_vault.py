"""The vault with its pictures, each in a file and with a key of its own, and the room for them.

A picture's file is written before the row that names it, and removed after the row that named it is
gone; at the next start whatever an interrupted program left over is removed.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from device.errors import RecordError
from device.language import translatable
from device.platform.clock import Clock
from device.platform.durable_files import remove_durably
from device.records import drop_box, examination_tables, patient_tables
from device.records.database import DATABASE_FILE, purge, transaction, value_of
from device.records.examination_tables import Row
from device.records.importing import reserve_places
from device.records.keyring import PinCost
from device.records.model import ExaminationRecord
from device.records.patients import Key
from device.records.picture_files import (
    encode_picture,
    picture_path,
    size_of_pictures,
    write_picture,
)
from device.records.pin_vault import PinVault
from device.records.sealing import new_secret, seal, unseal
from device.records.trail import Event
from device.records.vault import Opened
from device.text import printable_path

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection

_TYPICAL_SIZE: Final = 4 << 20
"""Bytes of an examination of 1920 x 1080 pixels, until one is kept."""

_RESERVED: Final = 8 << 20
"""Bytes that pictures leave free: findings, decisions and what makes room again need some."""


class PictureVault(PinVault):
    """A folder of encrypted pictures, and the tables that name them.

    Parameters are those of `device.records.encrypted_archive.EncryptedArchive`.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock | None = None,
        *,
        permanent: bool = True,
        create: bool = True,
        share: float = 1.0,
        key_file: Path | None = None,
        pin_cost: PinCost | None = None,
    ) -> None:
        super().__init__(
            folder,
            clock or Clock(),
            permanent=permanent,
            create=create,
            key_file=key_file,
            pin_cost=pin_cost,
        )
        self._share = share
        self._last_taken: datetime | None = None
        self._size = _TYPICAL_SIZE
        self._counted_locked: int | None = None

    @property
    def last_taken(self) -> datetime | None:
        """When the newest examination was taken, UTC, or None while locked or where none is."""
        return self._last_taken

    def room(self) -> int | None:
        """Return about how many more examinations there is room for, or None if unknown."""
        with self.guard:
            if self.read_only or not self.is_there():
                # Why nothing can be kept is told: the folder's disk may be another one.
                return None
            try:
                disk = shutil.disk_usage(self.folder)
            except OSError:
                return None
            room = disk.free - _RESERVED
            taken = self._taken()
            if self._share < 1.0 and taken is not None:
                room = min(room, int(self._share * disk.total) - taken)
            return max(0, room // self._size)

    def path_of(self, number: int) -> Path:
        """Return where the picture of a number lies."""
        return picture_path(self.folder, number)

    def key_of(self, row: Row) -> bytes:
        """Return the key of an examination's picture; raises ValueError where it was altered."""
        assert self.opened is not None
        wrapping = self._wrapping_key(self.opened, row.lesion)
        return unseal(wrapping, row.secret, _picture_context(row.identifier))

    def add(
        self,
        opened: Opened,
        number: int,
        record: ExaminationRecord,
        pixels: NDArray[np.uint8],
        small: NDArray[np.uint8],
        event: Event,
        also: Callable[["Connection"], None] | None = None,
    ) -> int:
        """Write a picture's file, then the row that makes it an examination; return its bytes.

        Parameters
        ----------
        also
            What else the transaction does.
        """
        key = new_secret()
        content = encode_picture(pixels, small, key, record.identifier)
        return self._insert(opened, number, record, content, key, event, also)

    def _insert(
        self,
        opened: Opened,
        number: int,
        record: ExaminationRecord,
        content: bytes,
        key: bytes,
        event: Event,
        also: Callable[["Connection"], None] | None = None,
    ) -> int:
        if record.lesion is not None:
            patient_tables.select_lesion(opened.connection, record.lesion)
        # What is taken in takes up its share already.
        self._check_room(len(content), more=event is not Event.TAKEN_IN)
        path = self.path_of(number)
        write_picture(path, content)
        try:
            with transaction(opened.connection):
                secret = self._sealed(opened, key, record.identifier, record.lesion)
                examination_tables.insert(opened.connection, number, record, secret, len(content))
                self.note(opened, event, record.identifier)
                if also is not None:
                    also(opened.connection)
        except BaseException:
            with contextlib.suppress(OSError):
                remove_durably(path)
            raise
        return len(content)

    def _sealed(self, opened: Opened, key: bytes, identifier: str, lesion: Key | None) -> bytes:
        return seal(self._wrapping_key(opened, lesion), key, _picture_context(identifier))

    def _wrapping_key(self, opened: Opened, lesion: Key | None) -> bytes | bytearray:
        """Return the patient's key, which goes with the patient, or the archive's."""
        if lesion is None:
            return opened.pictures
        patient = patient_tables.select_lesion(opened.connection, lesion).patient
        sealed = patient_tables.patient_secret(opened.connection, patient)
        return unseal(opened.pictures, sealed, patient_context(patient))

    def _remove_deleted(self, opened: Opened) -> None:
        """Remove the files and pages of what was deleted; what fails is done at the next start."""
        with contextlib.suppress(Exception):
            numbers = opened.connection.execute("SELECT number FROM removal").fetchall()
            for (number,) in numbers:
                remove_durably(self.path_of(number))
            with transaction(opened.connection):
                opened.connection.execute("DELETE FROM removal")
            purge(opened.connection)

    def _taken(self) -> int | None:
        """Return the bytes that examinations take up, sealed ones too, or None if unknown."""
        try:
            tables = (self.folder / DATABASE_FILE).stat().st_size
            return tables + self._pictures_take() + drop_box.size_of_sealed(self.folder)
        except Exception:
            return None

    def _pictures_take(self) -> int:
        if self.opened is not None:
            return value_of(self.opened.connection, "bytes")
        if self._counted_locked is None:
            # A look at every file takes long; none is added or removed while they are locked.
            self._counted_locked = size_of_pictures(self.folder)
        return self._counted_locked

    def _check_room(self, size: int, *, more: bool = True) -> None:
        """Raise where there is no room for a picture, or, where it is one more, no share left."""
        disk = shutil.disk_usage(self.folder)
        if disk.free < size + _RESERVED:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        share = self._share * disk.total - size
        if not more or self._share == 1.0 or disk.total - disk.free <= share:
            return
        if (self._taken() or 0) > share:
            raise RecordError(
                "the examinations have taken up their share of the disk",
                action=translatable("move older ones to another disk, or raise records_share"),
                where=printable_path(self.folder),
            )

    def settle(self, opened: Opened) -> None:
        """Do what an interrupted program left undone, and look up the newest examination."""
        self._counted_locked = None
        if not self.read_only:
            self._finish_interrupted(opened)
        newest = examination_tables.newest(opened.connection)
        if newest is not None:
            self._last_taken = datetime.fromisoformat(newest[0])
            self._size = newest[1]

    def _finish_interrupted(self, opened: Opened) -> None:
        connection = opened.connection
        drop_box.remove_unfinished(self.folder)
        with contextlib.suppress(OSError):
            # On a full disk someone must come in to make room.
            drop_box.write_public_key(self.folder, drop_box.private_key(opened.master))
        self._remove_unnamed(connection)
        reserve_places(connection, self.folder)
        if connection.execute("SELECT 1 FROM removal LIMIT 1").fetchone():
            self._remove_deleted(opened)

    def _remove_unnamed(self, connection: "Connection") -> None:
        """Remove the picture that an interrupted program wrote without its row."""
        number = examination_tables.last_number(connection) + 1
        while (path := self.path_of(number)).exists():
            remove_durably(path)
            number += 1


def _picture_context(identifier: str) -> bytes:
    return f"picture key of {identifier}".encode()


def patient_context(key: Key) -> bytes:
    """Return what a patient's key is bound to."""
    return f"key of patient {key}".encode()
