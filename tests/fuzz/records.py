"""Odd and damaged records by the thousand: what is read, what is refused, and what is hidden by it.

``python -m tests.fuzz.records --count 10000`` prints its table of ``docs/robustness.md``.
"""

import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec
import numpy as np

# Before anything imports pygame.
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

from pygame import Surface

from device.capture.demo import SCENES, demo_frame
from device.errors import RecordError
from device.frame import Frame, SourceKind
from device.imaging.field_of_view import FieldOfView
from device.inference.finding import from_record
from device.records.encrypted_archive import EncryptedArchive
from device.records.listing import WorkKind
from device.records.model import Examination, ExaminationRecord
from device.runtime.recent import RecentPictures
from device.screen.display import close_screen, open_offscreen
from device.screen.renderer import Renderer
from device.screen.view import LiveView
from tests.device.models.two_networks import shipped_bundle
from tests.device.records.plain import VERSION_2, write_plain
from tests.fuzz.files import damaged
from tests.fuzz.odd_values import WAYS, changed
from tests.fuzz.outcomes import SEED, Outcome, attempts, options, table

NAMES: Final = [f"{number:06d}-20260102T030405Z-abcdef" for number in (1, 2, 3)]

_SIZE: Final = (800, 480)


@dataclass
class Ground:
    """What is damaged.

    Attributes
    ----------
    folder
        Holds the examinations of earlier releases, ``plain``, and an archive, ``kept``.
    trial
        A copy of either.
    frame
        The picture of every examination.
    renderer
        Draws what is read.
    """

    folder: Path
    frame: Frame
    renderer: Renderer

    @property
    def trial(self) -> Path:
        return self.folder / "trial"

    def copy(self, name: str) -> Path:
        """Return a fresh copy of what is attacked."""
        shutil.rmtree(self.trial, ignore_errors=True)
        shutil.copytree(self.folder / name, self.trial)
        return self.trial


Attack = Callable[[Ground, random.Random], None]


def _values_of_plain(ground: Ground, chance: random.Random) -> None:
    folder = ground.copy("plain")
    path = folder / NAMES[1] / "examination.json"
    odd = changed(json.loads(path.read_bytes()), chance.choice(WAYS), chance)
    path.write_text(json.dumps(odd))
    _bring_over(ground, folder)


def _file_of_plain(name: str) -> Attack:
    def attack(ground: Ground, chance: random.Random) -> None:
        folder = ground.copy("plain")
        path = folder / NAMES[1] / name
        path.write_bytes(damaged(path.read_bytes(), chance))
        _bring_over(ground, folder)

    return attack


def _values_in_archive(ground: Ground, chance: random.Random) -> None:
    folder = ground.copy("kept")
    archive = EncryptedArchive(folder)
    with contextlib.closing(archive):
        archive.open()
        assert archive.opened is not None
        tables = archive.opened.connection
        identifier = archive.identifiers()[1]
        (content,) = tables.execute(
            "SELECT record FROM examination WHERE identifier = ?", (identifier,)
        ).fetchone()
        odd = changed(json.loads(content), chance.choice(WAYS), chance)
        tables.execute(
            "UPDATE examination SET record = ? WHERE identifier = ?",
            (json.dumps(odd).encode(), identifier),
        )
        _look(ground, archive, but=identifier)


def _file_of_archive(pattern: str) -> Attack:
    def attack(ground: Ground, chance: random.Random) -> None:
        folder = ground.copy("kept")
        path = chance.choice(sorted(folder.rglob(pattern)))
        path.write_bytes(damaged(path.read_bytes(), chance))
        archive = EncryptedArchive(folder)
        with contextlib.closing(archive):
            _look(ground, archive)

    return attack


ATTACKS: Final[dict[str, Attack]] = {
    "plain, odd values": _values_of_plain,
    "plain, its record damaged": _file_of_plain("examination.json"),
    "plain, its picture damaged": _file_of_plain("image.png"),
    "archive, odd values": _values_in_archive,
    "archive, its tables damaged": _file_of_archive("archive.db"),
    "archive, a picture damaged": _file_of_archive("*.picture"),
    "archive, its keyring damaged": _file_of_archive("keyring.json"),
    "archive, its key damaged": _file_of_archive("archive.key"),
}


def attack(count: int, seed: int = SEED) -> dict[str, Outcome]:
    """Read odd and damaged records as the instrument does, and return what came of them.

    Parameters
    ----------
    count
        How many, over all kinds.
    seed
        Of the damage.

    Raises
    ------
    Exception
        Whatever is not a `RecordError` of one line, or if one hides another: the attack has
        succeeded.
    """
    chance = random.Random(seed)
    memory = Path("/dev/shm")  # noqa: S108
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(
            tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        )
        open_offscreen(_SIZE)
        opened.callback(close_screen)
        ground = _ground(Path(folder))

        def prepared(kind: str, number: int) -> Callable[[], None]:
            return partial(ATTACKS[kind], ground, chance)

        return attempts(count, seed, tuple(ATTACKS), prepared, RecordError)


def _ground(folder: Path) -> Ground:
    frame = replace(demo_frame(SCENES[0]), kind=SourceKind.CAMERA)
    frame = replace(frame, pixels=np.ascontiguousarray(frame.pixels[::8, ::8]))
    field = FieldOfView(0, 0, min(frame.pixels.shape[:2]))
    said = msgspec.json.decode(VERSION_2.read_bytes(), type=ExaminationRecord).finding
    assert said is not None
    for name in NAMES:
        write_plain(folder / "plain", name, frame.pixels)
    archive = EncryptedArchive(folder / "kept")
    lesion = archive.add_lesion(archive.add_patient("4711").key).key
    for _ in NAMES:
        archive.keep(frame, from_record(said, field), ["melanoma-0.90"], None, lesion=lesion)
    archive.close()
    return Ground(folder, frame, Renderer(_SIZE, shipped_bundle("multicentre").manifest))


def _bring_over(ground: Ground, folder: Path) -> None:
    archive = EncryptedArchive(folder)
    with contextlib.closing(archive):
        archive.open()
        brought = list(archive.catch_up())
        _look(ground, archive)
        if not all(brought):
            # It is told, and stays where it is.
            kept = {name for name in NAMES if (folder / name).is_dir()}
            if kept != {NAMES[1]}:
                raise AssertionError(f"{kept} are left of three, of which one was damaged")
            raise RecordError("one is damaged")


def _look(ground: Ground, archive: EncryptedArchive, but: str | None = None) -> None:
    """Read all that is in an archive and draw it; all but one must be readable."""
    identifiers = archive.identifiers()
    archive.room()
    archive.patients()
    archive.examinations()
    for work in WorkKind:
        archive.worklist(work, date(2026, 3, 1))
    recent = RecentPictures()
    failure = None
    for identifier in identifiers:
        try:
            examination = archive.read(identifier)
            archive.thumbnail(identifier)
        except RecordError as error:
            if but is not None and identifier != but:
                raise AssertionError(f"{but} hides {identifier}: {error}") from error
            failure = error
            continue
        recent.add_older(examination)
        _draw(ground, examination)
    if failure is not None:
        raise failure


def _draw(ground: Ground, examination: Examination) -> None:
    record: Any = examination.record
    if record.finding is None:
        return
    finding = from_record(record.finding, record.field_of_view)
    view = LiveView(
        examination.image, finding, clock=record.taken, source="demo", frozen=record.taken
    )
    ground.renderer.draw(Surface(_SIZE), view)


def main() -> None:
    """Attack as often as the command line says, and print the table."""
    told = options(__doc__, 10_000)
    cv2.setNumThreads(1)
    outcomes = attack(told.count, told.seed)
    sys.stdout.write(table(outcomes, "what is damaged", "records", "read") + "\n")


if __name__ == "__main__":
    main()
