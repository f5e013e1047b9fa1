"""Kills the program at seeded moments while it changes the archive, and looks at what is left.

``make test-kill COUNT=10000``. Each trial forks, lets the child change a small archive, or take it
out, and tell of each change that was acknowledged, kills it with SIGKILL, and then sees, as the
next start of the program would, that

* all that was acknowledged is there, and what was deleted is not;
* the one change that was under way is there whole or not at all;
* every page and picture authenticates, and the trail has no break;
* whatever was exported is whole, and what waits to be sent still waits.

A kill loses nothing that was handed to the system: whether a flush is in its place it does not
show. `tests.device.records.power_cut` does.
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
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from device.diagnoses import Code
from device.errors import RecordError
from device.records import database
from device.records.access import Holder
from device.records.backup import back_up
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Role
from tests.device.interop import kill_exports as outward
from tests.device.records import kill_deeds as deeds
from tests.device.records.kill_deeds import CHEAP, FINDING, FRAME, PASSPHRASE, Known, Tell
from tests.device.records.plain import write_plain
from tests.device.records.verdicts import (
    VERDICTS,
    CorruptError,
    LostError,
    see_whole,
)

OPERATIONS = {
    "keep": "save a picture",
    "complete": "save its finding",
    "decide": "save a decision",
    "file": "file a picture, which wraps its key anew",
    "delete": "delete an examination",
    "add patient": "add a patient and a lesion",
    "delete patient": "delete a patient",
    "locked": "save while locked, unlock and take in",
    "between": "open, close, and between changes",
    "pin": "set and remove PINs, which wraps the master key anew",
    "backup": "back up over an older backup",
    "restore": "restore a backup",
    "import": "import plain files",
    "migration": "open with a later release (migration)",
    **{f"export {kind}": f"export: {kind}" for kind in outward.WRITERS},
    "queue": "queue and send",
}
"""What is killed, as the table calls it."""


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
        self.killed: Counter[str] = Counter()
        self.found: Counter[tuple[str, type[AssertionError]]] = Counter()
        self.durations: dict[str, float] = {}
        self.known = Known()
        self._operation = ""
        self._make_templates()

    def run(self, count: int) -> None:
        """Make trials until so many programs were killed; what is wrong is told and counted."""
        trials: dict[Callable[[int], None], int] = {
            self.use: 10,
            self.backup: 3,
            self.restore: 2,
            self.bring_over: 3,
            self.migrate: 3,
            self.set_pins: 2,
            self.keep_while_locked: 4,
            self.export: 5,
            self.send: 3,
        }
        number = 0
        while self.killed.total() < count:
            if number % 40 == 0:
                self._begin_anew()
            number += 1
            (trial,) = self.random.choices(list(trials), list(trials.values()))
            try:
                trial(self.random.getrandbits(32))
            except VERDICTS as verdict:
                self.found[self._operation, type(verdict)] += 1
                print(f"{self._operation}: {verdict!r}", file=sys.stderr, flush=True)
                self._begin_anew()

    @classmethod
    def of_what_is_left(cls, folder: Path, told: list[list[Any]]) -> None:
        """See that an archive, ``used`` in a folder, holds what was told of it."""
        trials = cls.__new__(cls)
        trials.folder, trials.known = folder, Known()
        trials._take_in(told)
        trials._look_at_it(told)

    def table(self) -> str:
        """Return what was killed and what was found, in Markdown."""
        lines = ["| operation | killed | lost | corrupt | trail broken |", "| --- " * 5 + "|"]
        for name, words in OPERATIONS.items():
            found = [self.found[name, verdict] for verdict in VERDICTS]
            figures = " | ".join(f"{n:,}" for n in (self.killed[name], *found))
            lines.append(f"| {words} | {figures} |")
        sums = [sum(self.found[name, verdict] for name in OPERATIONS) for verdict in VERDICTS]
        figures = " | ".join(f"{n:,}" for n in (self.killed.total(), *sums))
        lines.append(f"| **all** | {figures} |")
        return "\n".join(lines)

    # What is done and then looked at.

    def use(self, seed: int) -> None:
        """Kill while pictures are kept, judged, filed, decided and deleted."""
        before = self.known.copy()
        told = self._killed("use", lambda tell: deeds.use(self.archive(), before, seed, 6, tell))
        self._take_in(told)
        self._look_at_it(told)

    def backup(self, seed: int) -> None:
        """Kill while a backup is written over an older one."""
        target = self.folder / "backup"
        archive = self.archive()
        deeds.make_changes(archive, self.known, random.Random(seed), 3, lambda *told: None)
        archive.close()
        told = self._killed(
            "backup", lambda tell: deeds.bring_up_to_date(self.archive(), target, tell)
        )
        self._look_at_it([])
        if ["done", "backup"] in told:
            self._backed_up = True
        if self._backed_up:
            copy = EncryptedArchive(target, create=False)
            copy.unlock(PASSPHRASE)
            if ["done", "backup"] in told and set(copy.identifiers()) != set(self.known.actions):
                raise LostError("the backup does not hold what the archive does")
            see_whole(copy, but="belongs to no examination")
            copy.close()

    def restore(self, seed: int) -> None:
        """Kill while a backup is restored, and begin again where that is needed."""
        folder = self.folder / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        self._killed("restore", lambda tell: deeds.restore_backup(self.folder / "copied", folder))
        if not (folder / database.DATABASE_FILE).exists():
            deeds.restore_backup(self.folder / "copied", folder)
        self._see_all(EncryptedArchive(folder))

    def bring_over(self, seed: int) -> None:
        """Kill, twice, while plain files are brought over."""
        folder = self._fresh("plain")
        for _ in range(2):
            self._killed("import", lambda tell: deeds.bring_over(EncryptedArchive(folder)))
        archive = EncryptedArchive(folder)
        archive.open()
        assert all(archive.catch_up())
        if archive.identifiers() != self.names:
            raise LostError("not all was brought over")
        for name in self.names:
            if not np.array_equal(archive.read(name).image, FRAME.pixels):
                raise CorruptError(f"{name} is another picture")
        if list(folder.glob("0*")):
            raise CorruptError("plain files were left")
        see_whole(archive)
        archive.close()

    def migrate(self, seed: int) -> None:
        """Kill while a later release opens the archive for the first time."""
        folder = self._fresh("filled")
        deeds.forget_aid(EncryptedArchive(folder))
        self._killed("migration", lambda tell: deeds.migrate(EncryptedArchive(folder)))
        archive = EncryptedArchive(folder)
        with deeds.later_release():
            archive.open()
            assert archive.opened is not None
            tables = archive.opened.connection
            assert tables.execute("PRAGMA user_version").fetchone()[0] == len(database.MIGRATIONS)
            for table in ("examination", "patient"):
                query = f"SELECT count(*) FROM {table} WHERE length != length(record)"  # noqa: S608
                if tables.execute(query).fetchone() != (0,):
                    raise CorruptError(f"{table} is half migrated")
            if not database.has_aid(tables):
                raise CorruptError("the worklist by identifier is missing")
            self._see_all(archive)

    def set_pins(self, seed: int) -> None:
        """Kill while PINs are set, replaced and taken away."""
        folder = self._fresh("filled")
        told = self._killed(
            "pin", lambda tell: deeds.set_pins(EncryptedArchive(folder, pin_cost=CHEAP), tell)
        )
        archive = EncryptedArchive(folder)
        archive.open()
        if not any(self._opens(archive, step) for step in (len(told) + 1, len(told))):
            raise LostError("a PIN that was set does not open the records")
        self._see_all(archive)

    def keep_while_locked(self, seed: int) -> None:
        """Kill, twice, while pictures are kept behind the lock and taken in."""
        folder = self._fresh("locked")
        kept: set[str] = set()
        judged: set[str] = set()
        begun = 0
        for _ in range(2):
            told = self._killed(
                "locked", lambda tell: deeds.keep_while_locked(EncryptedArchive(folder), tell)
            )
            kept |= {words[2] for words in told if words[:2] == ["done", "keep"]}
            judged |= {words[2] for words in told if words[:2] == ["done", "complete"]}
            begun += sum(words == ["begin", "keep"] for words in told)
        archive = EncryptedArchive(folder)
        archive.unlock(deeds.PIN)
        assert all(archive.catch_up())
        found = set(archive.identifiers())
        if lost := kept - found:
            raise LostError(f"lost {lost}")
        if len(found) > begun:
            raise CorruptError("one came twice")
        for identifier in found:
            examination = archive.read(identifier)
            if not np.array_equal(examination.image, FRAME.pixels):
                raise CorruptError(f"{identifier} is another picture")
            if examination.record.finding is None and identifier in judged:
                raise LostError(f"{identifier}: its finding")
        if [path.name for path in (folder / "sealed").iterdir()] != ["public.key"]:
            raise CorruptError("what was taken in was left behind")
        if len(list(folder.rglob("*.picture"))) != len(found):
            raise CorruptError("pictures without an examination")
        see_whole(archive)
        archive.close()

    def export(self, seed: int) -> None:
        """Kill while an archive is taken out over what was taken out before."""
        kind = random.Random(seed).choice(list(outward.WRITERS))
        new = self.random.randrange(2)
        folder, archive = self.folder / f"out {kind}", self._fresh(("filled", "decided")[new])
        told = self._killed(
            f"export {kind}",
            lambda tell: outward.export(kind, EncryptedArchive(archive), folder, tell),
        )
        done = ["done", "exported"] in told
        versions, last = self.exports[kind], self._exported.get(kind, set())
        outward.see_export(kind, folder, versions, new, last, done)
        if done:
            self._exported[kind] = set(versions[new])
        left = EncryptedArchive(archive)
        left.open()
        if told and not any(entry.subject == kind for entry in left.trail()):
            raise LostError("the trail does not tell of an export")
        self._see_all(left)

    def send(self, seed: int) -> None:
        """Kill while examinations are decided, queued and sent."""
        folder = self._fresh("filled")
        told = self._killed(
            "queue",
            lambda tell: outward.send(EncryptedArchive(folder), folder / "state", seed, tell),
        )
        archive = EncryptedArchive(folder)
        archive.open()
        outward.see_queue(archive, folder / "state", told)
        see_whole(archive)
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
        with os.fdopen(reading, "rb") as pipe:
            told = [json.loads(line) for line in pipe.read().splitlines()]
        self._operation = kind
        if kind == "use":
            self._operation = told[-1][1] if told and told[-1][0] == "begin" else "between"
        if os.WIFSIGNALED(status):
            self.killed[self._operation] += 1
            # One that takes longer than others is killed later the next time.
            self.durations[kind] = usual * 1.02
        else:
            assert os.WEXITSTATUS(status) == 0, f"the program failed at {kind}"
            self.durations[kind] = 0.5 * usual + 0.5 * (time.monotonic() - began)
        return told

    def _opens(self, archive: EncryptedArchive, step: int) -> bool:
        """Tell whether the PINs are those that there are after so many changes of them."""
        pins: dict[str, str] = {}
        for name, pin in deeds.PINS[:step]:
            pins[name] = pin
            if not pin:
                del pins[name]
        if {holder.name for holder in archive.holders()} != set(pins):
            return False
        with contextlib.suppress(RecordError):
            for pin in pins.values():
                archive.unlock(pin)
            return True
        return False

    def _see_all(self, archive: EncryptedArchive) -> None:
        """See that an archive, made of a template, holds all of it, and close it."""
        if len(archive.identifiers()) != len(self.names):
            raise LostError("examinations are missing")
        see_whole(archive)
        archive.close()

    def _take_in(self, told: list[list[Any]]) -> None:
        for words in told:
            if words[0] == "done":
                self.known.apply(*words[1:])

    def _look_at_it(self, told: list[list[Any]]) -> None:
        archive = self.archive()
        under_way = told[-1][1:] if told and told[-1][0] == "begin" else [""]
        self._look_at_names(archive, under_way)
        for identifier, action in self.known.actions.items():
            examination = archive.read(identifier)
            if not np.array_equal(examination.image, FRAME.pixels):
                raise CorruptError(f"{identifier} is another picture")
            decision = examination.record.decision
            found = decision.action if decision else None
            if found != action:
                if under_way != ["decide", identifier, found]:
                    raise LostError(f"{identifier}: {found} instead of {action}")
                self.known.actions[identifier] = found
            if (examination.record.finding is not None) != (identifier in self.known.judged):
                if under_way != ["complete", identifier]:
                    raise LostError(f"{identifier}: its finding")
                self.known.judged.add(identifier)
            if (lesion := examination.record.lesion) != self.known.lesions[identifier]:
                if under_way != ["file", identifier, lesion]:
                    raise LostError(f"{identifier}: where it is filed")
                self.known.lesions[identifier] = lesion
        if len(list(archive.folder.rglob("*.picture"))) != len(self.known.actions):
            raise CorruptError("pictures without an examination")
        see_whole(archive)
        archive.close()

    def _look_at_names(self, archive: EncryptedArchive, under_way: list[Any]) -> None:
        """See that the examinations and patients are those that are known, or are to be."""
        kept = set(archive.identifiers())
        missing, new = set(self.known.actions) - kept, kept - set(self.known.actions)
        if under_way[0] == "keep" and len(new) == 1:
            (identifier,) = new
            self.known.apply("keep", identifier, archive.record(identifier).lesion)
            new = set()
        if missing and under_way[0] in ("delete", "delete patient"):
            self.known.apply(*under_way)
            missing = set(self.known.actions) - kept
            new = kept - set(self.known.actions)
        if missing:
            raise LostError(f"lost {missing}")
        if new:
            raise CorruptError(f"came back, or is half there: {new}")
        patients = {patient.key for patient in archive.patients(limit=1000).items}
        if under_way[0] == "delete patient" and under_way[1] not in patients:
            self.known.patients.pop(under_way[1], None)
        for key in patients - set(self.known.patients):
            # Told only once the lesion is there too.
            if under_way[0] != "add patient":
                raise CorruptError("a patient came back")
            archive.delete_patient(key)
        if not set(self.known.patients) <= patients:
            raise LostError("a patient is lost")

    def _begin_anew(self) -> None:
        for name in ("used", "backup", *(f"out {kind}" for kind in outward.WRITERS)):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.known = Known()
        self._backed_up = False
        self._exported: dict[str, set[str]] = {}

    def _fresh(self, name: str) -> Path:
        folder = self.folder / "trial"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder / name, folder)
        return folder

    def _make_templates(self) -> None:
        archive = EncryptedArchive(self.folder / "filled")
        lesion = archive.add_lesion(archive.add_patient("4711").key).key
        for _ in range(5):
            kept = archive.keep(FRAME, FINDING, [], None, lesion=lesion)
            archive.decide(kept, outward.decision(Code.NV))
        for error in back_up(archive, self.folder / "copied", PASSPHRASE, CHEAP):
            assert error is None
        archive.close()
        shutil.copytree(self.folder / "filled", self.folder / "decided")
        decided = EncryptedArchive(self.folder / "decided")
        for kept in decided.identifiers():
            decided.decide(kept, outward.decision(Code.MEL))
        decided.close()
        locked = EncryptedArchive(self.folder / "locked", pin_cost=CHEAP)
        locked.set_pin(Holder("A", Role.CLINICIAN), deeds.PIN)
        locked.close()
        self.names = [f"{number:06d}-20260102T030405Z-abcdef" for number in range(1, 6)]
        for name in self.names:
            write_plain(self.folder / "plain", name, FRAME.pixels)
        # What each export writes; and its libraries are loaded before anything is forked.
        self.exports = {
            kind: (self._exported_by(kind, "filled"), self._exported_by(kind, "decided"))
            for kind in outward.WRITERS
        }

    def _exported_by(self, kind: str, template: str) -> outward.Files:
        folder = self.folder / "as it should be" / template / kind
        outward.export(kind, EncryptedArchive(self._fresh(template)), folder, lambda *told: None)
        return outward.files_of(folder)


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
        # Stopped, it tells what it has found by then.
        with contextlib.suppress(KeyboardInterrupt):
            trials.run(options.count)
    print(
        f"{trials.killed.total()} killed of {trials.began} begun, seed {options.seed}, "
        f"{time.monotonic() - began:.0f} s\n\n{trials.table()}"
    )
    sys.exit(bool(trials.found))


if __name__ == "__main__":
    main()
