"""Whether everything that the archive holds is as it was written: what is not, by name."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.errors import RecordError, reason
from device.records import examination_tables
from device.records.database import DATABASE_FILE, aid_is_true, checkpoint, damaged_pages
from device.records.encrypted_archive import EncryptedArchive
from device.records.examination_tables import Row
from device.records.journal import JOURNAL_SUFFIX, lost_changes
from device.records.keyring import damaged_copies, write_keyring
from device.records.picture_files import PICTURES, check_picture
from device.records.roles import Permission
from device.records.trail import Event, first_break

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection

_AT_ONCE: Final = 100
_JOURNAL: Final = f"{DATABASE_FILE}{JOURNAL_SUFFIX}"

_KEPT: Final = f"('{Event.KEPT}', '{Event.IMPORTED}', '{Event.TAKEN_IN}')"


def verify(archive: EncryptedArchive) -> Iterator[str | None]:
    """Yield what is wrong with an archive, in a line each, and None for each picture that is not.

    Every page of the tables and every byte of every picture is authenticated; the trail is followed
    from its beginning, and what it says was kept must be there.

    Parameters
    ----------
    archive
        Nothing is changed in it meanwhile.

    Raises
    ------
    device.errors.RecordError
        If it cannot be opened at all; the message names where it is damaged.
    """
    with archive.guard, archive.telling():
        connection = archive.allowed(Permission.BACKUP).connection
        copies = damaged_copies(archive.folder)
        if copies and not archive.read_only:
            write_keyring(archive.folder, archive.keys.ring)
    for name in copies:
        mended = "was damaged; the other copy was put in its place"
        yield f"{name}: {'is damaged' if archive.read_only else mended}"
    with archive.guard, archive.telling():
        lost = 0
        if archive.read_only:
            lost = lost_changes(archive.folder / _JOURNAL)
        else:
            checkpoint(connection)
        pages = damaged_pages(connection)
    if lost:
        yield f"{_JOURNAL}: is damaged; changes lost: {lost}"
    for page in pages:
        yield f"{DATABASE_FILE}: {page}"
    if pages:
        # What else it says cannot be relied on.
        return
    with archive.guard, archive.telling():
        wrong = _wrong_tables(archive.allowed(Permission.BACKUP).connection)
    yield from wrong
    yield from _wrong_pictures(archive)
    yield from archive.wrong_in_drop_box()


def _wrong_tables(connection: "Connection") -> list[str]:
    wrong = [
        f"{DATABASE_FILE}: {told}"
        for (told,) in connection.execute("PRAGMA integrity_check")
        if told != "ok"
    ]
    broken = first_break(connection)
    if broken is not None:
        wrong.append(f"trail: entry {broken} does not follow from those before it")
    wrong += [
        f"{_JOURNAL}: was damaged at {time}; changes lost: {count}"
        for time, count in connection.execute(
            "SELECT time, subject FROM trail WHERE event = ? ORDER BY number", (Event.LOST,)
        )
    ]
    missing = connection.execute(
        f"SELECT subject FROM trail WHERE event IN {_KEPT} "  # noqa: S608
        "EXCEPT SELECT subject FROM trail WHERE event = ? "
        "EXCEPT SELECT identifier FROM examination",
        (Event.EXAMINATION_DELETED,),
    )
    wrong += [f"examination {name}: the trail says that it was kept" for (name,) in missing]
    unknown = connection.execute(
        "SELECT identifier FROM examination "  # noqa: S608
        f"EXCEPT SELECT subject FROM trail WHERE event IN {_KEPT}"
    )
    wrong += [f"examination {name}: the trail does not know of it" for (name,) in unknown]
    if not aid_is_true(connection):
        wrong.append(f"{DATABASE_FILE}: the worklist by identifier is not that of the examinations")
    return wrong


def _wrong_pictures(archive: EncryptedArchive) -> Iterator[str | None]:
    number = 0
    named: set[Path] = set()
    while True:
        with archive.guard, archive.telling():
            connection = archive.allowed(Permission.BACKUP).connection
            rows = examination_tables.rows_from(connection, number, _AT_ONCE)
        for row in rows:
            named.add(archive.path_of(row.number))
            yield _wrong_picture(archive, row)
        if len(rows) < _AT_ONCE:
            break
        number = rows[-1].number + 1
    for path in sorted((archive.folder / PICTURES).glob("*/*")):
        if path not in named:
            yield f"{path.relative_to(archive.folder)}: belongs to no examination"


def _wrong_picture(archive: EncryptedArchive, row: Row) -> str | None:
    path = archive.path_of(row.number)
    try:
        row.record()
        with archive.guard:
            check_picture(path, archive.key_of(row), row.identifier)
    except RecordError as error:
        return str(error)
    except (OSError, ValueError) as error:
        damaged = examination_tables.damaged(row.identifier, reason(error))
        return f"{path.relative_to(archive.folder)}: {damaged}"
    return None
