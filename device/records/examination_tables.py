"""Examinations in the archive's tables, and which of them are on the worklist.

The record is one JSON text, as it was in plain files; the columns beside it are for searches.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from device.errors import NoSuchRecordError, RecordError
from device.language import translatable
from device.records.checks import check_values
from device.records.database import AWAITED, has_aid
from device.records.listing import Page, WorkKind
from device.records.model import SCHEMA_VERSION, ExaminationRecord, PictureKind
from device.records.orders import Order, OrderKey
from device.records.patients import Action, Decision, Key

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection

_FOLLOW_UP: Final = "follow-up"
_UNDECIDED: Final = "undecided"
_REFERRED: Final = "referred"

_MOST_OTHERS: Final = 50
"""Examinations of other days that are passed over before no more of a day are looked for."""


class _Ordered(msgspec.Struct):
    order: Order | None = None


class _Versioned(msgspec.Struct):
    schema_version: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """An examination as it is kept.

    Attributes
    ----------
    number
        Counts examinations in the order in which they were kept; names the picture's file.
    identifier
        Of the examination.
    lesion
        Key of the lesion, or None.
    size
        Bytes of the picture's file.
    secret
        The picture's key, sealed.
    content
        The record, not decoded: what is damaged is told when it is.
    """

    number: int
    identifier: str
    lesion: Key | None
    size: int
    secret: bytes
    content: bytes

    def record(self) -> ExaminationRecord:
        """Return the record.

        Raises
        ------
        device.errors.RecordError
            If it is damaged, or a newer release wrote it.
        """
        return decode_record(self.identifier, self.content)


def decode_record(identifier: str, content: bytes) -> ExaminationRecord:
    """Return a record from its JSON; raises as `Row.record`."""
    try:
        version = msgspec.json.decode(content, type=_Versioned).schema_version
        if version > SCHEMA_VERSION:
            raise RecordError(
                f"examination {identifier} was kept by a newer release",
                action=f"update the instrument (schema version {version}, "
                f"{SCHEMA_VERSION} is read)",
            )
        record = msgspec.json.decode(content, type=ExaminationRecord)
        check_values(record)
    except RecordError:
        raise
    except (ValueError, RecursionError) as error:
        raise damaged(identifier, error) from None
    return record


def damaged(identifier: str, error: object) -> RecordError:
    """Return the error that an examination is damaged."""
    return RecordError(f"examination {identifier} is damaged ({error})")


def insert(
    connection: "Connection", number: int, record: ExaminationRecord, secret: bytes, size: int
) -> None:
    """Add an examination.

    Parameters
    ----------
    secret
        The picture's key, sealed.
    size
        Bytes of the picture's file.
    """
    connection.execute(
        "INSERT INTO examination (number, identifier, taken, lesion, kind, size, secret, record) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            record.identifier,
            record.taken.astimezone(UTC).isoformat(),
            record.lesion,
            record.kind,
            size,
            secret,
            msgspec.json.encode(record),
        ),
    )
    _set_decision(connection, number, record.decision)
    refresh_work(connection, number, record.lesion)


def update_record(connection: "Connection", number: int, record: ExaminationRecord) -> None:
    """Replace an examination's record, whose lesion stays."""
    connection.execute(
        "UPDATE examination SET record = ? WHERE number = ?",
        (msgspec.json.encode(record), number),
    )
    _set_decision(connection, number, record.decision)
    refresh_work(connection, number, record.lesion)


def move(connection: "Connection", row: Row, record: ExaminationRecord, secret: bytes) -> None:
    """File an examination under the lesion that its new record names."""
    connection.execute(
        "UPDATE examination SET record = ?, lesion = ?, secret = ? WHERE number = ?",
        (msgspec.json.encode(record), record.lesion, secret, row.number),
    )
    refresh_work(connection, row.number, record.lesion)
    if row.lesion is not None:
        refresh_work(connection, row.number, row.lesion)


def remove(connection: "Connection", row: Row) -> None:
    """Delete an examination, and mark its picture's file to be removed."""
    connection.execute("DELETE FROM examination WHERE number = ?", (row.number,))
    connection.execute("INSERT INTO removal VALUES (?)", (row.number,))
    if row.lesion is not None:
        refresh_work(connection, row.number, row.lesion)


def select(connection: "Connection", identifier: str) -> Row:
    """Return an examination; raises `NoSuchRecordError`."""
    row = connection.execute(
        "SELECT number, identifier, lesion, size, secret, record FROM examination "
        "WHERE identifier = ?",
        (identifier,),
    ).fetchone()
    if row is None:
        raise NoSuchRecordError(
            translatable("there is no examination {identifier}"), identifier=identifier
        )
    return Row(*row)


def of_patient(connection: "Connection", patient: Key) -> list[Row]:
    """Return a patient's examinations."""
    rows = connection.execute(
        "SELECT e.number, e.identifier, e.lesion, e.size, e.secret, e.record "
        "FROM lesion AS l JOIN examination AS e ON e.lesion = l.key WHERE l.patient = ?",
        (patient,),
    )
    return [Row(*row) for row in rows]


def rows_from(connection: "Connection", number: int, limit: int) -> list[Row]:
    """Return the examinations from a number on, in their order."""
    rows = connection.execute(
        "SELECT number, identifier, lesion, size, secret, record FROM examination "
        "WHERE number >= ? ORDER BY number LIMIT ?",
        (number, limit),
    )
    return [Row(*row) for row in rows]


def last_number(connection: "Connection") -> int:
    """Return the highest number that any examination ever had."""
    row = connection.execute(
        "SELECT max("
        "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'examination'), 0), "
        "coalesce((SELECT max(number) FROM imported), 0))"
    ).fetchone()
    return int(row[0])


def identifiers(connection: "Connection", newest: int | None) -> list[str]:
    """Return the identifiers of the newest examinations, or of all, the oldest first."""
    rows = connection.execute(
        "SELECT identifier FROM examination INDEXED BY listed ORDER BY number DESC LIMIT ?",
        (-1 if newest is None else newest,),
    ).fetchall()
    return [row[0] for row in reversed(rows)]


def newest(connection: "Connection") -> tuple[str, int] | None:
    """Return when the newest examination was taken, ISO 8601, and its picture's bytes, or None."""
    row = connection.execute(
        "SELECT taken, size FROM examination ORDER BY number DESC LIMIT 1"
    ).fetchone()
    return (row[0], row[1]) if row else None


def orders_between(connection: "Connection", begin: datetime, end: datetime) -> frozenset[OrderKey]:
    """Return the keys of the orders of examinations that were taken from one time to another.

    They are looked for from the newest back, and no further than where earlier ones begin.
    """
    first, last = (moment.astimezone(UTC).isoformat() for moment in (begin, end))
    found = set()
    others = 0
    for taken, content in connection.execute(
        "SELECT taken, record FROM examination ORDER BY number DESC"
    ):
        if not first <= taken < last:
            # One may have been taken while the clock was wrong, or brought over later.
            others += 1
            if others == _MOST_OTHERS:
                break
            continue
        with contextlib.suppress(msgspec.DecodeError):
            order = msgspec.json.decode(content, type=_Ordered).order
            if order is not None:
                found.add(order.key)
    return frozenset(found)


def page(
    connection: "Connection", where: str, values: Sequence[object], after: str | None, limit: int
) -> Page[ExaminationRecord]:
    """Return examinations, the newest first.

    Those whose record is damaged are passed over: they hide no others.

    Parameters
    ----------
    where
        Which: a condition in SQL, of this module's callers alone, or empty for all.
    values
        What stands in the condition's places.
    """
    conditions = " AND ".join(filter(None, (where, "number < ?")))
    rows = connection.execute(
        "SELECT number, identifier, record FROM examination "  # noqa: S608
        f"WHERE {conditions} ORDER BY number DESC LIMIT ?",
        (*values, int(after) if after else 1 << 62, limit + 1),
    ).fetchall()
    records = readable((row[1], row[2]) for row in rows[:limit])
    return Page(records, str(rows[limit - 1][0]) if len(rows) > limit else None)


def readable(rows: Any) -> tuple[ExaminationRecord, ...]:
    """Return the records of pairs of identifier and content, but for those that are damaged."""
    records = []
    for identifier, content in rows:
        try:
            records.append(decode_record(identifier, content))
        except RecordError:
            continue
    return tuple(records)


def summary_of_lesion(
    connection: "Connection", lesion: Key
) -> tuple[int, ExaminationRecord | None, Decision | None]:
    """Return how many examinations a lesion has, whose record stands for it, what was decided."""
    count = connection.execute(
        "SELECT count(*) FROM examination WHERE lesion = ?", (lesion,)
    ).fetchone()[0]
    rows = connection.execute(
        "SELECT identifier, record FROM examination WHERE lesion = ? "
        "ORDER BY kind = ? DESC, number DESC LIMIT 3",
        (lesion, PictureKind.DERMOSCOPIC),
    )
    newest = next(iter(readable(rows)), None)
    decided = connection.execute(
        "SELECT identifier, record FROM examination WHERE lesion = ? AND action IS NOT NULL "
        "AND kind = ? ORDER BY number DESC LIMIT 3",
        (lesion, PictureKind.DERMOSCOPIC),
    )
    last = next(iter(readable(decided)), None)
    return int(count), newest, last.decision if last else None


def refresh_work(connection: "Connection", number: int, lesion: Key | None) -> None:
    """Say anew which examinations of a lesion, or which unfiled one, are on the worklist."""
    which, value = ("number = ?", number) if lesion is None else ("lesion = ?", lesion)
    rows = connection.execute(
        "SELECT number, taken, kind, action, planned, proven, work, due "  # noqa: S608
        f"FROM examination WHERE {which} ORDER BY number",
        (value,),
    ).fetchall()
    decided = [
        (row[0], _day(row[1]))
        for row in rows
        if row[3] is not None and row[2] == PictureKind.DERMOSCOPIC
    ]
    newest_decided = decided[-1][0] if decided else 0
    days = {day for _, day in decided}
    for this, taken, kind, action, planned, proven, work_before, due_before in rows:
        work = None
        if this == newest_decided:
            if action == Action.FOLLOW_UP and planned is not None:
                work = _FOLLOW_UP
            elif action in (Action.REFER, Action.EXCISE) and not proven:
                work = _REFERRED
        elif (
            action is None
            and kind == PictureKind.DERMOSCOPIC
            and this > newest_decided
            and _day(taken) not in days
        ):
            work = _UNDECIDED
        due = planned if work == _FOLLOW_UP else None
        if (work, due) != (work_before, due_before):
            connection.execute(
                "UPDATE examination SET work = ?, due = ? WHERE number = ?",
                (work, due, this),
            )


def _day(taken: str) -> date:
    """Return the clinic's day of a time that is kept in UTC: a visit lies within one."""
    moment = datetime.fromisoformat(taken)
    try:
        return moment.astimezone().date()
    except OverflowError:
        # In the first or the last hours that there are.
        return moment.date()


def page_of_work(
    connection: "Connection", kind: WorkKind, today: date, after: str | None, limit: int
) -> tuple[list[tuple[str, bytes, str | None]], str | None]:
    """Return identifier, record and due date of what is on the worklist, and where it goes on."""
    if kind in (WorkKind.OVERDUE, WorkKind.DUE):
        compared = "due < ?" if kind is WorkKind.OVERDUE else "due >= ?"
        day, number = after.split() if after else ("", "0")
        rows = connection.execute(
            "SELECT number, identifier, record, due FROM examination "  # noqa: S608
            f"WHERE work = ? AND {compared} AND (due, number) > (?, ?) "
            "ORDER BY due, number LIMIT ?",
            (_FOLLOW_UP, today.isoformat(), day, int(number), limit + 1),
        ).fetchall()
        following = f"{rows[limit - 1][3]} {rows[limit - 1][0]}" if len(rows) > limit else None
    else:
        rows = connection.execute(
            "SELECT number, identifier, record, due FROM examination "
            "WHERE work = ? AND due IS NULL AND number < ? ORDER BY number DESC LIMIT ?",
            (_state(kind), int(after) if after else 1 << 62, limit + 1),
        ).fetchall()
        following = str(rows[limit - 1][0]) if len(rows) > limit else None
    return [(row[1], row[2], row[3]) for row in rows[:limit]], following


def page_of_work_by_identifier(
    connection: "Connection",
    kind: WorkKind,
    today: date,
    between: tuple[str, str],
    after: str | None,
    limit: int,
) -> tuple[list[tuple[str, bytes, str | None]], str | None]:
    """Return what is filed under patients by their identifiers; otherwise as `page_of_work`.

    Parameters
    ----------
    between
        The first and the last folded identifier that is wanted.
    """
    number, _, identifier = after.partition(" ") if after else ("0", "", between[0])
    dated, values = _dated(kind, today)
    # On a disk that cannot be written, what only an older release wrote is put in order each time.
    source = "awaited" if has_aid(connection) else f"({AWAITED})"
    rows = connection.execute(
        "SELECT e.number, e.identifier, e.record, w.due, w.folded "  # noqa: S608
        f"FROM {source} AS w CROSS JOIN examination AS e ON e.number = w.number "
        f"WHERE w.work = ? AND {dated} AND (w.folded, w.number) > (?, ?) AND w.folded <= ? "
        "ORDER BY w.folded, w.number LIMIT ?",
        (*values, identifier, int(number), between[1], limit + 1),
    ).fetchall()
    following = f"{rows[limit - 1][0]} {rows[limit - 1][4]}" if len(rows) > limit else None
    return [(row[1], row[2], row[3]) for row in rows[:limit]], following


def _dated(kind: WorkKind, today: date) -> tuple[str, tuple[str, ...]]:
    """Return the condition of a kind's date, and the values of the kind and of the date."""
    if kind is WorkKind.OVERDUE:
        return "w.due < ?", (_FOLLOW_UP, today.isoformat())
    if kind is WorkKind.DUE:
        return "w.due >= ?", (_FOLLOW_UP, today.isoformat())
    return "w.due IS NULL", (_state(kind),)


def count_of_work(connection: "Connection", kind: WorkKind, today: date) -> int:
    """Return how much is on the worklist."""
    dated, values = _dated(kind, today)
    row = connection.execute(
        f"SELECT count(*) FROM examination AS w WHERE w.work = ? AND {dated}",  # noqa: S608
        values,
    ).fetchone()
    return int(row[0])


def _state(kind: WorkKind) -> str:
    return _UNDECIDED if kind is WorkKind.UNDECIDED else _REFERRED


def _set_decision(connection: "Connection", number: int, decision: Decision | None) -> None:
    planned = decision.due.isoformat() if decision and decision.due else None
    connection.execute(
        "UPDATE examination SET action = ?, planned = ?, proven = ? WHERE number = ?",
        (
            decision.action if decision else None,
            planned,
            decision is not None and decision.proof is not None,
            number,
        ),
    )
