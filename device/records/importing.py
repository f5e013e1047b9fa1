"""Bringing over what earlier releases kept as plain files: once each, whatever interrupts it.

The examinations of a folder get their places in the order at once, so that none that is kept
meanwhile comes before them. Each is then brought over in one transaction; only when that is on the
disk may its plain files be removed.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from device.errors import RecordError
from device.imaging.field_of_view import crop, find_field
from device.language import translatable
from device.platform.durable_files import fsync_folder
from device.records import examination_tables
from device.records.database import transaction
from device.records.model import ExaminationRecord
from device.records.plain_files import plain_examinations, read_plain
from device.records.trail import Event
from device.records.vault import Opened, Vault

if TYPE_CHECKING:
    from sqlcipher3.dbapi2 import Connection

Add = Callable[
    [
        Opened,
        int,
        ExaminationRecord,
        NDArray[np.uint8],
        NDArray[np.uint8],
        Event,
        Callable[["Connection"], None],
    ],
    int,
]
"""`device.records.picture_vault.PictureVault.add`."""

_WAITING: Final = "waiting"
_DONE: Final = "done"
_DAMAGED: Final = "damaged"


def reserve_places(connection: "Connection", folder: Path) -> None:
    """Give the plain examinations of a folder their places, after what is there.

    Raises
    ------
    OSError
        If the folder cannot be read.
    """
    known = {name for (name,) in connection.execute("SELECT name FROM imported")}
    new = [name for name in plain_examinations(folder) if name not in known]
    if not new:
        return
    first = examination_tables.last_number(connection) + 1
    with transaction(connection):
        connection.executemany(
            "INSERT INTO imported VALUES (?, ?, ?)",
            [(name, number, _WAITING) for number, name in enumerate(new, first)],
        )


def import_plain(
    vault: Vault, add: Add, folder: Path, *, remove: bool, again: bool = False
) -> Iterator[RecordError | None]:
    """Bring the plain examinations of a folder over, one a step.

    Yields what is wrong with one that stays where it is, or None for one that was brought over.

    Parameters
    ----------
    vault
        Where to.
    add
        Adds a picture to it.
    folder
        Where from.
    remove
        Whether the plain files are removed once an examination is safe.
    again
        Whether those are tried again that were found damaged before.

    Raises
    ------
    device.errors.RecordError
        If the archive cannot be written, or is locked: begin again later.
    OSError
        If the folder cannot be read.
    """
    with vault.guard, vault.telling():
        reserve_places(vault.allowed(None).connection, folder)
    for name in plain_examinations(folder):
        yield _import_one(vault, add, folder, name, remove, again)


def _import_one(
    vault: Vault, add: Add, folder: Path, name: str, remove: bool, again: bool
) -> RecordError | None:
    with vault.guard:
        with vault.telling():
            number, state = (
                vault.allowed(None)
                .connection.execute("SELECT number, state FROM imported WHERE name = ?", (name,))
                .fetchone()
            )
        if state == _DAMAGED and not again:
            return examination_tables.damaged(name, "found before")
        if state != _DONE:
            try:
                examination = read_plain(folder, name)
            except RecordError as error:
                with vault.changing(None) as opened:
                    _mark(opened.connection, name, _DAMAGED)
                return error
            # Whatever it says of a lesion is not of this archive.
            record = msgspec.structs.replace(examination.record, identifier=name, lesion=None)
            pixels = examination.image
            small = crop(pixels, record.field_of_view or find_field(pixels))
            with vault.telling(translatable("the examination could not be kept")):
                add(
                    vault.allowed(None),
                    number,
                    record,
                    pixels,
                    small,
                    Event.IMPORTED,
                    lambda tables: _mark(tables, name, _DONE),
                )
        if remove:
            with vault.telling():
                shutil.rmtree(folder / name)
                fsync_folder(folder)
    return None


def _mark(connection: "Connection", name: str, state: str) -> None:
    connection.execute("UPDATE imported SET state = ? WHERE name = ?", (state, name))
