import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from device.errors import UnreachableError
from device.exchange import DicomPeer, Exchange
from device.frame import Frame, SourceKind
from device.inference.analyzer import Analyzer
from device.interop.gather import Source
from device.interop.outbox import Outbox
from device.interop.study import ExaminedLesion
from device.platform.clock import Clock
from device.records.access import Holder
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Role
from device.records.trail import entries
from device.runtime.sender import SENDING_FAILED, Sender
from tests.device.interop.studies import EQUIPMENT
from tests.device.records.conftest import CHEAP
from tests.device.scripted import until

EXCHANGE = Exchange(dicom=(DicomPeer(name="pacs", host="pacs", title="PACS"),))


class Instrument:
    """An archive, a sender in its thread, and a target that is there or not."""

    def __init__(self, folder: Path, frame: Frame, analyzer: Analyzer) -> None:
        self.folder = folder
        self.clock = Clock(speed=1000.0)
        self.archive = EncryptedArchive(folder / "records", self.clock, pin_cost=CHEAP)
        self.frame, self.finding = frame, analyzer.analyze(frame)
        self.error: Exception | None = None
        self.arrived: list[str] = []
        source = Source(
            self.archive, self.archive, analyzer.manifest.classes, EQUIPMENT, lambda: None
        )
        self.sender = Sender(
            folder / "state", self.archive, source, EXCHANGE, {"pacs": self.connect}, self.clock
        )
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.sender.run, args=(self.stop,))

    @contextmanager
    def connect(self) -> Iterator[Callable[[ExaminedLesion], None]]:
        if self.error is not None:
            raise self.error
        yield lambda one: self.arrived.append(one.examination.record.identifier)

    def keep(self) -> str:
        return self.archive.keep(self.frame, self.finding, [], None)

    def close(self) -> None:
        self.stop.set()
        if self.thread.is_alive():
            self.thread.join()
        self.archive.close()


@pytest.fixture
def instrument(
    tmp_path: Path, frames: tuple[Frame, ...], analyzer: Analyzer
) -> Iterator[Instrument]:
    made = Instrument(tmp_path, replace(frames[1], kind=SourceKind.CAMERA), analyzer)
    yield made
    made.close()


def test_what_is_kept_is_sent_and_the_trail_tells(instrument: Instrument) -> None:
    first = instrument.keep()
    instrument.thread.start()
    until(lambda: instrument.arrived == [first])
    second = instrument.keep()
    until(lambda: instrument.arrived == [first, second])
    assert instrument.sender.fault is None

    def told() -> list[str]:
        with instrument.archive.reading() as connection:
            return [e.subject for e in entries(connection) if e.event == "exported"]

    until(lambda: told() == [f"{first} to pacs", f"{second} to pacs"])


def test_target_that_cannot_be_reached_is_told_until_it_can(instrument: Instrument) -> None:
    instrument.error = UnreachableError(
        "{target} cannot be reached", action="check the network", detail="110", target="pacs"
    )
    names = [instrument.keep(), instrument.keep()]
    instrument.thread.start()
    until(lambda: instrument.sender.fault)
    assert instrument.sender.fault.text == (
        "Examinations that wait to be sent to pacs: 2. check the network"
    )
    assert instrument.sender.fault.detail == "110"
    instrument.error = None
    until(lambda: instrument.arrived == names)
    until(lambda: instrument.sender.fault is None)


def test_restart_goes_on_where_it_was(
    instrument: Instrument, tmp_path: Path, analyzer: Analyzer
) -> None:
    instrument.error = UnreachableError("gone")
    name = instrument.keep()
    instrument.thread.start()
    until(lambda: instrument.sender.fault)
    instrument.close()
    again = Instrument(tmp_path, instrument.frame, analyzer)
    again.archive.open()
    again.thread.start()
    until(lambda: again.arrived == [name])
    again.close()


def test_nothing_is_sent_or_said_while_the_records_are_locked(
    instrument: Instrument, caplog: pytest.LogCaptureFixture
) -> None:
    name = instrument.keep()
    instrument.archive.set_pin(Holder("Ana", Role.CLINICIAN), "111111")
    instrument.archive.lock()
    instrument.thread.start()
    before = instrument.clock.monotonic()
    until(lambda: instrument.clock.monotonic() - before > 300.0)
    assert (instrument.arrived, instrument.sender.fault, caplog.records) == ([], None, [])
    instrument.archive.unlock("111111")
    until(lambda: instrument.arrived == [name])


def test_fault_of_the_programs_own_is_told_without_its_words(
    instrument: Instrument, caplog: pytest.LogCaptureFixture
) -> None:
    instrument.error = ZeroDivisionError("MRN-4711")
    instrument.keep()
    instrument.thread.start()
    until(lambda: instrument.sender.fault)
    assert instrument.sender.fault.message == SENDING_FAILED
    assert "MRN-4711" not in instrument.sender.fault.technical
    with Outbox(instrument.folder / "state") as outbox:
        assert len(list(outbox.waiting())) == 1
