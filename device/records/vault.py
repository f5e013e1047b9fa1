"""The records' tables and their key in memory: how they are opened, by whom, and changed.

It stands on the folder (`device.records.held_folder`) and on where the key lies (`key_store`).
"""

import contextlib
import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.errors import RecordError, RecordsLockedError, reason
from device.language import translatable
from device.platform.clock import Clock
from device.platform.locked_folder import lies_read_only
from device.records import keyring
from device.records.access import Access, Holder, Protection
from device.records.database import (
    DATABASE_FILE,
    MIGRATIONS,
    Tables,
    damage,
    is_damage,
    open_database,
    read_database,
    transaction,
    value_of,
)
from device.records.held_folder import HeldFolder
from device.records.key_store import KeyStore
from device.records.keyring import PinCost
from device.records.picture_files import PICTURES
from device.records.roles import Permission, may, not_allowed
from device.records.sealing import AlteredError, derive
from device.records.trail import Entry, Event, append, entries
from device.text import printable_path

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection


CANNOT_READ: Final = translatable("the kept examinations cannot be read")
NOT_KEPT: Final = translatable("this could not be kept")

_log = logging.getLogger(__name__)

_CLOSING_SECONDS: Final = 3.0


class Opened:
    """What is in memory while the records are open."""

    def __init__(self, connection: "Connection", master: bytes, holder: Holder) -> None:
        self.connection = connection
        self.master = bytearray(master)
        self.pictures = bytearray(derive(master, "pictures"))
        self.holder = holder

    def close(self) -> None:
        """Forget it, as far as Python can."""
        self.connection.close()
        for key in (self.master, self.pictures):
            key[:] = bytes(len(key))


class Vault:
    """A folder whose tables and pictures are locked, and the keys while they are open.

    One program alone uses it at a time. Parameters are those of `EncryptedArchive`.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        permanent: bool,
        create: bool,
        key_file: Path | None,
        pin_cost: PinCost | None,
    ) -> None:
        self.folder = folder
        self.permanent = permanent
        self.clock = clock
        self._held = HeldFolder(folder, create=create)
        self.keys = KeyStore(
            folder, clock, permanent=permanent, key_file=key_file, pin_cost=pin_cost
        )
        self.guard = threading.RLock()
        self.opened: Opened | None = None
        self._access = Access(Protection.UNKNOWN, None)

    @property
    def access(self) -> Access:
        """What opens the records, and who did."""
        return self._access

    @property
    def read_only(self) -> bool:
        """Whether what was opened can be read and not written."""
        return self._held.read_only

    # The folder.

    def open(self) -> None:
        """Lock the folder for this program, and open the records unless a PIN is to be entered.

        Everything else does it too. What is opened may be opened again, and is closed by `close`.
        Where records are kept that cannot be written, they are opened all the same, to be read.

        Raises
        ------
        device.errors.RecordsInUseError
            If another program has it open.
        device.errors.RecordError
            If it is not there, cannot be written, or is damaged, or its key file is missing.
        """
        with self.guard:
            if self.is_there():
                return
            self._release()
            try:
                self._open()
            except RecordError:
                self._release()
                raise
            except Exception as error:
                self._release()
                if not _is_of_the_disk(error):
                    raise
                raise self._held.unusable(error) from error

    def close(self) -> None:
        """Let others use the folder; remove one that is not permanent.

        May be called more than once. One that hangs in a disk is left as it is.
        """
        if self.guard.acquire(timeout=_CLOSING_SECONDS):
            try:
                self._release()
            finally:
                self.guard.release()
        if not self.permanent:
            shutil.rmtree(self.folder, ignore_errors=True)

    def settle(self, opened: Opened) -> None:
        """Do what an interrupted program left undone, before the records are used."""

    # How all of these come at the tables.

    @contextlib.contextmanager
    def reading(self) -> Iterator["Connection"]:
        """Give the tables to whoever may see what is in them."""
        with self.guard, self.telling():
            yield self.allowed(Permission.READ).connection

    @contextlib.contextmanager
    def changing(self, permission: Permission | None, failure: str = NOT_KEPT) -> Iterator[Opened]:
        """Do what the block does in one transaction, and see that the disk is still there."""
        with self.guard, self.telling(failure):
            self.check_writable()
            opened = self.allowed(permission)
            with transaction(opened.connection):
                yield opened
            self.check_still_there()

    def check_writable(self) -> None:
        """Raise `RecordError` where the records cannot be written.

        Where they were opened to be read, and their disk was put right since, they are opened anew:
        whoever has a PIN enters it again.
        """
        self.open()
        if self.read_only:
            if not self._held.was_put_right():
                raise self.unwritable()
            self._release()
            self.open()

    def note_leaving(self, permission: Permission, event: Event, subject: str) -> None:
        """Note in the trail that records are taken out, where it can be written.

        Raises
        ------
        device.errors.RecordError
            If they are locked, or whoever opened them may not take them out.
        """
        with self.guard:
            if self.allowed(permission) and self.read_only:
                _log.warning("records are taken out, and the trail cannot be written")
                return
            with self.changing(permission) as opened:
                self.note(opened, event, subject)

    def allowed(self, permission: Permission | None) -> Opened:
        """Return the open records.

        Raises
        ------
        device.errors.RecordsLockedError
            If they are locked.
        device.errors.NotAllowedError
            If whoever opened them may not do it.
        """
        self.open()
        if self.opened is None:
            raise RecordsLockedError(
                translatable("the records are locked"), action=translatable("enter your PIN")
            )
        if permission is not None and not may(self.opened.holder.role, permission):
            raise not_allowed(self.opened.holder.role, permission)
        return self.opened

    @contextlib.contextmanager
    def telling(self, failure: str = CANNOT_READ) -> Iterator[None]:
        """Say what the disk or the tables say in the user's words."""
        try:
            yield
        except RecordError:
            raise
        except Exception as error:
            if is_damage(error) and self.opened is not None:
                raise damage(self.opened.connection, error) from None
            if not _is_of_the_disk(error):
                raise
            if not self.is_there():
                self._release()
                raise self._held.missing() from None
            if failure != CANNOT_READ and lies_read_only(self.folder):
                raise self.unwritable(error) from error
            raise RecordError(
                failure,
                action=translatable("free space on the disk, or check that it can be written"),
                where="",
                detail=f"{printable_path(self.folder)}: {reason(error)}",
            ) from error

    def note(self, opened: Opened, event: Event, subject: str) -> None:
        """Add to the trail, within the transaction of what it tells of."""
        append(opened.connection, event, subject, opened.holder.name, self.clock.now())

    def trail(self) -> Iterator[Entry]:
        """Yield what was done with the records, from the beginning."""
        with self.guard, self.telling():
            told = list(entries(self.allowed(Permission.BACKUP).connection))
        yield from told

    # Opening.

    def is_there(self) -> bool:
        """Return whether the folder is open, and still lies where it did."""
        return self._held.is_there()

    def check_still_there(self) -> None:
        """Raise `RecordError` where the folder's medium was taken out."""
        if not self.is_there():
            # Taken out in this very moment: what was written is on it, or nowhere.
            self._release()
            raise self._held.missing()

    def unwritable(self, error: Exception | None = None) -> RecordError:
        """Return the error that nothing can be written, as the system says or said."""
        return self._held.unwritable(error)

    def _release(self) -> None:
        if self.opened is not None:
            with contextlib.suppress(Exception):
                self.opened.close()
            self.opened = None
        self._access = Access(self._access.protection, None)
        self.keys.forget()
        self._held.let_go()

    def _open(self) -> None:
        self._held.hold()
        there = (self.folder / DATABASE_FILE).exists()
        if self.read_only and not there:
            raise self.unwritable()
        self.keys.read(make=not there)
        self._access = Access(self.keys.ring.protection, None)
        master = self.keys.find_master(write=not self.read_only)
        if master is not None:
            by_file = self.keys.ring.protection is Protection.KEY_FILE
            self._connect(master, keyring.BY_KEY_FILE if by_file else keyring.ANYONE)

    def _connect(self, master: bytes, holder: Holder) -> None:
        """Open the tables, and do what an interrupted program left undone, if it can be written."""
        self.keys.check(master)
        path = self.folder / DATABASE_FILE
        fresh = not (self.folder / PICTURES).exists()
        if not fresh and not path.exists():
            raise self.keys.unopenable(f"{DATABASE_FILE} is missing")
        key = derive(master, "database")
        tables = read_database(path, key) if self.read_only else open_database(path, key, fresh)
        opened = Opened(tables.connection, master, holder)
        if tables.lost:
            _log.warning("the records' journal was damaged: %d changes are lost", tables.lost)
        try:
            known = value_of(tables.connection, "keyring")
            number = self.keys.ring.number
            if number < known:
                raise self.keys.unopenable("an older keyring was put in its place")
            if not self.read_only:
                if number > known or tables.found < len(MIGRATIONS) or tables.lost:
                    self._note_opening(opened, tables)
                self.keys.complete_copies()
            self.settle(opened)
        except BaseException as error:
            if is_damage(error):
                error = damage(opened.connection, error)
            opened.close()
            raise error from None
        self.opened = opened
        self._let_in(opened, holder)

    def _let_in(self, opened: Opened, holder: Holder) -> None:
        opened.holder = holder
        self._access = Access(self.keys.ring.protection, holder)

    def _note_opening(self, opened: Opened, tables: Tables) -> None:
        """Note what was found as the tables were opened."""
        with transaction(opened.connection):
            self._set_keyring_number(opened)
            if tables.found < len(MIGRATIONS):
                event = Event.MIGRATED if tables.found else Event.MADE
                self.note(opened, event, f"schema {len(MIGRATIONS)}")
            if tables.lost:
                self.note(opened, Event.LOST, str(tables.lost))

    def _set_keyring_number(self, opened: Opened) -> None:
        opened.connection.execute(
            "UPDATE archive SET value = ? WHERE name = 'keyring'", (self.keys.ring.number,)
        )


def _is_of_the_disk(error: Exception) -> bool:
    """Return whether an error is of the disk or of what is on it, and none of the program's."""
    if isinstance(error, OSError | AlteredError):
        return True
    from sqlcipher3 import dbapi2

    return isinstance(error, dbapi2.OperationalError)
