"""The audit trail: what was done with the records, by whom and when, each entry chained to another.

It names patients and lesions by their keys alone, which say nothing once these are deleted.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection

_START: Final = bytes(32)


class Event(StrEnum):
    """What was done."""

    MADE = "archive made"
    MIGRATED = "archive brought to a newer version"
    UNLOCKED = "unlocked"
    LOCKED = "locked"
    WRONG_PINS = "wrong PINs before this"
    PIN_SET = "PIN set"
    PIN_REMOVED = "PIN removed"
    KEPT = "picture kept"
    IMPORTED = "picture imported"
    TAKEN_IN = "picture taken in that was kept while locked"
    COMPLETED = "finding kept"
    FILED = "picture filed"
    DECIDED = "decision entered"
    EXAMINATION_DELETED = "examination deleted"
    PATIENT_ADDED = "patient added"
    PATIENT_CHANGED = "patient changed"
    PATIENT_DELETED = "patient deleted"
    LESION_ADDED = "lesion added"
    LESION_CHANGED = "lesion changed"
    EXPORTED = "exported"
    BACKED_UP = "backed up"
    RESTORED = "restored from a backup"
    LOST = "changes lost, as the medium damaged the journal"


_CHANGES: Final = (
    Event.KEPT, Event.IMPORTED, Event.TAKEN_IN, Event.COMPLETED, Event.FILED, Event.DECIDED,
    Event.EXAMINATION_DELETED,
)  # fmt: skip
"""After which an examination is not what it was."""

_CHANGES_OF_MANY: Final = (Event.LESION_CHANGED, Event.PATIENT_CHANGED)
"""After which all examinations of their subject are not what they were."""


class Entry(NamedTuple):
    """An entry of the trail, as it is kept."""

    number: int
    time: str
    holder: str
    event: str
    subject: str
    digest: bytes


def append(
    connection: "Connection", event: Event, subject: str, holder: str, time: datetime
) -> None:
    """Add an entry, within the transaction of what it tells of.

    Parameters
    ----------
    subject
        An examination's identifier, a key, or someone's name that has a PIN.
    holder
        Who did it.
    """
    last = connection.execute(
        "SELECT number, digest FROM trail ORDER BY number DESC LIMIT 1"
    ).fetchone()
    number, digest = (last[0] + 1, last[1]) if last else (1, _START)
    told = (number, time.isoformat(), holder, str(event), subject)
    connection.execute(
        "INSERT INTO trail VALUES (?, ?, ?, ?, ?, ?)", (*told, _digest(digest, told))
    )


def first_break(connection: "Connection") -> int | None:
    """Return the number of the first entry that does not follow from those before, or None."""
    digest = _START
    expected = 1
    for entry in entries(connection):
        if entry.number != expected or entry.digest != _digest(digest, entry[:-1]):
            return expected
        digest, expected = entry.digest, expected + 1
    return None


def entries(connection: "Connection") -> Iterator[Entry]:
    """Yield the trail from its beginning."""
    for row in connection.execute("SELECT * FROM trail ORDER BY number"):
        yield Entry(*row)


def has_happened(connection: "Connection", event: Event, subject: str) -> bool:
    """Return whether the trail tells of an event."""
    row = connection.execute(
        "SELECT 1 FROM trail WHERE subject = ? AND event = ? LIMIT 1", (subject, event)
    ).fetchone()
    return row is not None


def changes(connection: "Connection", after: str, limit: int) -> list[tuple[str, str]]:
    """Return which examinations changed, each with the mark of its change; see `after`.

    Parameters
    ----------
    after
        A mark that this returned before; empty for the beginning, from which the trail is read too
        where it is not the one that the mark is of, as after a restore.
    """
    number, _, digest = after.partition(" ")
    known = connection.execute(
        "SELECT 1 FROM trail WHERE number = ? AND hex(digest) = ?", (number, digest)
    ).fetchone()
    # Of a lesion that was moved, or a patient who was corrected, every examination is another; one
    # that has none is its own subject, so that its mark is passed, and no examination is called so.
    rows = connection.execute(
        "SELECT coalesce(e.identifier, t.subject), t.number || ' ' || hex(t.digest) FROM ("
        "SELECT * FROM trail WHERE number > ? AND event IN (SELECT value FROM json_each(?)) "
        "ORDER BY number LIMIT ?) AS t "
        "LEFT JOIN examination AS e ON e.lesion IN ("
        "SELECT t.subject WHERE t.event = ? UNION ALL "
        "SELECT key FROM lesion WHERE patient = t.subject AND t.event = ?) ORDER BY t.number",
        (
            int(number) if known else 0,
            msgspec.json.encode((*_CHANGES, *_CHANGES_OF_MANY)).decode(),
            limit,
            *_CHANGES_OF_MANY,
        ),
    )
    return [(subject, mark) for subject, mark in rows]


def _digest(before: bytes, told: tuple[object, ...]) -> bytes:
    return hashlib.sha256(before + msgspec.json.encode(told)).digest()
