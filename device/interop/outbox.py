"""What waits to be sent: kept on the disk, so that no restart and no failure loses any of it.

It names examinations, which say nothing of a patient, and never holds their content: that is read
from the archive when it is sent.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from device.errors import ExportError
from device.faults import Fault
from device.language import translatable
from device.platform.durable_files import PRIVATE_FILE, make_folder, set_mode
from device.text import printable_path

OUTBOX_FILE: Final = "outbox.sqlite3"

SOONEST: Final = timedelta(minutes=1)
LATEST: Final = timedelta(hours=1)
"""How long after a failure it is tried again: the longer, the oftener it failed."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS outbox (
    target TEXT NOT NULL,
    examination TEXT NOT NULL,
    content TEXT NOT NULL,
    queued REAL NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    fault TEXT,
    sent REAL,
    PRIMARY KEY (target, examination)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (
    target TEXT PRIMARY KEY,
    mark TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (target, due) WHERE sent IS NULL;
"""

_AT_ONCE: Final = 200
"""Examinations that are sent through one connection."""

_COLUMNS: Final = "target, examination, content, queued, attempts, due, fault"


class _WrittenFault(msgspec.Struct, frozen=True):
    message: str
    action: str = ""
    where: str = ""
    detail: str = ""
    values: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Waiting:
    """An examination that waits to be sent.

    Attributes
    ----------
    target
        Name of where to.
    examination
        Its identifier in the archive.
    content
        Tells whether it has changed since it was queued.
    queued
        Since when, UTC.
    attempts
        How often it failed.
    due
        When it is tried next, UTC.
    fault
        Why it failed last; None while it was not tried.
    """

    target: str
    examination: str
    content: str
    queued: datetime
    attempts: int
    due: datetime
    fault: Fault | None


class Outbox:
    """The queue of what is sent, a table in a file.

    Every method returns once what it did is on the disk. SQLite's own journal, with every commit
    forced to the disk (``synchronous = FULL``): an SD card may lose power at any instant.

    Parameters
    ----------
    folder
        Of its file; made where it is missing.

    Raises
    ------
    device.errors.ExportError
        If it cannot be opened; every method likewise.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / OUTBOX_FILE
        with self._told():
            make_folder(folder)
            self._database = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
            set_mode(self._path, PRIVATE_FILE)
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        self._database.close()

    def seen(self, target: str) -> str:
        """Return the mark of the last change that was queued for a target; empty for none."""
        with self._told():
            row = self._database.execute(
                "SELECT mark FROM seen WHERE target = ?", (target,)
            ).fetchone()
        return row[0] if row else ""

    def add(
        self,
        target: str,
        changed: Iterable[tuple[str, str]],
        now: datetime,
        *,
        pause: timedelta = timedelta(0),
        seen: str = "",
    ) -> None:
        """Queue examinations, all of them or none.

        What waits already waits once, and what was sent is not sent again unless it has changed.

        Parameters
        ----------
        target
            Name of where to.
        changed
            Their identifiers in the archive, each with what tells whether it has changed since it
            was sent.
        pause
            How long to wait before the first try.
        seen
            What `seen` returns from now on; empty to leave it.
        """
        moment = now.timestamp()
        due = (now + pause).timestamp()
        with self._told(), self._transaction():
            self._database.executemany(
                "INSERT INTO outbox (target, examination, content, queued, due)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET content = excluded.content,"
                " queued = excluded.queued, due = excluded.due, attempts = 0, fault = NULL,"
                " sent = NULL WHERE content <> excluded.content",
                [(target, identifier, content, moment, due) for identifier, content in changed],
            )
            if seen:
                self._database.execute(
                    "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO UPDATE SET mark = excluded.mark",
                    (target, seen),
                )

    def waiting(self, target: str | None = None) -> Iterator[Waiting]:
        """Yield what waits, the oldest first; for one target, or for all."""
        yield from self._read("sent IS NULL AND target = ifnull(?, target)", target)

    def failing(self, targets: Collection[str]) -> tuple[Waiting, int] | None:
        """Return what has failed for the longest, and how much fails of the same target.

        Parameters
        ----------
        targets
            Those of the settings: what waits for one that they name no more is not told of.
        """
        marks = ", ".join("?" * len(targets))
        which = f"sent IS NULL AND fault IS NOT NULL AND target IN ({marks})"
        for first in self._read(which, *targets, most=1):
            with self._told():
                (count,) = self._database.execute(
                    "SELECT count(*) FROM outbox"
                    " WHERE sent IS NULL AND fault IS NOT NULL AND target = ?",
                    (first.target,),
                ).fetchone()
            return first, count
        return None

    def due(self, target: str, now: datetime) -> list[Waiting]:
        """Return what is to be tried now, the least tried and oldest first; of very much, some.

        A clock that went back makes nothing wait longer than it would have.
        """
        moment = now.timestamp()
        return list(
            self._read(
                "sent IS NULL AND target = ? AND (due <= ? OR due > ?)",
                target, moment, moment + LATEST.total_seconds(), most=_AT_ONCE, first="attempts",
            )
        )  # fmt: skip

    def done(self, waiting: Waiting, now: datetime) -> None:
        """Note that an examination has arrived."""
        with self._told():
            # What was queued anew meanwhile has changed, and is still to be sent.
            self._database.execute(
                "UPDATE outbox SET sent = ?, fault = NULL WHERE target = ? AND examination = ?"
                " AND content = ?",
                (now.timestamp(), *_key(waiting)),
            )

    def failed(
        self,
        waiting: Waiting,
        fault: Fault,
        now: datetime,
        wait: timedelta = timedelta(0),
        *,
        tried: bool = True,
    ) -> None:
        """Note why an examination did not arrive, and when to try again.

        Parameters
        ----------
        wait
            How long the target asks to be left alone; it is tried once an hour all the same.
        tried
            False where another one failed, and this one did not come to be sent.
        """
        pause = min(LATEST, max(wait, SOONEST * 2 ** min(waiting.attempts, 10)))
        written = _WrittenFault(
            fault.message, fault.action, fault.where, fault.detail,
            {name: str(value) for name, value in fault.values.items()},
        )  # fmt: skip
        with self._told():
            self._database.execute(
                "UPDATE outbox SET attempts = attempts + ?, due = ?, fault = ?"
                " WHERE target = ? AND examination = ? AND content = ?",
                (
                    int(tried),
                    (now + pause).timestamp(),
                    msgspec.json.encode(written).decode(),
                    *_key(waiting),
                ),
            )

    def retry(self, now: datetime) -> None:
        """Have everything that waits tried now, as someone has mended what was wrong."""
        with self._told():
            self._database.execute(
                "UPDATE outbox SET due = ? WHERE sent IS NULL", (now.timestamp(),)
            )

    def forget(self, examination: str) -> None:
        """Send an examination nowhere, and forget where it was sent: it was deleted."""
        with self._told():
            self._database.execute("DELETE FROM outbox WHERE examination = ?", (examination,))

    def _read(
        self, condition: str, *values: object, most: int = -1, first: str = "queued"
    ) -> Iterator[Waiting]:
        with self._told():
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM outbox WHERE {condition} "  # noqa: S608 -- our own words
                f"ORDER BY {first}, queued, examination LIMIT ?",
                (*values, most),
            ).fetchall()
        for target, examination, content, queued, attempts, due, fault in rows:
            yield Waiting(
                target=target,
                examination=examination,
                content=content,
                queued=_moment(queued),
                attempts=attempts,
                due=_moment(due),
                fault=_read_fault(fault),
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ExportError(
                translatable("the queue of what is sent cannot be read or written"),
                action=translatable("check the disk; what was captured is kept all the same"),
                where=printable_path(self._path),
                detail=str(error),
            ) from None


def _key(waiting: Waiting) -> tuple[str, str, str]:
    return (waiting.target, waiting.examination, waiting.content)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _read_fault(written: str | None) -> Fault | None:
    if written is None:
        return None
    fault = msgspec.json.decode(written, type=_WrittenFault)
    return Fault(fault.message, fault.action, fault.where, fault.detail, fault.values)
