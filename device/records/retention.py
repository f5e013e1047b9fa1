"""Which examinations the rule of retention gives up: those that are surely older than it says."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from device.errors import RecordError
from device.language import translatable
from device.platform.clock import clock_is_set
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Key
from device.records.roles import Permission

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection


class _Timed(msgspec.Struct):
    taken: datetime
    clock_set: bool | None = None


def expire(archive: EncryptedArchive, before: datetime, *, delete: bool) -> tuple[int, int]:
    """Delete what the rule of retention says need not be kept, or count it.

    A patient goes as a whole, when all pictures were surely taken before that time.

    Returns
    -------
    tuple of int
        How many patients, and how many examinations that are filed under no lesion.

    Raises
    ------
    device.errors.RecordError
        If the clock cannot be believed.
    """
    with archive.guard, archive.telling():
        opened = archive.allowed(Permission.DELETE)
        if not clock_is_set(archive.clock.now()):
            raise RecordError(
                "the clock is not set, and nothing is deleted by age",
                action=translatable("set it"),
            )
        patients, unfiled = expired(opened.connection, before)
        if delete:
            for key in patients:
                archive.delete_patient(key)
            for identifier in unfiled:
                archive.delete_examination(identifier)
        return len(patients), len(unfiled)


def expired(connection: "Connection", before: datetime) -> tuple[list[Key], list[str]]:
    """Return what was surely taken before a time.

    A picture whose clock was not set tells no time of its own. It was taken before the one that was
    kept after it; where no such one tells its time either, it may be of today, and stays.

    Returns
    -------
    list of str
        Keys of the patients all of whose pictures are so old, where there is one.
    list of str
        Identifiers of the examinations that are filed under no lesion.
    """
    rows = connection.execute(
        "SELECT e.identifier, l.patient, e.record FROM examination AS e "
        "LEFT JOIN lesion AS l ON l.key = e.lesion ORDER BY e.number DESC"
    )
    latest: datetime | None = None
    old: dict[Key, bool] = {}
    unfiled = []
    for identifier, patient, content in rows:
        timed = _timed(content)
        if timed is not None and timed.clock_set is not False:
            latest = timed.taken.astimezone(UTC)
        aged = latest is not None and latest < before
        if patient is not None:
            old[patient] = old.get(patient, True) and aged
        elif aged:
            unfiled.append(identifier)
    return [patient for patient, aged in old.items() if aged], unfiled


def _timed(content: bytes) -> _Timed | None:
    """Return when a record was taken; None of one that is damaged."""
    try:
        return msgspec.json.decode(content, type=_Timed)
    except msgspec.DecodeError:
        return None
