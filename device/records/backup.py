"""An encrypted copy of the archive on another medium, verified after it was written.

A backup is a folder like the archive's own, opened by a passphrase or a key file of its own.
Pictures are copied as they are, encrypted, and only those that are not there yet. The tables are
replaced last and at once: one that is interrupted leaves the backup of before.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from device.errors import RecordError, RecordsInUseError, reason
from device.language import translatable
from device.platform.clock import Clock
from device.platform.durable_files import (
    PRIVATE_FILE,
    fsync_folder,
    give_to_owner,
    make_folder,
    remove_durably,
    set_mode,
)
from device.platform.locked_folder import LockedFolder
from device.platform.regular_files import open_regular_file, read_regular_file
from device.records import examination_tables, keyring
from device.records.access import Holder
from device.records.database import DATABASE_FILE, checkpoint, open_database
from device.records.encrypted_archive import EncryptedArchive
from device.records.journal import JOURNAL_SUFFIX
from device.records.keyring import Keyring, PinCost
from device.records.patients import Role
from device.records.picture_files import PICTURES, check_picture, picture_path, write_picture
from device.records.roles import Permission
from device.records.sealing import derive
from device.records.trail import Event
from device.records.vault import Opened
from device.text import printable_path

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection

Secret = str | bytes
"""What opens a backup: a passphrase, or the content of a key file."""

SHORTEST_PASSPHRASE: Final = 12

_HOLDER: Final = Holder("backup", Role.CLINICIAN)
_AT_ONCE: Final = 100
_LARGEST: Final = 1 << 29
_BLOCK: Final = 1 << 20
_JOURNAL: Final = f"{DATABASE_FILE}{JOURNAL_SUFFIX}"
_PART: Final = f".{DATABASE_FILE}.part"


def back_up(
    archive: EncryptedArchive, target: Path, secret: Secret, pin_cost: PinCost | None = None
) -> Iterator[RecordError | None]:
    """Bring a backup up to date, or write a new one, a picture a step.

    Yields what is wrong with a picture that was not copied, as it is damaged here (a whole one that
    the backup has of it stays), or None.

    Parameters
    ----------
    archive
        Open.
    target
        Folder of the backup, on another medium; made where it is missing.
    secret
        What opens it from now on.
    pin_cost
        What a try of the passphrase costs; None to measure what takes about a second here.

    Raises
    ------
    device.errors.RecordError
        If it cannot be written, or what was written is not what is read; the backup of before is
        then untouched. Or if another's lies there, or the passphrase is too short.
    """
    if isinstance(secret, str) and len(secret) < SHORTEST_PASSPHRASE:
        raise RecordError(
            "a passphrase has at least {shortest} characters",
            action=translatable("choose a longer one"),
            shortest=SHORTEST_PASSPHRASE,
        )
    with archive.guard, archive.telling():
        opened = archive.allowed(Permission.BACKUP)
    # Only what is in the tables is copied.
    yield from archive.take_in_all()
    with _writing(target), _held(target):
        before = _keyring_of(target)
        source = archive.keys.ring
        if before is not None and before.archive != source.archive:
            raise RecordError(
                "this backup is of other records",
                action=translatable("name another folder"),
                where=printable_path(target),
            )
        yield from _copy_pictures(archive, target)
        with archive.guard:
            archive.note_leaving(Permission.BACKUP, Event.BACKED_UP, "")
            # Whatever was kept while the others were copied.
            yield from _copy_pictures(archive, target)
            with archive.telling():
                numbers = _numbers(opened.connection)
            ring = msgspec.structs.replace(
                keyring.new_keyring(pin_cost or keyring.measure_cost(archive.clock.monotonic)),
                archive=source.archive,
                number=max(source.number, before.number if before else 0),
            )
            master = opened.master
            if isinstance(secret, str):
                ring = keyring.with_pin(ring, master, _HOLDER, secret)
            else:
                ring = keyring.with_key_file(ring, master, secret)
            yield from _copy_tables(archive, opened, target)
            keyring.write_keyring(target, keyring.signed(ring, master))
            # A journal that someone left who looked at the tables of before is none of these.
            remove_durably(target / _JOURNAL)
            _put_in_place(target)
        for path in (target / PICTURES).glob("*/*"):
            if not (path.suffix == ".picture" and int(path.stem) in numbers):
                remove_durably(path)


def restore(
    backup: Path, folder: Path, secret: Secret, *, clock: Clock, key_file: Path | None = None
) -> Iterator[None]:
    """Make an archive of a backup, a picture a step; PINs are to be set anew.

    Interrupted, it can be begun again.

    Parameters
    ----------
    backup
        Folder of the backup.
    folder
        Where the archive is to be; must hold none. Made where it is missing.
    secret
        What opens the backup.
    key_file
        What opens the archive from now on; None for a key beside it.

    Raises
    ------
    device.errors.RecordError
        If there is no backup, it is damaged, the secret is another's, or the archive cannot be
        written.
    """
    ring = _keyring_of(backup)
    if ring is None or not (backup / DATABASE_FILE).is_file():
        raise RecordError(
            "there is no backup in this folder",
            action=translatable("name the folder that it was written to"),
            where=printable_path(backup),
        )
    master = _master_of(ring, secret)
    with _writing(folder), _held(folder):
        if (folder / DATABASE_FILE).exists():
            raise RecordError(
                "there are records here already",
                action=translatable("restore into an empty folder"),
                where=printable_path(folder),
            )
        for path in sorted((backup / PICTURES).glob("*/*.picture")):
            if path.stem.isdecimal():
                copy = picture_path(folder, int(path.stem))
                _copy_picture(read_regular_file(path, _LARGEST), copy)
                yield
        ring = msgspec.structs.replace(ring, pins=(), key_file=None, beside=None)
        if key_file is None:
            content = keyring.write_key_beside(folder)
            ring = keyring.with_key_beside(ring, master, content)
        else:
            ring = keyring.with_key_file(ring, master, keyring.read_key_file(key_file))
        _copy_file(backup / DATABASE_FILE, folder / _PART)
        if (backup / _JOURNAL).exists():
            # Of whoever looked at the backup and was interrupted.
            _copy_file(backup / _JOURNAL, folder / _JOURNAL)
        keyring.write_keyring(folder, keyring.signed(ring, master))
        _put_in_place(folder)
    archive = EncryptedArchive(folder, clock, key_file=key_file)
    try:
        with archive.changing(Permission.RESTORE) as opened:
            archive.note(opened, Event.RESTORED, "")
    finally:
        archive.close()


def _copy_pictures(archive: EncryptedArchive, target: Path) -> Iterator[RecordError | None]:
    number = 0
    while True:
        with archive.guard, archive.telling():
            connection = archive.allowed(Permission.BACKUP).connection
            rows = examination_tables.rows_from(connection, number, _AT_ONCE)
        for row in rows:
            copy = picture_path(target, row.number)
            with contextlib.suppress(FileNotFoundError):
                if copy.stat().st_size == row.size:
                    continue
            try:
                with archive.guard:
                    path = archive.path_of(row.number)
                    check_picture(path, archive.key_of(row), row.identifier)
                    content = read_regular_file(path, _LARGEST)
            except (OSError, ValueError) as error:
                yield examination_tables.damaged(row.identifier, reason(error))
                continue
            _copy_picture(content, copy)
            yield None
        if len(rows) < _AT_ONCE:
            return
        number = rows[-1].number + 1


def _copy_tables(archive: EncryptedArchive, opened: Opened, target: Path) -> Iterator[RecordError]:
    """Copy the tables, with all that is in their journal; tell where that is damaged."""
    journal, its_copy = archive.folder / _JOURNAL, target / f"{_PART}{JOURNAL_SUFFIX}"
    remove_durably(its_copy)
    if not archive.read_only:
        with archive.telling():
            checkpoint(opened.connection)
    _copy_file(archive.folder / DATABASE_FILE, target / _PART)
    if archive.read_only and journal.exists():
        _copy_file(journal, its_copy)
        tables = open_database(target / _PART, derive(opened.master, "database"), make=False)
        tables.connection.close()
        if tables.lost:
            yield RecordError(f"{_JOURNAL}: is damaged; changes lost: {tables.lost}")


def _copy_picture(content: bytes, copy: Path) -> None:
    # Under another name until all of it is on the medium: its size alone says that it is there.
    part = copy.with_suffix(".part")
    write_picture(part, content)
    if _read_from_medium(part) != content:
        raise _unlike(copy)
    part.replace(copy)
    fsync_folder(copy.parent)


def _copy_file(source: Path, copy: Path) -> None:
    """Copy a file of any size, and see that what is on the medium is the same."""
    with open_regular_file(source) as read, copy.open("wb") as written:
        set_mode(written.fileno(), PRIVATE_FILE)
        give_to_owner(written.fileno(), copy.parent)
        shutil.copyfileobj(read, written, _BLOCK)
        written.flush()
        os.fsync(written.fileno())
    with open_regular_file(source) as one, copy.open("rb") as other:
        _forget_cached(other.fileno())
        while True:
            block = one.read(_BLOCK)
            if other.read(_BLOCK) != block:
                raise _unlike(copy)
            if not block:
                return


def _put_in_place(folder: Path) -> None:
    """Let the tables that were copied be the folder's."""
    (folder / _PART).replace(folder / DATABASE_FILE)
    fsync_folder(folder)


def _read_from_medium(path: Path) -> bytes:
    with path.open("rb") as file:
        _forget_cached(file.fileno())
        return file.read()


def _forget_cached(descriptor: int) -> None:
    """Have a file read from its medium, as far as the system lets go of what it remembers."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _unlike(path: Path) -> RecordError:
    return RecordError(
        "what was written to the medium is not what is read from it",
        action=translatable("use another medium"),
        where=printable_path(path),
    )


def _numbers(connection: "Connection") -> set[int]:
    return {number for (number,) in connection.execute("SELECT number FROM examination")}


def _keyring_of(folder: Path) -> Keyring | None:
    try:
        return keyring.read_keyring(folder)
    except (OSError, ValueError) as error:
        raise RecordError(
            "the backup is damaged",
            action=translatable("use another one"),
            where=printable_path(folder),
            detail=reason(error),
        ) from None


def _master_of(ring: Keyring, secret: Secret) -> bytes:
    if isinstance(secret, str):
        found = keyring.open_with_pin(ring, secret)
        master = found[1] if found else None
    else:
        master = keyring.open_with_key_file(ring, secret)
    if master is None:
        raise RecordError(
            "the passphrase or key file is not that of the backup",
            action=translatable("enter it again"),
        )
    return master


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Keep other programs out of a folder; make it where it is missing."""
    make_folder(folder)
    held = LockedFolder(folder)
    try:
        yield
    finally:
        held.close()


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say what a medium says in the user's words."""
    from sqlcipher3 import dbapi2

    try:
        yield
    except RecordError:
        raise
    except BlockingIOError:
        raise RecordsInUseError(
            translatable("another dermascope keeps its examinations in the same folder"),
            action=translatable("end that one first"),
            where=printable_path(folder),
        ) from None
    except (OSError, ValueError, dbapi2.Error) as error:
        raise RecordError(
            "the backup could not be written",
            action=translatable("check that the medium is there and has room"),
            where=printable_path(folder),
            detail=reason(error),
        ) from None
