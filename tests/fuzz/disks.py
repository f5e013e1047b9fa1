"""Disks in every state that a clinic finds them in, and what the instrument says of each.

``python -m tests.fuzz.disks`` prints its table of ``docs/robustness.md``. Run it as root: disks in
memory are mounted where nobody else sees them.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2
import msgspec
import numpy as np

from device.capture.demo import SCENES, demo_frame
from device.errors import ConfigError, RecordError, ScreenError
from device.frame import SourceKind
from device.imaging.field_of_view import FieldOfView
from device.inference.finding import from_record
from device.optics import Optics, save_optics
from device.preferences import Preferences, save_preferences
from device.records.encrypted_archive import EncryptedArchive
from device.records.model import ExaminationRecord
from device.records.patients import Action, Decision, Role
from device.records.verification import verify
from tests.device.records.plain import VERSION_2
from tests.fuzz.outcomes import peak

ALLOWED: Final = (
    subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0
)
"""Whether disks may be mounted here."""

NOBODY: Final = 65534
WORKS: Final = "works"
REASONS: Final = (
    "No space left on device",
    "disk is full",
    "Read-only file system",
    "Permission denied",
    "folder is not there",
)

FRAME = replace(demo_frame(SCENES[0]), kind=SourceKind.CAMERA)
FRAME = replace(FRAME, pixels=np.ascontiguousarray(FRAME.pixels[::4, ::4]))

_RECORD = msgspec.json.decode(VERSION_2.read_bytes(), type=ExaminationRecord)
assert _RECORD.finding is not None
FINDING = from_record(_RECORD.finding, FieldOfView(0, 0, min(FRAME.pixels.shape[:2])))
DECISION = Decision(
    decided=datetime(2026, 1, 1, tzinfo=UTC), role=Role.CLINICIAN, action=Action.FOLLOW_UP,
    due=date(2026, 2, 1),
)  # fmt: skip


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def _fill(stick: Path) -> None:
    with contextlib.suppress(OSError), (stick / "filling").open("wb") as file:
        while True:
            file.write(b"\0" * 4096)
            file.flush()


def _use_up_inodes(stick: Path) -> None:
    with contextlib.suppress(OSError):
        for number in range(100_000):
            (stick / f"filling-{number}").touch()


@dataclass(frozen=True)
class State:
    """What is the matter with a disk.

    Attributes
    ----------
    begin
        Brings it about; given where the disk is mounted.
    end
        Mends it.
    as_nobody
        Whether the program has no privilege.
    let_go
        Whether the program must let go of its files first: the kernel makes no disk read-only
        that is being written to.
    """

    begin: Callable[[Path], None]
    end: Callable[[Path], None]
    as_nobody: bool = False
    let_go: bool = False


def _nothing(stick: Path) -> None:
    """Leave it as it is."""


def _empty(stick: Path) -> None:
    for path in stick.glob("filling*"):
        path.unlink()


def _away(stick: Path) -> None:
    (stick / "records").rename(stick / "elsewhere")


def _back(stick: Path) -> None:
    (stick / "elsewhere").rename(stick / "records")


STATES: Final[dict[str, State]] = {
    "sound": State(_nothing, _nothing),
    "full": State(_fill, _empty),
    "out of inodes": State(_use_up_inodes, _empty),
    "read-only": State(
        lambda stick: _mount("-o", "remount,ro", str(stick)),
        lambda stick: _mount("-o", "remount,rw", str(stick)),
        let_go=True,
    ),
    "taken out": State(
        lambda stick: _mount("--move", str(stick), str(stick.with_name("hand"))),
        lambda stick: _mount("--move", str(stick.with_name("hand")), str(stick)),
    ),
    "its folder gone": State(_away, _back),
    "its folder another's": State(_nothing, _nothing, as_nobody=True),
}


class Clinic:
    """An instrument whose records lie on a disk, with an examination from before."""

    def __init__(self, stick: Path) -> None:
        self.folder, self.state = stick / "records", stick / "state"
        self.folder.mkdir(mode=0o700)
        self.state.mkdir(mode=0o700)
        self.archive = EncryptedArchive(self.folder, create=False)
        self.kept = [self.archive.keep(FRAME, None, [], None)]
        self.judged: list[str] = []
        self.decided: list[str] = []

    def deeds(self) -> dict[str, Callable[[], None]]:
        """Return what is done, in this order."""
        return {
            "list": self._list,
            "keep a picture": self._keep,
            "its finding": self._complete,
            "a decision": self._decide,
            "settings": self._set,
            "scale": self._calibrate,
        }

    def _list(self) -> None:
        for identifier in self.archive.identifiers():
            self.archive.read(identifier)

    def _keep(self) -> None:
        self.kept.append(self.archive.keep(FRAME, None, [], None))

    def _complete(self) -> None:
        self.archive.complete(self.kept[-1], FINDING, [], None)
        self.judged.append(self.kept[-1])

    def _decide(self) -> None:
        self.archive.decide(self.kept[-1], DECISION)
        self.decided.append(self.kept[-1])

    def _set(self) -> None:
        save_preferences(self.state, Preferences())

    def _calibrate(self) -> None:
        now = datetime.now(UTC)
        save_optics(self.state, Optics(mm_per_pixel=0.01, width=640, height=480, calibrated=now))

    def check(self) -> None:
        """See, once the disk is sound again, that all that was acknowledged is there, and whole."""
        self.archive.close()
        archive = EncryptedArchive(self.folder, create=False)
        if archive.identifiers() != self.kept:
            raise AssertionError(f"kept {self.kept}, found {archive.identifiers()}")
        for identifier in self.kept:
            read = archive.read(identifier)
            if not np.array_equal(read.image, FRAME.pixels):
                raise AssertionError(f"{identifier} is another picture")
            if identifier in self.judged and read.record.finding is None:
                raise AssertionError(f"the finding of {identifier} is lost")
            if identifier in self.decided and read.record.decision is None:
                raise AssertionError(f"the decision on {identifier} is lost")
        if wrong := [told for told in verify(archive) if told is not None]:
            raise AssertionError(wrong)
        archive.keep(FRAME, FINDING, [], None)
        archive.close()


@contextlib.contextmanager
def _as_nobody(state: State) -> Iterator[None]:
    if state.as_nobody:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if state.as_nobody:
            os.seteuid(0)


def attack() -> dict[str, dict[str, str]]:
    """Return, by state of the disk, what came of each deed; to be called where one may mount.

    Raises
    ------
    Exception
        Whatever is not an error of one line, or if something that was acknowledged is not there
        once the disk is sound again: the attack has succeeded.
    """
    table: dict[str, dict[str, str]] = {}
    for name, state in STATES.items():
        for when in ("before the start", "while it runs"):
            with TemporaryDirectory() as folder:
                stick = Path(folder, "stick")
                for made in (stick, stick.with_name("hand")):
                    made.mkdir()
                Path(folder).chmod(0o755)
                _mount("-t", "tmpfs", "-o", "size=16m,nr_inodes=200", "none", str(stick))
                try:
                    row = _attack(Clinic(stick), stick, state, at_start=when == "before the start")
                finally:
                    for path in (stick, stick.with_name("hand")):
                        subprocess.run(["umount", path], capture_output=True, check=False)
            table[f"{name}, {when}"] = row
    return table


def _attack(clinic: Clinic, stick: Path, state: State, *, at_start: bool) -> dict[str, str]:
    row = {}
    if at_start or state.let_go:
        clinic.archive.close()
    state.begin(stick)
    if at_start:
        clinic.archive = EncryptedArchive(clinic.folder, create=False)
    start = time.monotonic()
    with _as_nobody(state):
        for deed, do in clinic.deeds().items():
            try:
                do()
            except (RecordError, ConfigError, ScreenError) as error:
                words = str(error)
                if len(words.splitlines()) != 1:
                    raise AssertionError(f"told in several lines: {words}") from error
                row[deed] = words.replace(str(stick), "")
            else:
                row[deed] = WORKS
    row["longest"] = f"{1000 * (time.monotonic() - start):.0f} ms"
    clinic.archive.close()
    state.end(stick)
    clinic.check()
    return row


def _why(told: str) -> str:
    """Return the system's reason in a message, or else what is wrong."""
    return next((r for r in REASONS if r in told), told.partition(": ")[2].partition(";")[0])


def main() -> None:
    """Attack, and print the table."""
    if os.environ.get("DERMASCOPE_OWN_MOUNTS") != "1":
        if not ALLOWED:
            sys.exit("Disks are mounted for this: run it as root.")
        environment = os.environ | {"DERMASCOPE_OWN_MOUNTS": "1"}
        arguments = ["unshare", "--mount", sys.executable, "-m", "tests.fuzz.disks"]
        sys.exit(subprocess.run(arguments, env=environment, check=False).returncode)
    cv2.setNumThreads(1)
    table = attack()
    lines = ["| the disk is | works | refused in one line | why | longest |", "| --- " * 5 + "|"]
    for state, row in table.items():
        longest = row.pop("longest")
        works = ", ".join(deed for deed, told in row.items() if told == WORKS)
        refused = {deed: told for deed, told in row.items() if told != WORKS}
        why = "; ".join(sorted({_why(told) for told in refused.values()}))
        lines.append(f"| {state} | {works} | {', '.join(refused)} | {why} | {longest} |")
    sys.stdout.write("\n".join(lines))
    sys.stdout.write(f"\n\n{len(table)} disks, one process; its peak was {peak()} MiB.\n")


if __name__ == "__main__":
    main()
