"""Patients and lesions in the archive's tables."""

import unicodedata
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from device.errors import NoSuchRecordError, RecordError
from device.language import translatable
from device.records.listing import Page
from device.records.patients import Key, Lesion, Patient

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection

NO_PATIENT: Final = translatable("there is no such patient any more")
NO_LESION: Final = translatable("there is no such lesion any more")

_AFTER_ALL: Final = "\U0010ffff"

T = TypeVar("T")


def folded(identifier: str) -> str:
    """Return an identifier as it is compared: capitals and ways to write a letter are no matter."""
    return unicodedata.normalize("NFKC", identifier.strip()).casefold()


def checked(value: T) -> T:
    """Return a value whose fields are what its type says.

    Raises
    ------
    device.errors.RecordError
        If one is not.
    """
    try:
        return msgspec.convert(msgspec.to_builtins(value), type(value))
    except msgspec.ValidationError as error:
        raise RecordError(
            "this cannot be entered", action=translatable("correct it"), detail=str(error)
        ) from None


def insert_patient(connection: "Connection", patient: Patient, secret: bytes) -> None:
    """Add a patient; raises `RecordError` where another has the identifier."""
    _refuse_taken(connection, patient)
    connection.execute(
        "INSERT INTO patient VALUES (?, ?, ?, ?)",
        (patient.key, folded(patient.identifier), msgspec.json.encode(patient), secret),
    )


def update_patient(connection: "Connection", patient: Patient) -> None:
    """Replace a patient; raises as `insert_patient`, and where there is none of the key."""
    select_patient(connection, patient.key)
    _refuse_taken(connection, patient)
    connection.execute(
        "UPDATE patient SET folded = ?, record = ? WHERE key = ?",
        (folded(patient.identifier), msgspec.json.encode(patient), patient.key),
    )


def select_patient(connection: "Connection", key: Key) -> Patient:
    """Return a patient; raises `NoSuchRecordError`."""
    row = connection.execute("SELECT record FROM patient WHERE key = ?", (key,)).fetchone()
    return msgspec.json.decode(_there(row, NO_PATIENT)[0], type=Patient)


def patient_secret(connection: "Connection", key: Key) -> bytes:
    """Return a patient's key, sealed; raises `NoSuchRecordError`."""
    row = connection.execute("SELECT secret FROM patient WHERE key = ?", (key,)).fetchone()
    return bytes(_there(row, NO_PATIENT)[0])


def find_patient(connection: "Connection", identifier: str) -> Patient | None:
    """Return the patient of an identifier, or None."""
    row = connection.execute(
        "SELECT record FROM patient WHERE folded = ?", (folded(identifier),)
    ).fetchone()
    return msgspec.json.decode(row[0], type=Patient) if row else None


def beginning(prefix: str) -> tuple[str, str]:
    """Return between which folded identifiers those lie that begin so."""
    begins = folded(prefix)
    return begins, begins + _AFTER_ALL


def page_of_patients(
    connection: "Connection", prefix: str, after: str | None, limit: int
) -> Page[Patient]:
    """Return patients whose identifier begins so, by identifier."""
    first, last = beginning(prefix)
    rows = connection.execute(
        "SELECT folded, record FROM patient WHERE folded >= ? AND folded <= ? AND folded > ? "
        "ORDER BY folded LIMIT ?",
        (first, last, after or "", limit + 1),
    ).fetchall()
    patients = tuple(msgspec.json.decode(row[1], type=Patient) for row in rows[:limit])
    return Page(patients, rows[limit - 1][0] if len(rows) > limit else None)


def insert_lesion(connection: "Connection", lesion: Lesion) -> None:
    """Add a lesion of a patient who is there."""
    connection.execute(
        "INSERT INTO lesion VALUES (?, ?, ?, ?)",
        (lesion.key, lesion.patient, lesion.number, msgspec.json.encode(lesion)),
    )


def next_lesion_number(connection: "Connection", patient: Key) -> int:
    """Return the number of a patient's next lesion."""
    row = connection.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM lesion WHERE patient = ?", (patient,)
    ).fetchone()
    return int(row[0])


def update_lesion(connection: "Connection", lesion: Lesion) -> None:
    """Replace a lesion's record."""
    connection.execute(
        "UPDATE lesion SET record = ? WHERE key = ?", (msgspec.json.encode(lesion), lesion.key)
    )


def select_lesion(connection: "Connection", key: Key) -> Lesion:
    """Return a lesion; raises `NoSuchRecordError`."""
    row = connection.execute("SELECT record FROM lesion WHERE key = ?", (key,)).fetchone()
    return msgspec.json.decode(_there(row, NO_LESION)[0], type=Lesion)


def lesions_of(connection: "Connection", patient: Key) -> list[Lesion]:
    """Return a patient's lesions by number."""
    rows = connection.execute(
        "SELECT record FROM lesion WHERE patient = ? ORDER BY number", (patient,)
    )
    return [msgspec.json.decode(row[0], type=Lesion) for row in rows]


def _refuse_taken(connection: "Connection", patient: Patient) -> None:
    other = find_patient(connection, patient.identifier)
    if other is not None and other.key != patient.key:
        raise RecordError(
            "another patient has this identifier", action=translatable("choose that patient")
        )


def _there(row: Any, otherwise: str) -> Any:
    if row is None:
        raise NoSuchRecordError(otherwise)
    return row
