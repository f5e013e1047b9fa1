"""The folder of the records: how it is opened, locked and left, and how a change is made in it."""

import contextlib
import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from device.errors import (
    NotAllowedError,
    RecordError,
    RecordsInUseError,
    RecordsLockedError,
    WrongPinError,
)
from device.language import translatable
from device.platform.clock import Clock
from device.platform.durable_files import make_folder, remove_durably
from device.platform.locked_folder import (
    LockedFolder,
    lies_read_only,
    mount_point,
    why_unwritable,
)
from device.platform.logs import log_expected
from device.records import keyring, patient_tables
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
from device.records.keyring import Keyring, PinCost
from device.records.picture_files import PICTURES
from device.records.pin_delay import PinDelay
from device.records.roles import Permission, may
from device.records.sealing import AlteredError, derive, new_secret
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
        self._create = create
        self._key_file = key_file
        self._pin_cost = pin_cost
        self._key_beside = b"" if permanent else new_secret()
        self.guard = threading.RLock()
        self._held: LockedFolder | None = None
        self._unwritable: OSError | None = None
        self._medium: Path | None = None
        self._keyring: Keyring | None = None
        self.opened: Opened | None = None
        self._delay: PinDelay | None = None
        self._access = Access(Protection.NOTHING, None)

    @property
    def access(self) -> Access:
        """What opens the records, and who did."""
        return self._access

    @property
    def read_only(self) -> bool:
        """Whether what was opened can be read and not written."""
        return self._unwritable is not None

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
            except BlockingIOError:
                raise RecordsInUseError(
                    translatable("another dermascope keeps its examinations in the same folder"),
                    action=translatable("end that one first"),
                    where=printable_path(self.folder),
                ) from None
            except RecordError:
                self._release()
                raise
            except Exception as error:
                self._release()
                if isinstance(error, FileNotFoundError) and not self._create:
                    raise self._missing() from None
                if not _is_of_the_disk(error):
                    raise
                raise self.unwritable(error) from error

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

    # Who may see the records.

    def pin_wait(self) -> float:
        """Return the seconds until the next PIN is taken."""
        with self.guard:
            return self._delay.wait() if self._delay else 0.0

    def unlock(self, pin: str) -> Holder:
        """Open the records with a PIN, and return whose it is."""
        with self.guard:
            with contextlib.suppress(RecordError):
                self.check_writable()
            self.open()
            found, holder, master, wrong = self._try(pin)
            if self.opened is not None:
                self.opened.holder = holder
                self._access = Access(found.protection, holder)
            else:
                with self.telling():
                    self._connect(found, master, holder)
            self._note_unlocked(wrong)
            return holder

    def unlock_with_key_file(self) -> None:
        """Open records that have PINs with the key file that the settings name.

        Raises
        ------
        device.errors.RecordError
            If it does not open them.
        """
        with self.guard:
            self.open()
            if self.opened is not None:
                return
            ring = self.its_keyring()
            master = keyring.open_with_key_file(ring, self._read_key_file())
            if master is None:
                raise self._unopenable("the key file does not open them")
            with self.telling():
                self._connect(ring, master, keyring.BY_KEY_FILE)
            self._note_unlocked()

    def lock(self) -> None:
        """Close the records and forget their keys; without a PIN they stay open."""
        with self.guard:
            if self.opened is None or self._access.protection is not Protection.PIN:
                return
            with contextlib.suppress(RecordError), self.changing(None) as opened:
                self.note(opened, Event.LOCKED, opened.holder.name)
            if self.opened is not None:
                self.opened.close()
                self.opened = None
            self._access = Access(Protection.PIN, None)

    def holders(self) -> tuple[Holder, ...]:
        """Return who has a PIN."""
        with self.guard:
            self.open()
            return tuple(slot.holder for slot in self._keyring.pins) if self._keyring else ()

    def set_pin(self, holder: Holder, pin: str) -> None:
        """Give someone a PIN, or another one."""
        with self.changing(Permission.PINS) as opened:
            ring = self.its_keyring()
            if not ring.pins and self._pin_cost is None:
                ring = msgspec.structs.replace(
                    ring, cost=keyring.measure_cost(self.clock.monotonic)
                )
            holder = patient_tables.checked(holder)
            if not ring.pins:
                # Whoever sets the first one is the first to be known by name.
                opened.holder = holder
            self._replace_keyring(opened, keyring.with_pin(ring, opened.master, holder, pin))
            self.note(opened, Event.PIN_SET, holder.name)

    def remove_pin(self, name: str) -> None:
        """Take someone's PIN away."""
        with self.changing(Permission.PINS) as opened:
            self._replace_keyring(opened, keyring.without_pin(self.its_keyring(), name))
            self.note(opened, Event.PIN_REMOVED, name)

    def change_pin(self, old: str, new: str) -> Holder:
        """Replace one's own PIN."""
        with self.guard:
            self.open()
            keyring.check_pin(new)
            was_locked = self.opened is None
            before = self._access.holder
            holder = self.unlock(old)
            try:
                with self.changing(None) as opened:
                    ring = keyring.with_pin(self.its_keyring(), opened.master, holder, new)
                    self._replace_keyring(opened, ring)
                    self.note(opened, Event.PIN_SET, holder.name)
            finally:
                if was_locked:
                    self.lock()
                elif self.opened is not None and before is not None:
                    self.opened.holder = before
                    self._access = Access(self._access.protection, before)
            return holder

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
            why = why_unwritable(self.folder)
            if why is not None:
                raise self.unwritable(why)
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
            raise NotAllowedError(
                translatable("this is not allowed with your PIN"),
                action=translatable("ask someone whose PIN allows it"),
                detail=f"{self.opened.holder.role}: {permission}",
            )
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
                raise self._missing() from None
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
        return self._held is not None and self._held.lies_at(self.folder)

    def check_still_there(self) -> None:
        """Raise `RecordError` where the folder's medium was taken out."""
        if not self.is_there():
            # Taken out in this very moment: what was written is on it, or nowhere.
            self._release()
            raise self._missing()

    def _release(self) -> None:
        if self.opened is not None:
            with contextlib.suppress(Exception):
                self.opened.close()
            self.opened = None
        self._access = Access(self._access.protection, None)
        self._keyring = None
        if self._held is not None:
            self._held.close()
            self._held = None

    def _missing(self) -> RecordError:
        return RecordError(
            "no examination can be kept, as their folder is not there",
            action=translatable("put its disk back in, or make the folder"),
            where=printable_path(self.folder),
        )

    def unwritable(self, error: Exception | None = None) -> RecordError:
        """Return the error that the folder cannot be written, as the system says or said."""
        where = printable_path(self.folder)
        if lies_read_only(self.folder):
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

    def _open(self) -> None:
        medium = mount_point(self.folder)
        if self._medium not in (None, medium):
            raise self._missing()
        if self._create:
            make_folder(self.folder)
        self._held = LockedFolder(self.folder)
        self._medium = medium
        self._unwritable = why_unwritable(self.folder)
        if self.read_only and not (self.folder / DATABASE_FILE).exists():
            raise self.unwritable()
        for part in self.folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                part.unlink()
        if self._delay is None:
            self._delay = PinDelay(self.folder if self.permanent else None, self.clock)
        ring, master = self._open_keyring()
        self._keyring = ring
        if master is None:
            self._access = Access(Protection.PIN, None)
            return
        by_file = ring.protection is Protection.KEY_FILE
        self._connect(ring, master, keyring.BY_KEY_FILE if by_file else keyring.ANYONE)

    def _open_keyring(self) -> tuple[Keyring, bytes | None]:
        """Return the keyring, made where there is none, and the key unless a PIN opens it."""
        try:
            ring = keyring.read_keyring(self.folder)
        except ValueError as error:
            raise self._unopenable(error) from None
        if ring is None:
            if (self.folder / DATABASE_FILE).exists():
                raise self._unopenable("the keyring is missing")
            return self._make_keyring()
        self._access = Access(ring.protection, None)
        if ring.pins:
            self._forget_key_beside()
            return ring, None
        if ring.beside is not None:
            content = self._read_key_beside()
            master = keyring.open_with_key_beside(ring, content)
            if master is None:
                raise self._unopenable(f"{keyring.KEY_BESIDE} is damaged, or another archive's")
            if self._key_file is not None and not self.read_only:
                ring = self._lock_with_key_file(ring, master)
            return ring, master
        self._forget_key_beside()
        master = keyring.open_with_key_file(ring, self._read_key_file())
        if master is None:
            raise self._unopenable("the key file is another archive's")
        return ring, master

    def _make_keyring(self) -> tuple[Keyring, bytes]:
        master = new_secret()
        ring = keyring.new_keyring(self._pin_cost or PinCost())
        if self._key_file is not None:
            ring = keyring.with_key_file(ring, master, self._read_key_file())
        else:
            if self.permanent:
                self._key_beside = keyring.write_key_beside(self.folder)
            ring = keyring.with_key_beside(ring, master, self._key_beside)
        ring = keyring.signed(ring, master)
        keyring.write_keyring(self.folder, ring)
        return ring, master

    def _lock_with_key_file(self, ring: Keyring, master: bytes) -> Keyring:
        ring = keyring.signed(keyring.with_key_file(ring, master, self._read_key_file()), master)
        keyring.write_keyring(self.folder, ring)
        self._forget_key_beside()
        return ring

    def _read_key_beside(self) -> bytes:
        if not self.permanent:
            return self._key_beside
        try:
            return keyring.read_key_file(self.folder / keyring.KEY_BESIDE)
        except (OSError, ValueError) as error:
            raise self._unopenable(f"{keyring.KEY_BESIDE}: {reason(error)}") from None

    def _read_key_file(self) -> bytes:
        if self._key_file is None:
            raise RecordError(
                "the records are opened by a key file, and the settings name none",
                action=translatable("set records_key_file"),
            )
        try:
            return keyring.read_key_file(self._key_file)
        except (OSError, ValueError) as error:
            raise RecordError(
                "the key file of the records cannot be read",
                action=translatable("put it where records_key_file says"),
                where=printable_path(self._key_file),
                detail=reason(error),
            ) from None

    def _forget_key_beside(self) -> None:
        """Remove the key beside the archive, which opens it no more."""
        with contextlib.suppress(OSError):
            remove_durably(self.folder / keyring.KEY_BESIDE)

    def _unopenable(self, reason: object) -> RecordError:
        return RecordError(
            "the key of the records cannot be read",
            action=translatable("restore them from a backup"),
            where=printable_path(self.folder),
            detail=str(reason),
        )

    def _connect(self, ring: Keyring, master: bytes, holder: Holder) -> None:
        """Open the tables, and do what an interrupted program left undone, if it can be written."""
        if not keyring.is_whole(ring, master):
            raise self._unopenable("the keyring was altered")
        path = self.folder / DATABASE_FILE
        fresh = not (self.folder / PICTURES).exists()
        if not fresh and not path.exists():
            raise self._unopenable(f"{DATABASE_FILE} is missing")
        key = derive(master, "database")
        tables = read_database(path, key) if self.read_only else open_database(path, key, fresh)
        opened = Opened(tables.connection, master, holder)
        if tables.lost:
            _log.warning("the records' journal was damaged: %d changes are lost", tables.lost)
        try:
            known = value_of(tables.connection, "keyring")
            if ring.number < known:
                raise self._unopenable("an older keyring was put in its place")
            if not self.read_only:
                if ring.number > known or tables.found < len(MIGRATIONS) or tables.lost:
                    self._note_opening(opened, ring, tables)
                keyring.complete_copies(self.folder, ring)
            self.settle(opened)
        except BaseException as error:
            if is_damage(error):
                error = damage(opened.connection, error)
            opened.close()
            raise error from None
        self.opened = opened
        self._access = Access(ring.protection, holder)

    def _note_opening(self, opened: Opened, ring: Keyring, tables: Tables) -> None:
        """Note what was found as the tables were opened."""
        with transaction(opened.connection):
            self._set_keyring_number(opened, ring)
            if tables.found < len(MIGRATIONS):
                event = Event.MIGRATED if tables.found else Event.MADE
                self.note(opened, event, f"schema {len(MIGRATIONS)}")
            if tables.lost:
                self.note(opened, Event.LOST, str(tables.lost))

    @staticmethod
    def _set_keyring_number(opened: Opened, ring: Keyring) -> None:
        opened.connection.execute(
            "UPDATE archive SET value = ? WHERE name = 'keyring'", (ring.number,)
        )

    def _note_unlocked(self, wrong: int = 0) -> None:
        try:
            with self.changing(None) as opened:
                if wrong:
                    self.note(opened, Event.WRONG_PINS, str(wrong))
                self.note(opened, Event.UNLOCKED, opened.holder.name)
        except RecordError as error:
            # On a full disk someone must come in to make room.
            log_expected(_log, error)

    # Keyrings.

    def its_keyring(self) -> Keyring:
        """Return the keyring, once the folder is open."""
        assert self._keyring is not None
        return self._keyring

    def _replace_keyring(self, opened: Opened, ring: Keyring) -> None:
        """Write a changed keyring, within the transaction that tells of it."""
        ring = keyring.signed(ring, opened.master)
        keyring.write_keyring(self.folder, ring)
        self._set_keyring_number(opened, ring)
        self._keyring = ring
        if ring.protection is Protection.PIN:
            self._forget_key_beside()
        self._access = Access(ring.protection, opened.holder)

    def _try(self, pin: str) -> tuple[Keyring, Holder, bytes, int]:
        """Return the keyring, whose PIN it is, the master key and the wrong PINs before it.

        Raises
        ------
        device.errors.WrongPinError
            If it is nobody's, or comes too soon.
        """
        ring, delay = self.its_keyring(), self._delay
        assert delay is not None
        wait = delay.wait()
        if wait > 0.0:
            raise WrongPinError(
                translatable("too many wrong PINs; the next one is taken in {seconds} seconds"),
                seconds=int(wait) + 1,
            )
        wrong = delay.wrong
        # Counted before it is tried: the power could be cut in between.
        delay.count()
        found = keyring.open_with_pin(ring, pin)
        if found is None:
            raise WrongPinError(
                translatable("this PIN is nobody's"), action=translatable("enter it again")
            )
        delay.forget()
        return ring, *found, wrong


def reason(error: object) -> str:
    """Return what is wrong, without the file's name."""
    return getattr(error, "strerror", None) or str(error)


def _is_of_the_disk(error: Exception) -> bool:
    """Return whether an error is of the disk or of what is on it, and none of the program's."""
    if isinstance(error, OSError | AlteredError):
        return True
    from sqlcipher3 import dbapi2

    return isinstance(error, dbapi2.OperationalError)
