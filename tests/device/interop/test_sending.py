from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device.errors import (
    BusyError,
    ExportError,
    NotAllowedError,
    RecordError,
    RecordsLockedError,
    RefusedError,
    UnreachableError,
)
from device.interop.outbox import Outbox
from device.interop.sending import send_due
from device.interop.study import ExaminedLesion
from device.models.manifest import Manifest
from tests.device.interop.studies import examined

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@dataclass
class Target:
    """Where things are sent: takes what `takes` lets pass."""

    takes: Callable[[str], None] = lambda identifier: None
    connects: Callable[[], None] = lambda: None
    arrived: list[str] = field(default_factory=list)
    connected: int = 0

    @contextmanager
    def connect(self) -> Iterator[Callable[[ExaminedLesion], None]]:
        self.connected += 1
        self.connects()

        def send(one: ExaminedLesion) -> None:
            identifier = one.examination.record.identifier
            self.takes(identifier)
            self.arrived.append(identifier)

        yield send


class Clinic:
    """Three examinations in an archive, queued for one target."""

    def __init__(self, manifest: Manifest, folder: Path) -> None:
        every = [examined(manifest, number=n) for n in (1, 2, 3)]
        self.kept = {one.examination.record.identifier: one for one in every}
        self.names = list(self.kept)
        self.outbox = Outbox(folder)
        self.now = NOW
        self.queue("pacs")

    def queue(self, target: str) -> None:
        self.outbox.add(target, [(name, "v1") for name in self.kept], NOW)

    def find(self, identifier: str) -> ExaminedLesion | None:
        return self.kept.get(identifier)

    def send(self, target: Target) -> None:
        send_due(self.outbox, {"pacs": target.connect}, self.find, lambda: self.now)

    def refuse_first(self, identifier: str) -> None:
        if identifier == self.names[0]:
            raise RefusedError("refused")

    def waiting(self) -> list[tuple[str, int, str]]:
        return [
            (w.examination, w.attempts, w.fault.message if w.fault else "")
            for w in self.outbox.waiting()
        ]


@pytest.fixture
def clinic(manifest: Manifest, tmp_path: Path) -> Iterator[Clinic]:
    made = Clinic(manifest, tmp_path)
    yield made
    made.outbox.close()


def test_all_is_sent_once_through_one_connection(clinic: Clinic) -> None:
    target = Target()
    clinic.send(target)
    clinic.send(target)
    assert (target.arrived, target.connected, clinic.waiting()) == (clinic.names, 1, [])


def test_one_that_is_refused_holds_up_no_other(clinic: Clinic) -> None:
    target = Target(clinic.refuse_first)
    clinic.send(target)
    assert target.arrived == clinic.names[1:]
    assert clinic.waiting() == [(clinic.names[0], 1, "refused")]


def test_target_that_breaks_off_keeps_the_rest_waiting(clinic: Clinic) -> None:
    def takes(identifier: str) -> None:
        if identifier != clinic.names[0]:
            raise UnreachableError("gone")

    target = Target(takes)
    clinic.send(target)
    assert target.arrived == clinic.names[:1]
    first, *others = clinic.names[1:]
    assert clinic.waiting() == [(first, 1, "gone"), *((name, 0, "gone") for name in others)]
    clinic.send(target)
    assert target.connected == 1
    clinic.now += timedelta(minutes=2)
    target.takes = lambda identifier: None
    clinic.send(target)
    assert (sorted(target.arrived), clinic.waiting()) == (clinic.names, [])


def test_one_that_a_target_breaks_off_at_holds_up_no_other_for_long(clinic: Clinic) -> None:
    def takes(identifier: str) -> None:
        if identifier == clinic.names[0]:
            raise UnreachableError("HTTP 500")

    target = Target(takes)
    clinic.send(target)
    assert target.arrived == []
    clinic.now += timedelta(minutes=2)
    clinic.send(target)
    assert target.arrived == clinic.names[1:]
    assert clinic.waiting() == [(clinic.names[0], 2, "HTTP 500")]


def test_target_that_cannot_be_reached_keeps_all_waiting_and_stops_no_other(
    clinic: Clinic,
) -> None:
    def connects() -> None:
        raise UnreachableError("no route")

    clinic.queue("records")
    bad, good = Target(connects=connects), Target()
    targets = {"pacs": bad.connect, "records": good.connect}
    send_due(clinic.outbox, targets, clinic.find, lambda: NOW)
    assert good.arrived == clinic.names
    assert clinic.waiting() == [(name, 1, "no route") for name in clinic.names]


def test_target_that_is_busy_is_left_alone_for_as_long_as_it_asks(clinic: Clinic) -> None:
    def takes(identifier: str) -> None:
        raise BusyError("busy", seconds=1200)

    clinic.send(Target(takes))
    assert [w.due - NOW for w in clinic.outbox.waiting()] == [timedelta(minutes=20)] * 3


def test_missing_library_is_told_in_the_queue(clinic: Clinic) -> None:
    def connects() -> None:
        raise ExportError("not installed")

    clinic.send(Target(connects=connects))
    assert [fault for _, _, fault in clinic.waiting()] == ["not installed"] * 3


def test_examination_that_was_deleted_waits_no_more_and_a_damaged_one_does(
    clinic: Clinic,
) -> None:
    del clinic.kept[clinic.names[0]]

    def find(identifier: str) -> ExaminedLesion | None:
        if identifier == clinic.names[1]:
            raise RecordError("damaged")
        return clinic.find(identifier)

    target = Target()
    send_due(clinic.outbox, {"pacs": target.connect}, find, lambda: NOW)
    assert target.arrived == clinic.names[2:]
    assert clinic.waiting() == [(clinic.names[1], 1, "damaged")]


def test_what_arrives_is_told(clinic: Clinic) -> None:
    told = []
    targets = {"pacs": Target(takes=clinic.refuse_first).connect}
    send_due(clinic.outbox, targets, clinic.find, lambda: NOW, lambda *what: told.append(what))
    assert told == [(name, "pacs") for name in clinic.names[1:]]


def test_nothing_is_crossed_off_that_the_trail_does_not_know_of(clinic: Clinic) -> None:
    def arrived(identifier: str, target: str) -> None:
        if identifier == clinic.names[0]:
            raise RecordError("the disk is full")

    target = Target()
    send_due(clinic.outbox, {"pacs": target.connect}, clinic.find, lambda: NOW, arrived)
    assert clinic.waiting() == [(clinic.names[0], 1, "the disk is full")]


@pytest.mark.parametrize("error", [RecordsLockedError, NotAllowedError])
def test_records_that_are_locked_meanwhile_are_no_failure(
    clinic: Clinic, error: type[RecordError]
) -> None:
    def find(identifier: str) -> ExaminedLesion | None:
        if identifier == clinic.names[1]:
            raise error("locked")
        return clinic.find(identifier)

    target = Target()
    with pytest.raises(error):
        send_due(clinic.outbox, {"pacs": target.connect}, find, lambda: NOW)
    assert clinic.waiting() == [(name, 0, "") for name in clinic.names[1:]]
