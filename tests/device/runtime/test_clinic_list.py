"""The clinic's worklist, asked while the instrument is used, of a real one on loopback."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from device.errors import DermascopeError
from device.exchange import DicomPeer
from device.interop.dicom_worklist import find_scheduled
from device.records.orders import Scheduled
from device.runtime.clinic_list import (
    FRESH_SECONDS,
    NOT_ASKED,
    Appointments,
    ClinicList,
    entries_of,
)
from tests.device.clocks import ManualClock
from tests.device.interop.peers import (
    LEFT_TO_PYTHON,
    archive,
    certificate,
    closed_port,
    garbage_is_collected_where_it_was_made,
    hang,
    listener,
    peer,
    server_context,
    trusting,
)
from tests.device.interop.test_dicom_worklist import entry
from tests.device.screen.record_states import APPOINTMENTS, SCHEDULED
from tests.device.scripted import until

pytestmark = LEFT_TO_PYTHON
_garbage = pytest.fixture(autouse=True, scope="module")(garbage_is_collected_where_it_was_made)


def asking(asked: DicomPeer, patience: float = 1.0) -> ClinicList:
    return ClinicList(asked.name, lambda day: find_scheduled(asked, day, patience), ManualClock())


def answered(clinic: ClinicList) -> Appointments:
    until(lambda: not clinic.said.asking)
    return clinic.said


class Counter:
    """Answers with one entry when it is let, and counts how often it was asked."""

    def __init__(self) -> None:
        self.days: list[date] = []
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None

    def __call__(self, day: date) -> tuple[Scheduled, ...]:
        self.days.append(day)
        assert self.go.wait(60)
        if self.error:
            raise self.error
        return (SCHEDULED,)


def test_clinic_is_asked_beside_whatever_else_is_done() -> None:
    with archive() as ris:
        ris.entries = [entry("LATE", "1500"), entry()]
        clinic = asking(peer(ris.port))
        assert clinic.said == Appointments()
        clinic.ask()
        said = answered(clinic)
    assert [one.identifier for one in said.entries] == ["MRN-4711", "LATE"]
    assert (said.heard, said.fault) == (ManualClock().now().astimezone(), None)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: archive(strict=True), "does not know the instrument, or refuses it"),
        (lambda: listener(hang), "does not answer"),
    ],
)
def test_why_the_clinic_does_not_answer_is_told_and_what_it_said_before_stays(
    made: Callable[[], object], told: str
) -> None:
    with made() as ill:
        clinic = asking(peer(getattr(ill, "port", ill)))
        clinic.ask()
        said = answered(clinic)
    assert told in said.fault.message
    assert (said.fault.values["target"], said.entries, said.heard) == ("pacs", (), None)


def test_certificate_that_is_not_trusted_and_a_port_that_is_closed_are_told(
    tmp_path: object,
) -> None:
    own, others = (certificate(tmp_path, name) for name in ("ris", "other"))
    with archive(tls=server_context(own)) as ris:
        clinic = asking(peer(ris.port, tls=trusting(others[0])))
        clinic.ask()
        assert "secured" in answered(clinic).fault.message
    clinic = asking(peer(closed_port()))
    clinic.ask()
    assert "cannot be reached" in answered(clinic).fault.message


def test_answer_is_shown_again_while_it_is_fresh_and_of_today() -> None:
    counter = Counter()
    clock = ManualClock()
    clinic = ClinicList("ris", counter, clock)
    for passed, asked in (
        (0.0, 1),
        (FRESH_SECONDS / 2, 1),
        (FRESH_SECONDS, 2),
        (86400.0, 3),
    ):
        clock.sleep(passed)
        clinic.look()
        answered(clinic)
        assert len(counter.days) == asked
    # Whoever wants a new one gets it.
    clinic.ask()
    answered(clinic)
    assert len(counter.days) == 4
    counter.error = DermascopeError("away")
    clinic.ask()
    said = answered(clinic)
    assert (said.entries, said.fault.message) == ((SCHEDULED,), "away")
    clinic.look()
    answered(clinic)
    assert len(counter.days) == 6
    # What another day's list said is no answer of today's.
    clock.sleep(86400.0)
    clinic.look()
    said = answered(clinic)
    assert (said.entries, said.heard) == ((), None)
    assert counter.days[0] < counter.days[-1]


def test_clinic_is_not_asked_twice_at_once() -> None:
    counter = Counter()
    counter.go.clear()
    clinic = ClinicList("ris", counter, ManualClock())
    clinic.ask()
    clinic.ask()
    assert clinic.said.asking
    counter.go.set()
    answered(clinic)
    assert len(counter.days) == 1


def test_answer_to_whoever_is_gone_is_forgotten() -> None:
    counter = Counter()
    counter.go.clear()
    clinic = ClinicList("ris", counter, ManualClock())
    clinic.ask()
    (asked,) = (thread for thread in threading.enumerate() if thread.name == "worklist")
    clinic.forget()
    assert clinic.said == Appointments()
    counter.go.set()
    asked.join()
    assert clinic.said == Appointments()
    clinic.ask()
    assert answered(clinic).entries == (SCHEDULED,)


def test_what_nobody_expects_is_told_and_not_what_it_is_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counter = Counter()
    counter.error = ZeroDivisionError("P-004711")
    clinic = ClinicList("ris", counter, ManualClock())
    clinic.ask()
    assert answered(clinic).fault.message == NOT_ASKED
    assert "P-004711" not in caplog.text + str(clinic.said.fault)


def test_entries_of_a_patient_are_those_of_today_whatever_the_capitals() -> None:
    today = APPOINTMENTS.heard.date()
    own, other = APPOINTMENTS.entries[:2]
    assert entries_of("p-004711", APPOINTMENTS, today) == (own,)
    # As a code would be read that the patient is looked for by.
    again = replace(own, identifier=" p-004711*", time="1500")
    beginning = replace(own, identifier="P-00471")
    said = replace(APPOINTMENTS, entries=(own, other, beginning, again))
    assert entries_of("p-004711", said, today) == (own, again)
    assert entries_of("p-004711", replace(said, asking=True), today) == (own, again)
    assert entries_of("p-004711", said, today + timedelta(days=1)) == ()
    assert entries_of("p-004711", Appointments(), today) == ()
