"""Kills the program at seeded moments while it changes the archive, and looks at what is left.

``make test-kill COUNT=10000``. Each trial forks, lets the child change a small archive and tell of
each change that was acknowledged, kills it with SIGKILL, and then sees, as the next start of the
program would, that

* all that was acknowledged is there, and what was deleted is not;
* the one change that was under way is there whole or not at all;
* every page and picture authenticates, and the trail has no break.

A kill loses nothing that was handed to the system: whether a flush is in its place it does not
show. For that, ``docs/records.md`` argues from the order of writes.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from device.capture.demo import SCENES, demo_frame
from device.errors import RecordError
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
from device.records.verification import verify
from tests.device.records.plain import VERSION_2, write_plain

CHEAP = PinCost(passes=1, memory_kib=64)
PASSPHRASE = "a word and another"  # noqa: S105
PIN = "123456"
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


class Trials:
    """The archives that trials are made on.

    Parameters
    ----------
    folder
        Theirs.
    seed
        Of what is done, and of when it is killed.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.began = 0
        self.killed = 0
        self.durations: dict[str, float] = {}
        self.known = Known()
        self._make_templates()

    def run(self, count: int) -> None:
        """Make trials until so many programs were killed.

        Raises
        ------
        AssertionError
            If something was lost, half there, damaged, or came back.
        """
        kinds = {
            "use": 10,
            "backup": 3,
            "restore": 2,
            "import": 3,
            "migration": 3,
            "pin": 2,
            "locked": 4,
        }
        number = 0
        while self.killed < count:
            if number % 40 == 0:
                self._begin_anew()
            number += 1
            (kind,) = self.random.choices(list(kinds), list(kinds.values()))
            seed = self.random.getrandbits(32)
            {
                "use": self.use,
                "backup": self.backup,
                "restore": self.restore,
                "import": self.bring_over,
                "migration": self.migrate,
                "pin": self.set_pin,
                "locked": self.keep_while_locked,
            }[kind](seed)

    @classmethod
    def of_what_is_left(cls, folder: Path, told: list[list[Any]]) -> None:
        """See that an archive, ``used`` in a folder, holds what was told of it."""
        trials = cls.__new__(cls)
        trials.folder, trials.known = folder, Known()
        trials._take_in(told)
        trials._look_at_it(told)

    # What is done and then looked at.

    def use(self, seed: int) -> None:
        """Kill while pictures are kept, judged, filed, decided and deleted."""
        before = self.known.copy()
        told = self._killed("use", lambda tell: use(self.archive(), before, seed, 6, tell))
        self._take_in(told)
        self._look_at_it(told)

    def backup(self, seed: int) -> None:
        """Kill while a backup is written over an older one."""
        target = self.folder / "backup"
        archive = self.archive()
        _deeds(archive, self.known, random.Random(seed), 3, lambda *told: None)
        archive.close()
        told = self._killed("backup", lambda tell: _back_up(self.archive(), target, tell))
        self._look_at_it([])
        if ["done", "backup"] in told:
            self._backed_up = True
        if self._backed_up:
            copy = EncryptedArchive(target, create=False)
            copy.unlock(PASSPHRASE)
            if ["done", "backup"] in told:
                assert set(copy.identifiers()) == set(self.known.actions)
            _see_whole(copy, but="belongs to no examination")
            copy.close()

    def restore(self, seed: int) -> None:
        """Kill while a backup is restored, and begin again where that is needed."""
        folder = self.folder / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        self._killed("restore", lambda tell: _restore(self.folder / "copied", folder))
        if not (folder / database.DATABASE_FILE).exists():
            _restore(self.folder / "copied", folder)
        archive = EncryptedArchive(folder)
        assert len(archive.identifiers()) == len(self.names)
        _see_whole(archive)
        archive.close()

    def bring_over(self, seed: int) -> None:
        """Kill, twice, while plain files are brought over."""
        folder = self._fresh("plain")
        for _ in range(2):
            self._killed("import", lambda tell: _bring_over(EncryptedArchive(folder)))
        archive = EncryptedArchive(folder)
        archive.open()
        assert all(archive.catch_up())
        assert archive.identifiers() == self.names
        for name in self.names:
            assert np.array_equal(archive.read(name).image, FRAME.pixels)
        assert not list(folder.glob("0*"))
        _see_whole(archive)
        archive.close()

    def migrate(self, seed: int) -> None:
        """Kill while a later release opens the archive for the first time."""
        folder = self._fresh("filled")
        self._killed("migration", lambda tell: _migrate(EncryptedArchive(folder)))
        archive = EncryptedArchive(folder)
        with _later_release():
            archive.open()
            assert archive.opened is not None
            tables = archive.opened.connection
            assert tables.execute("PRAGMA user_version").fetchone()[0] == len(database.MIGRATIONS)
            for table in ("examination", "patient"):
                query = f"SELECT count(*) FROM {table} WHERE length != length(record)"  # noqa: S608
                assert tables.execute(query).fetchone() == (0,)
            assert len(archive.identifiers()) == len(self.names)
            _see_whole(archive)
        archive.close()

    def set_pin(self, seed: int) -> None:
        """Kill while the first PIN is set, or another one."""
        folder = self._fresh("filled")
        told = self._killed(
            "pin", lambda tell: _set_pins(EncryptedArchive(folder, pin_cost=CHEAP), tell)
        )
        pins = [words[1] for words in told if words[0] == "done"]
        archive = EncryptedArchive(folder)
        archive.open()
        if archive.access.locked:
            for pin in ("1" * 6, "2" * 6):
                with contextlib.suppress(RecordError):
                    archive.unlock(pin)
        else:
            assert pins == []
        assert not archive.access.locked
        assert len(archive.identifiers()) == len(self.names)
        _see_whole(archive)
        archive.close()

    def keep_while_locked(self, seed: int) -> None:
        """Kill, twice, while pictures are kept behind the lock and taken in."""
        folder = self._fresh("locked")
        kept: set[str] = set()
        judged: set[str] = set()
        begun = 0
        for _ in range(2):
            told = self._killed(
                "locked", lambda tell: _keep_while_locked(EncryptedArchive(folder), tell)
            )
            kept |= {words[2] for words in told if words[:2] == ["done", "keep"]}
            judged |= {words[2] for words in told if words[:2] == ["done", "complete"]}
            begun += sum(words == ["begin", "keep"] for words in told)
        archive = EncryptedArchive(folder)
        archive.unlock(PIN)
        assert all(archive.catch_up())
        found = set(archive.identifiers())
        assert kept <= found, f"lost {kept - found}"
        assert len(found) <= begun, "one came twice"
        for identifier in found:
            examination = archive.read(identifier)
            assert np.array_equal(examination.image, FRAME.pixels)
            assert examination.record.finding is not None or identifier not in judged
        assert [path.name for path in (folder / "sealed").iterdir()] == ["public.key"]
        assert len(list(folder.rglob("*.picture"))) == len(found)
        _see_whole(archive)
        archive.close()

    # How.

    def archive(self) -> EncryptedArchive:
        """Return the archive that is used, as a program finds it that starts."""
        return EncryptedArchive(self.folder / "used", pin_cost=CHEAP)

    def _killed(self, kind: str, work: Callable[[Tell], None]) -> list[list[Any]]:
        """Fork, let the child work, kill it at some moment, and return what it told."""
        usual = self.durations.get(kind, 0.5)
        wait = self.random.random() * usual
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(reading)

                def tell(*words: object) -> None:
                    os.write(writing, json.dumps(words).encode() + b"\n")

                work(tell)
                status = 0
            except BaseException as error:
                print(kind, repr(error), file=sys.stderr, flush=True)
            finally:
                os._exit(status)
        os.close(writing)
        began = time.monotonic()
        self.began += 1
        ended = 0
        while not ended and time.monotonic() - began < wait:
            time.sleep(min(0.0005, wait))
            ended, status = os.waitpid(child, os.WNOHANG)
        if not ended:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            self.killed += 1
            # One that takes longer than others is killed later the next time.
            self.durations[kind] = usual * 1.02
        else:
            assert os.WEXITSTATUS(status) == 0, f"the program failed at {kind}"
            self.durations[kind] = 0.5 * usual + 0.5 * (time.monotonic() - began)
        with os.fdopen(reading, "rb") as pipe:
            return [json.loads(line) for line in pipe.read().splitlines()]

    def _take_in(self, told: list[list[Any]]) -> None:
        for words in told:
            if words[0] == "done":
                self.known.apply(*words[1:])

    def _look_at_it(self, told: list[list[Any]]) -> None:
        archive = self.archive()
        kept = set(archive.identifiers())
        under_way = told[-1][1:] if told and told[-1][0] == "begin" else None
        missing, new = set(self.known.actions) - kept, kept - set(self.known.actions)
        if under_way and under_way[0] == "keep" and new:
            (identifier,) = new
            self.known.apply("keep", identifier, archive.record(identifier).lesion)
            new = set()
        if under_way and missing and under_way[0] in ("delete", "delete patient"):
            self.known.apply(*under_way)
            missing = set(self.known.actions) - kept
        assert (missing, new) == (set(), set()), f"lost {missing}, came back {new}"
        patients = {patient.key for patient in archive.patients(limit=1000).items}
        if under_way and under_way[0] == "delete patient" and under_way[1] not in patients:
            self.known.patients.pop(under_way[1], None)
        for key in patients - set(self.known.patients):
            # Told only once the lesion is there too.
            assert under_way and under_way[0] == "add patient", "a patient came back"
            archive.delete_patient(key)
        assert set(self.known.patients) <= patients, "a patient is lost"
        for identifier, action in self.known.actions.items():
            examination = archive.read(identifier)
            assert np.array_equal(examination.image, FRAME.pixels)
            decision = examination.record.decision
            found = decision.action if decision else None
            if found != action:
                assert under_way == ["decide", identifier, found], (
                    f"{identifier}: {found}, {action}"
                )
                self.known.actions[identifier] = found
            if (examination.record.finding is not None) != (identifier in self.known.judged):
                assert under_way == ["complete", identifier]
                self.known.judged.add(identifier)
            if (lesion := examination.record.lesion) != self.known.lesions[identifier]:
                assert under_way == ["file", identifier, lesion]
                self.known.lesions[identifier] = lesion
        assert not self.known.deleted & kept
        assert len(list(archive.folder.rglob("*.picture"))) == len(kept)
        _see_whole(archive)
        archive.close()

    def _begin_anew(self) -> None:
        for name in ("used", "backup"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.known = Known()
        self._backed_up = False

    def _fresh(self, name: str) -> Path:
        folder = self.folder / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder / name, folder)
        return folder

    def _make_templates(self) -> None:
        archive = EncryptedArchive(self.folder / "filled")
        lesion = archive.add_lesion(archive.add_patient("4711").key).key
        for _ in range(5):
            archive.keep(FRAME, None, [], None, lesion=lesion)
        for error in back_up(archive, self.folder / "copied", PASSPHRASE, CHEAP):
            assert error is None
        archive.close()
        archive = EncryptedArchive(self.folder / "locked", pin_cost=CHEAP)
        archive.set_pin(Holder("A", Role.CLINICIAN), PIN)
        archive.close()
        self.names = [f"{number:06d}-20260102T030405Z-abcdef" for number in range(1, 6)]
        for name in self.names:
            write_plain(self.folder / "plain", name, FRAME.pixels)


def use(archive: EncryptedArchive, known: Known, seed: int, count: int, tell: Tell) -> None:
    """Make so many changes to an archive, and close it."""
    _deeds(archive, known, random.Random(seed), count, tell)
    archive.close()


def _deeds(
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


def _back_up(archive: EncryptedArchive, target: Path, tell: Tell) -> None:
    for error in back_up(archive, target, PASSPHRASE, CHEAP):
        assert error is None
    tell("done", "backup")


def _restore(backup: Path, folder: Path) -> None:
    for _ in restore(backup, folder, PASSPHRASE, clock=Clock()):
        pass


def _bring_over(archive: EncryptedArchive) -> None:
    archive.open()
    assert all(archive.catch_up())


@contextlib.contextmanager
def _later_release() -> Iterator[None]:
    before = database.MIGRATIONS
    for module in (database, vault):
        module.MIGRATIONS = (*before, NEXT)  # type: ignore[misc]
    try:
        yield
    finally:
        for module in (database, vault):
            module.MIGRATIONS = before  # type: ignore[misc]


def _migrate(archive: EncryptedArchive) -> None:
    with _later_release():
        archive.open()
        archive.close()


def _set_pins(archive: EncryptedArchive, tell: Tell) -> None:
    for pin in ("1" * 6, "2" * 6):
        archive.set_pin(Holder("A", Role.CLINICIAN), pin)
        tell("done", pin)


def _keep_while_locked(archive: EncryptedArchive, tell: Tell) -> None:
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


def _see_whole(archive: EncryptedArchive, but: str = "\0") -> None:
    wrong = [told for told in verify(archive) if told is not None and but not in told]
    assert not wrong, wrong


def main() -> None:
    """Make the trials that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # Threads of OpenCV do not outlive a fork.
    cv2.setNumThreads(0)
    began = time.monotonic()
    # In memory where it can be: a kill does not reach the disk.
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        trials = Trials(Path(folder), options.seed)
        trials.run(options.count)
    print(
        f"{trials.killed} killed of {trials.began} begun, seed {options.seed}, "
        f"{time.monotonic() - began:.0f} s: nothing lost, nothing half there, no break in the trail"
    )


if __name__ == "__main__":
    main()
