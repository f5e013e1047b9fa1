"""What a program does to an archive while it is killed, and what it has acknowledged by then."""

import contextlib
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from device.capture.demo import SCENES, demo_frame
from device.frame import SourceKind
from device.imaging.field_of_view import FieldOfView
from device.inference.finding import from_record
from device.platform.clock import Clock
from device.records import database, vault
from device.records.access import Holder
from device.records.backup import back_up, restore
from device.records.encrypted_archive import EncryptedArchive
from device.records.keyring import PinCost
from device.records.model import ExaminationRecord
from device.records.patients import Action, Decision, Role
from tests.device.records.plain import VERSION_2

CHEAP = PinCost(passes=1, memory_kib=64)
PIN = "123456"
PASSPHRASE = "a word and another"  # noqa: S105
FRAME = replace(demo_frame(SCENES[0]), kind=SourceKind.CAMERA)
FRAME = replace(FRAME, pixels=np.ascontiguousarray(FRAME.pixels[::12, ::12]))

RECORD = msgspec.json.decode(VERSION_2.read_bytes(), type=ExaminationRecord)
assert RECORD.finding is not None
FINDING = from_record(RECORD.finding, FieldOfView(0, 0, min(FRAME.pixels.shape[:2])))

NEXT = (
    "ALTER TABLE examination ADD COLUMN length INTEGER NOT NULL DEFAULT 0;\n"
    "UPDATE examination SET length = length(record);\n"
    "CREATE INDEX by_length ON examination (length);\n"
    "ALTER TABLE patient ADD COLUMN length INTEGER NOT NULL DEFAULT 0;\n"
    "UPDATE patient SET length = length(record);\n"
)
"""A migration such as a later release may bring."""

Tell = Callable[..., None]


@dataclass
class Known:
    """What was acknowledged.

    Attributes
    ----------
    actions
        What was decided of each examination that is kept; None while nothing is.
    lesions
        The lesion of each.
    judged
        Those that have a finding.
    deleted
        Examinations that are gone.
    patients
        Lesion of each patient.
    """

    actions: dict[str, str | None] = field(default_factory=dict)
    lesions: dict[str, str | None] = field(default_factory=dict)
    judged: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    patients: dict[str, str] = field(default_factory=dict)

    def apply(self, deed: str, *told: Any) -> None:
        """Take an acknowledged change into account."""
        match deed, told:
            case "keep", (identifier, lesion):
                self.actions[identifier], self.lesions[identifier] = None, lesion
            case "decide", (identifier, action):
                self.actions[identifier] = action
            case "complete", (identifier,):
                self.judged.add(identifier)
            case "file", (identifier, lesion):
                self.lesions[identifier] = lesion
            case "delete", (identifier,):
                self._forget(identifier)
            case "add patient", (patient, lesion):
                self.patients[patient] = lesion
            case "delete patient", (patient,):
                lesion = self.patients.pop(patient)
                for identifier in [i for i, key in self.lesions.items() if key == lesion]:
                    self._forget(identifier)

    def _forget(self, identifier: str) -> None:
        del self.actions[identifier], self.lesions[identifier]
        self.judged.discard(identifier)
        self.deleted.add(identifier)

    def copy(self) -> "Known":
        """Return the same, apart."""
        return deepcopy(self)


def use(archive: EncryptedArchive, known: Known, seed: int, count: int, tell: Tell) -> None:
    """Make so many changes to an archive, and close it."""
    make_changes(archive, known, random.Random(seed), count, tell)
    archive.close()


def make_changes(
    archive: EncryptedArchive, known: Known, chance: random.Random, count: int, tell: Tell
) -> None:
    """Do what a clinician does, and tell before and after each change."""
    for _ in range(count):
        deed = chance.choice(
            [
                "keep",
                "keep",
                "keep",
                "complete",
                "complete",
                "decide",
                "decide",
                "file",
                "delete",
                "patient",
                "patient",
                "patient gone",
                "patient gone",
            ]
        )
        identifier = chance.choice(list(known.actions) or [""])
        lesion = chance.choice([None, *known.patients.values()])
        told: tuple[Any, ...]
        if deed == "keep" or not identifier:
            tell("begin", "keep")
            told = ("keep", archive.keep(FRAME, None, [], None, lesion=lesion), lesion)
        elif deed == "decide":
            action = chance.choice(list(Action))
            told = ("decide", identifier, action)
            tell("begin", *told)
            decided = datetime(2026, 1, 1, tzinfo=UTC)
            decision = Decision(
                decided=decided, role=Role.CLINICIAN, action=action, due=date(2026, 2, 1)
            )
            archive.decide(identifier, decision)
        elif deed == "complete":
            told = ("complete", identifier)
            tell("begin", *told)
            archive.complete(identifier, FINDING, ["melanoma-0.90"], None)
        elif deed == "file":
            told = ("file", identifier, lesion)
            tell("begin", *told)
            archive.file_examination(identifier, lesion)
        elif deed == "delete" and len(known.actions) > 3:
            told = ("delete", identifier)
            tell("begin", *told)
            archive.delete_examination(identifier)
        elif deed == "patient gone" and len(known.patients) > 1:
            told = ("delete patient", chance.choice(list(known.patients)))
            tell("begin", *told)
            archive.delete_patient(told[1])
        else:
            tell("begin", "add patient")
            patient = archive.add_patient(f"patient {chance.getrandbits(64)}")
            told = ("add patient", patient.key, archive.add_lesion(patient.key).key)
        known.apply(*told)
        tell("done", *told)


def bring_up_to_date(archive: EncryptedArchive, target: Path, tell: Tell) -> None:
    """Back an archive up."""
    for error in back_up(archive, target, PASSPHRASE, CHEAP):
        assert error is None
    tell("done", "backup")


def restore_backup(backup: Path, folder: Path) -> None:
    """Make an archive of a backup."""
    for _ in restore(backup, folder, PASSPHRASE, clock=Clock()):
        pass


def bring_over(archive: EncryptedArchive) -> None:
    """Bring over the plain files that lie in an archive's folder."""
    archive.open()
    assert all(archive.catch_up())


@contextlib.contextmanager
def later_release() -> Iterator[None]:
    """Be a later release of the program, which brings a migration, while the block lasts."""
    before = database.MIGRATIONS
    for module in (database, vault):
        module.MIGRATIONS = (*before, NEXT)  # type: ignore[misc]
    try:
        yield
    finally:
        for module in (database, vault):
            module.MIGRATIONS = before  # type: ignore[misc]


def forget_aid(archive: EncryptedArchive) -> None:
    """Bring an archive to what the release before `awaited` wrote."""
    archive.open()
    assert archive.opened is not None
    tables = archive.opened.connection
    triggers = tables.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'awaited_%'")
    for (name,) in triggers.fetchall():
        tables.execute(f"DROP TRIGGER {name}")
    tables.execute("DROP TABLE awaited")
    archive.close()


def migrate(archive: EncryptedArchive) -> None:
    """Open an archive for the first time with a later release."""
    with later_release():
        archive.open()
        archive.close()


PINS = (
    ("A", "111111"),
    ("B", "222222"),
    ("A", "333333"),
    ("B", ""),
)
"""Whose PIN is set, and to what; none takes it away."""


def set_pins(archive: EncryptedArchive, tell: Tell) -> None:
    """Give PINs and take one away: each wraps the master key anew."""
    for name, pin in PINS:
        if pin:
            archive.set_pin(Holder(name, Role.CLINICIAN), pin)
        else:
            archive.remove_pin(name)
        tell("done", "pin")
    archive.close()


def keep_while_locked(archive: EncryptedArchive, tell: Tell) -> None:
    """Keep pictures behind the lock, then unlock and take them in."""
    for _ in range(2):
        for _ in range(2):
            tell("begin", "keep")
            identifier = archive.keep(FRAME, None, [], None)
            tell("done", "keep", identifier)
            archive.complete(identifier, FINDING, ["melanoma-0.90"], None)
            tell("done", "complete", identifier)
        archive.unlock(PIN)
        assert all(archive.catch_up())
        archive.lock()
    archive.close()
