"""Exports and the queue of what is sent, as `tests.device.records.kill` interrupts them."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from device.config import Config
from device.diagnoses import Code
from device.errors import RecordError, RefusedError, UnreachableError
from device.exchange import DicomPeer, Exchange, FhirServer
from device.interop.dicom_folder import INDEX, export_dicom
from device.interop.gather import Source, find, gather
from device.interop.outbox import Outbox
from device.interop.page_folder import export_pages
from device.interop.sending import Connect, Send, send_due
from device.interop.sheet import Paper
from device.interop.study import ExaminedLesion
from device.interop.tables import export_csv
from device.interop.targets import queue
from device.interop.training_pictures import export_training
from device.language import Language
from device.models.chosen import open_bundle
from device.models.manifest import DiagnosisClass
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Action, Decision, Role
from device.records.trail import Event
from tests.device.interop.studies import EQUIPMENT
from tests.device.records.kill_deeds import Tell
from tests.device.records.verdicts import CorruptError, LostError

Files = dict[str, bytes]
"""What an export wrote, by the files' names."""

WRITERS: dict[str, Callable[[Iterable[ExaminedLesion], Path], int]] = {
    "DICOM": export_dicom,
    "pages": lambda every, folder: export_pages(every, folder, Language.ENGLISH, Paper.A4),
    "training": export_training,
    "table": lambda every, folder: export_csv(every, folder / "table.csv"),
}
"""Every kind of export."""

_INDEXES = {"DICOM": INDEX, "training": "images.csv"}
"""What tells of the other files, and is written after them."""

_EXCHANGE = Exchange(
    dicom=(DicomPeer(name="pacs", host="pacs", title="PACS"),),
    fhir=(FhirServer(name="records", url="https://records/fhir", patients="https://mrn"),),
)
_TARGETS = ("pacs", "records")
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def decision(diagnosis: Code) -> Decision:
    return Decision(
        decided=_BEGAN, role=Role.CLINICIAN, action=Action.EXCISE, diagnosis=diagnosis, note="words"
    )


@cache
def classes() -> tuple[DiagnosisClass, ...]:
    return open_bundle(Config()).manifest.classes


def _source(archive: EncryptedArchive) -> Source:
    return Source(archive, archive, classes(), EQUIPMENT, lambda: None)


# Exports.


def export(kind: str, archive: EncryptedArchive, folder: Path, tell: Tell) -> None:
    """Take an archive out, as the command does, and tell of each step."""

    def fail(error: RecordError) -> None:
        raise error

    archive.note_export(kind)
    tell("done", "noted")
    WRITERS[kind](gather(_source(archive), fail), folder)
    tell("done", "exported")
    archive.close()


def files_of(folder: Path) -> Files:
    """Return the files in a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def see_export(
    kind: str, folder: Path, versions: tuple[Files, Files], new: int, last: set[str], done: bool
) -> None:
    """See what an interrupted export left.

    Parameters
    ----------
    versions
        What exports write whole, of the archive as it was before and after.
    new
        Which of them was written.
    last
        The files that were there after the last export that was done.
    done
        Whether this one was acknowledged.
    """
    found = files_of(folder)
    unfinished = {name for name in found if name.endswith(".part")}
    for name in set(found) - unfinished:
        if found[name] not in (version.get(name) for version in versions):
            raise CorruptError(f"{kind}: {name} is half there")
    index = _INDEXES.get(kind, "")
    if done:
        if unfinished:
            raise CorruptError(f"{kind}: {unfinished} were left behind")
        if any(found.get(name) != content for name, content in versions[new].items()):
            raise LostError(f"{kind}: not all of it is there")
    elif lost := last - set(found) - {INDEX}:
        raise LostError(f"{kind}: {lost} were there before")
    if index in found and not any(
        found[index] == version[index]
        and all(found.get(name) == content for name, content in version.items())
        for version in versions
    ):
        raise CorruptError(f"{kind}: the index does not fit what is there")


# The queue.


def send(archive: EncryptedArchive, folder: Path, seed: int, tell: Tell) -> None:
    """Decide, delete, queue and send, with targets that refuse some, and tell of each step."""
    chance = random.Random(seed)
    now = _BEGAN
    with Outbox(folder) as outbox:
        names = archive.identifiers()
        for _ in range(4):
            deed = chance.choice(["decide", "decide", "delete", "nothing"])
            name = chance.choice(names)
            if deed == "decide":
                tell("begin", "decide", name)
                archive.decide(name, decision(chance.choice(list(Code))))
                tell("done", "decide", name)
            elif deed == "delete" and len(names) > 2:
                tell("begin", "delete", name)
                archive.delete_examination(name)
                names.remove(name)
                tell("done", "delete", name)
            now += timedelta(hours=2)
            queue(outbox, archive, _EXCHANGE, now)
            send_due(
                outbox,
                {target: _connect(target, chance, tell) for target in _TARGETS},
                lambda name: find(_source(archive), name),
                lambda now=now: now,
                archive.note_sent,
            )
            tell("round", [(one.target, one.examination) for one in outbox.waiting()])
    archive.close()


def _connect(target: str, chance: random.Random, tell: Tell) -> Connect:
    @contextmanager
    def connect() -> Iterator[Send]:
        if chance.random() < 0.2:
            raise UnreachableError("gone")

        def send(examined: ExaminedLesion) -> None:
            if chance.random() < 0.3:
                raise RefusedError("refused")
            tell("arrived", target, examined.examination.record.identifier)

        yield send

    return connect


def see_queue(archive: EncryptedArchive, folder: Path, told: list[list[Any]]) -> None:
    """See that the queue holds all that changed and was not sent, and nothing else.

    What arrived and was not crossed off may be sent again; the trail knows of all that is not.
    """
    names = archive.identifiers()
    # What is sure to wait, what may, and what was deleted meanwhile.
    owed = {(target, name) for name in names for target in _TARGETS}
    unsure: set[tuple[str, str]] = set()
    for words in told:
        match words:
            case ["arrived", target, name]:
                owed.discard((target, name))
                unsure.add((target, name))
            case ["begin", "decide", name]:
                unsure |= {(target, name) for target in _TARGETS}
            case ["done", "decide", name]:
                owed |= {(target, name) for target in _TARGETS}
            case ["round", waiting]:
                # By now it is known what was crossed off.
                owed, unsure = {(target, name) for target, name in waiting}, set()
    with Outbox(folder) as outbox:
        queue(outbox, archive, _EXCHANGE, _BEGAN + timedelta(days=1))
        waiting = {(one.target, one.examination) for one in outbox.waiting()}
    kept = {(target, name) for name in names for target in _TARGETS}
    if lost := (owed & kept) - waiting - unsure:
        raise LostError(f"the queue lost {lost}")
    if again := (waiting & kept) - owed - unsure:
        raise CorruptError(f"the queue holds {again}, which was sent")
    sent = {entry.subject for entry in archive.trail() if entry.event == Event.EXPORTED}
    if unknown := {f"{n} to {t}" for t, n in kept - waiting} - sent:
        raise LostError(f"the trail does not tell that {unknown} was sent")
