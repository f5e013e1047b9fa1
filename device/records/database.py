"""The archive's tables: how they are opened, what they are, and how older ones become these.

Why the journal is what it is stands in ``docs/records.md``.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from device.errors import RecordError
from device.language import translatable
from device.platform.durable_files import PRIVATE_FILE, fsync_folder, give_to_owner, set_mode
from device.records.journal import JOURNAL_SUFFIX, commits_of, lost_changes, lost_commits

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection

DATABASE_FILE: Final = "archive.db"

_VERSION_1: Final = """
CREATE TABLE archive (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;
INSERT INTO archive VALUES ('pictures', 0), ('bytes', 0), ('keyring', 0);

CREATE TABLE patient (
    key TEXT PRIMARY KEY,
    folded TEXT NOT NULL UNIQUE,
    record BLOB NOT NULL,
    secret BLOB NOT NULL
) STRICT;

CREATE TABLE lesion (
    key TEXT PRIMARY KEY,
    patient TEXT NOT NULL REFERENCES patient,
    number INTEGER NOT NULL,
    record BLOB NOT NULL,
    UNIQUE (patient, number)
) STRICT;

CREATE TABLE examination (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    identifier TEXT NOT NULL UNIQUE,
    taken TEXT NOT NULL,
    lesion TEXT REFERENCES lesion,
    kind TEXT NOT NULL,
    action TEXT,
    planned TEXT,
    proven INTEGER NOT NULL DEFAULT 0,
    work TEXT,
    due TEXT,
    size INTEGER NOT NULL,
    secret BLOB NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE INDEX listed ON examination (number, identifier);
CREATE INDEX of_lesion ON examination (lesion, number);
CREATE INDEX by_work ON examination (work, due, number) WHERE work IS NOT NULL;
CREATE TRIGGER kept AFTER INSERT ON examination BEGIN
    UPDATE archive SET value = value + 1 WHERE name = 'pictures';
    UPDATE archive SET value = value + new.size WHERE name = 'bytes';
END;
CREATE TRIGGER deleted AFTER DELETE ON examination BEGIN
    UPDATE archive SET value = value - 1 WHERE name = 'pictures';
    UPDATE archive SET value = value - old.size WHERE name = 'bytes';
END;

CREATE TABLE removal (number INTEGER PRIMARY KEY) STRICT;

CREATE TABLE imported (
    name TEXT PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,
    state TEXT NOT NULL
) STRICT;
CREATE INDEX to_import ON imported (state, number);

CREATE TABLE trail (
    number INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    holder TEXT NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE INDEX trail_subject ON trail (subject, event);
CREATE TRIGGER trail_is_not_altered BEFORE UPDATE ON trail BEGIN
    SELECT RAISE(ABORT, 'the trail is not altered');
END;
CREATE TRIGGER trail_is_not_shortened BEFORE DELETE ON trail BEGIN
    SELECT RAISE(ABORT, 'the trail is not shortened');
END;
"""

MIGRATIONS: Final[tuple[str, ...]] = (_VERSION_1,)
"""What brings tables from each version to the next, the first from nothing. What was released
stays as it is."""

AWAITED: Final = """
WITH l AS MATERIALIZED (SELECT key, patient FROM lesion),
    p AS MATERIALIZED (SELECT key, folded FROM patient)
SELECT e.work, p.folded, e.number, e.due FROM examination AS e INDEXED BY by_work
CROSS JOIN l ON l.key = e.lesion CROSS JOIN p ON p.key = l.patient
WHERE e.work IS NOT NULL
"""
"""What is on the worklist and filed under a patient, with the patient's folded identifier.

Lesions and patients are read once from beginning to end: to look each up is to decrypt its pages.
"""

_AID: Final = f"""
CREATE TABLE awaited (
    work TEXT NOT NULL,
    folded TEXT NOT NULL,
    number INTEGER NOT NULL,
    due TEXT,
    PRIMARY KEY (work, folded, number)
) STRICT, WITHOUT ROWID;
INSERT INTO awaited {AWAITED} ORDER BY 1, 2, 3;
CREATE TRIGGER awaited_begins AFTER INSERT ON examination WHEN new.work IS NOT NULL BEGIN
    INSERT INTO awaited SELECT new.work, p.folded, new.number, new.due
        FROM lesion AS l JOIN patient AS p ON p.key = l.patient WHERE l.key = new.lesion;
END;
CREATE TRIGGER awaited_changes AFTER UPDATE OF work, due, lesion ON examination BEGIN
    DELETE FROM awaited WHERE work = old.work AND number = old.number AND folded = (
        SELECT p.folded FROM lesion AS l JOIN patient AS p ON p.key = l.patient
        WHERE l.key = old.lesion);
    INSERT INTO awaited SELECT new.work, p.folded, new.number, new.due
        FROM lesion AS l JOIN patient AS p ON p.key = l.patient
        WHERE l.key = new.lesion AND new.work IS NOT NULL;
END;
CREATE TRIGGER awaited_ends AFTER DELETE ON examination WHEN old.work IS NOT NULL BEGIN
    DELETE FROM awaited WHERE work = old.work AND number = old.number AND folded = (
        SELECT p.folded FROM lesion AS l JOIN patient AS p ON p.key = l.patient
        WHERE l.key = old.lesion);
END;
CREATE TRIGGER awaited_is_renamed AFTER UPDATE OF folded ON patient
WHEN new.folded <> old.folded BEGIN
    UPDATE awaited SET folded = new.folded
        WHERE work IN ('follow-up', 'undecided', 'referred') AND folded = old.folded;
END;
"""  # noqa: S608 -- our own words
"""`AWAITED` in the order of identifiers, which no index of one table has, kept true by triggers.

No version tells of it: an older release, to which an update that fails goes back, reads and writes
the tables all the same, and the triggers are in them.
"""

_MOST_NAMED: Final = 3

_SETTINGS: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA secure_delete = ON;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA journal_size_limit = 4194304;
"""


class Tables(NamedTuple):
    """The tables, opened.

    Attributes
    ----------
    connection
        To them.
    found
        The version that they had; 0 where there were none.
    lost
        How many changes are lost, as the medium damaged the journal.
    """

    connection: "Connection"
    found: int
    lost: int


def open_database(path: Path, key: bytes, make: bool = True) -> Tables:
    """Open the tables, and make them where there are none. One connection alone may be open.

    Parameters
    ----------
    path
        Of the file; its folder exists.
    key
        256 bits; the file's own, and no password.
    make
        Whether they may be made.

    Raises
    ------
    device.errors.RecordError
        If they were made by a newer release, are damaged, or the key is another's, or if they
        could not be encrypted.
    OSError, sqlcipher3.dbapi2.Error
        If the disk fails.
    """
    commits = commits_of(_journal_of(path))
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))
        set_mode(path, PRIVATE_FILE)
        give_to_owner(path, path.parent)
        fsync_folder(path.parent)
    with _connected(path.absolute().as_uri(), key) as connection:
        if not version_of(connection):
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for setting in _SETTINGS.strip().splitlines():
            connection.execute(setting)
        lost = 0
        if commits:
            # The program was interrupted: nothing of it stays in the journal.
            read = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()[1]
            lost = lost_commits(commits, read)
        if not make and not version_of(connection):
            raise RecordError(
                "the records are damaged",
                action=translatable("restore them from a backup"),
                detail=f"{path.name}: holds no tables",
            )
        found = migrate(connection, MIGRATIONS)
        if not has_aid(connection):
            with transaction(connection):
                for statement in statements(_AID):
                    connection.execute(statement)
        if not found:
            checkpoint(connection)
        return Tables(connection, found, lost)


def read_database(path: Path, key: bytes) -> Tables:
    """Open tables that can be read and not written.

    What an interrupted program left in their journal is read with them, and stays there. Parameters
    and what is raised are those of `open_database`; tables of an older release are refused.
    """
    journal = _journal_of(path)
    # SQLite reads a journal only where it can lock and index it, unless it is told that nobody
    # else comes; one that is not there it reads only where it is told that nothing ever changes.
    alone = "mode=ro&vfs=unix-none" if journal.exists() else "immutable=1"
    with _connected(f"{path.absolute().as_uri()}?{alone}", key) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        found = version_of(connection)
        _check_known(found, len(MIGRATIONS))
        if found < len(MIGRATIONS):
            raise RecordError(
                "the records are to be brought to this release, and cannot be written",
                action=translatable("put them on a disk that can be written"),
                detail=f"schema version {found}, {len(MIGRATIONS)} is read",
            )
        return Tables(connection, found, lost_changes(journal))


@contextlib.contextmanager
def _connected(uri: str, key: bytes) -> Iterator["Connection"]:
    """Give a connection that is closed where the block fails, and says what is damaged."""
    from sqlcipher3 import dbapi2

    connection = dbapi2.connect(uri, isolation_level=None, check_same_thread=False, uri=True)
    try:
        connection.execute("PRAGMA cipher_log_level = NONE").fetchall()
        if not connection.execute("PRAGMA cipher_version").fetchall():
            raise RecordError(
                "the records cannot be encrypted, and nothing is kept unencrypted",
                action=translatable("install the program again"),
                detail=f"SQLite {dbapi2.sqlite_version} stands in the place of SQLCipher",
            )
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        # Before anything is read, or an index of the journal would be made that programs share.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        yield connection
    except BaseException as error:
        if is_damage(error):
            error = damage(connection, error)
        connection.close()
        raise error from None


def _journal_of(path: Path) -> Path:
    return path.with_name(path.name + JOURNAL_SUFFIX)


def is_damage(error: BaseException) -> bool:
    """Return whether an error says that the tables' file is not as it was written."""
    from sqlcipher3 import dbapi2

    return isinstance(error, dbapi2.DatabaseError) and not isinstance(
        error, dbapi2.OperationalError | dbapi2.ProgrammingError | dbapi2.IntegrityError
    )


def damage(connection: "Connection", error: BaseException) -> RecordError:
    """Return the error that the tables are damaged, which names where."""
    pages = damaged_pages(connection)
    return RecordError(
        "the records are damaged",
        action=translatable("restore them from a backup"),
        detail=f"{DATABASE_FILE}: {'; '.join(pages[:_MOST_NAMED]) or error}",
    )


def damaged_pages(connection: "Connection") -> list[str]:
    """Return what is wrong with each page of the file that does not authenticate."""
    from sqlcipher3 import dbapi2

    try:
        return [row[0] for row in connection.execute("PRAGMA cipher_integrity_check")]
    except dbapi2.Error as error:
        return [str(error)]


def migrate(connection: "Connection", migrations: Sequence[str]) -> int:
    """Bring tables of any version to the newest: each step whole or not at all.

    Returns
    -------
    int
        The version that they had; 0 where there were none.

    Raises
    ------
    device.errors.RecordError
        If a newer release made them.
    """
    found = version_of(connection)
    _check_known(found, len(migrations))
    for version in range(found, len(migrations)):
        with transaction(connection):
            for statement in statements(migrations[version]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
    return found


def _check_known(found: int, known: int) -> None:
    if found > known:
        raise RecordError(
            "the records were kept by a newer release",
            action=translatable("update the instrument"),
            detail=f"schema version {found}, {known} is read",
        )


def has_aid(connection: "Connection") -> bool:
    """Return whether `awaited` is in the tables: not in those that only an older release wrote."""
    row = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'awaited'").fetchone()
    return row is not None


def aid_is_true(connection: "Connection") -> bool:
    """Return whether `awaited`, where it is, holds what is on the worklist and nothing else."""
    if not has_aid(connection):
        return True
    kept, expected = "SELECT * FROM awaited", f"SELECT * FROM ({AWAITED})"  # noqa: S608
    for one, other in ((kept, expected), (expected, kept)):
        if connection.execute(f"{one} EXCEPT {other} LIMIT 1").fetchone():
            return False
    return True


def version_of(connection: "Connection") -> int:
    """Return the version of the tables; 0 where there are none."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def transaction(connection: "Connection") -> Iterator[None]:
    """Do all of what the block does to the tables, on the disk when it ends, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def value_of(connection: "Connection", name: str) -> int:
    """Return a number that is kept of the archive: ``pictures``, ``bytes`` or ``keyring``."""
    row: Any = connection.execute("SELECT value FROM archive WHERE name = ?", (name,)).fetchone()
    return int(row[0])


def purge(connection: "Connection") -> None:
    """Take what was deleted out of the file and its journal."""
    connection.execute("PRAGMA incremental_vacuum").fetchall()
    checkpoint(connection)


def checkpoint(connection: "Connection") -> None:
    """Bring all that the journal holds into the file, and empty the journal."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script, triggers whole."""
    from sqlcipher3 import dbapi2

    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if dbapi2.complete_statement(statement):
            if statement.strip():
                yield statement
            statement = ""
