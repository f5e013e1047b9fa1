"""What the recorder lays on the desk for what the screen asks of the records."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from device.anatomy import BodySite, BodySpot, BodyView, Laterality
from device.capture.demo import SCENES, demo_frame
from device.faults import Fault
from device.frame import Frame, SourceKind
from device.imaging.field_of_view import FieldOfView
from device.imaging.registration import Refusal, Registration
from device.records.access import Holder
from device.records.encrypted_archive import EncryptedArchive
from device.records.listing import WorkKind
from device.records.model import PictureKind
from device.records.orders import Order
from device.records.patients import Action, Decision, Key, Role
from device.runtime.casework import MOST_MATCHES, NO_IDENTIFIER, NOT_KEPT_YET, WORK_ROWS, Casework
from device.runtime.desk import Desk, Matches
from device.runtime.messages import Shot
from device.runtime.requests import (
    AddPatient,
    Appoint,
    ChangePatient,
    ClosePatient,
    CompareVisits,
    Decide,
    DeletePatient,
    FileExamination,
    Filing,
    FindPatient,
    ListSeen,
    Lock,
    MoveLesion,
    NewLesion,
    OpenLesion,
    OpenPicture,
    OpenScheduled,
    OpenWork,
    Request,
    Unlock,
)
from tests.device.clocks import ManualClock
from tests.device.inference.test_likeness import lesions as likenesses
from tests.device.records.conftest import CHEAP
from tests.device.screen.findings import make_finding
from tests.device.screen.record_states import SCHEDULED

SPOT = BodySpot(BodyView.BACK, 0.4, 0.25, BodySite.UPPER_BACK, Laterality.LEFT)


class Desktop:
    """Casework on an archive of its own, and what lies on the desk."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.archive = EncryptedArchive(folder, self.clock, pin_cost=CHEAP)
        self.archive.open()
        self.work = Casework(self.archive, self.clock)

    @property
    def desk(self) -> Desk:
        return self.work.desk.peek()

    def ask(self, request: Request) -> Desk:
        self.work.do(request)
        assert self.desk.answered is request
        return self.desk

    def picture(self, scene: int = 3, days_ago: float = 0.0, **filed: object) -> str:
        frame = demo_frame(SCENES[scene])
        time = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=days_ago)
        frame = Frame(
            np.ascontiguousarray(frame.pixels[::2, ::2]), time, 0, "camera", SourceKind.CAMERA
        )
        return self.archive.keep(frame, None, (), None, **filed)

    def lesion(self, identifier: str = "P-1") -> Key:
        self.ask(AddPatient(identifier))
        return self.archive.add_lesion(self.desk.patient.key, SPOT).key


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Desktop]:
    desktop = Desktop(tmp_path / "examinations")
    yield desktop
    desktop.archive.close()


def decision(action: Action = Action.NOTHING, **more: object) -> Decision:
    return Decision(
        decided=datetime(2026, 1, 1, tzinfo=UTC), role=Role.CLINICIAN, action=action, **more
    )


def test_patient_is_found_whatever_the_capitals_and_an_unknown_one_is_told(it: Desktop) -> None:
    it.ask(AddPatient("P-1", birth_year=1961, sex="female", phototype=2))
    assert it.desk.patient.birth_year == 1961
    it.ask(ClosePatient())
    assert it.desk.patient is None
    assert it.ask(FindPatient("p-1")).patient.identifier == "P-1"
    desk = it.ask(FindPatient("P-2"))
    assert (desk.patient, desk.unknown, desk.fault) == (None, "P-2", None)
    assert it.ask(FindPatient("P-1")).unknown == ""


def test_patient_of_the_clinics_list_is_opened_and_added_where_that_is_nobodys(
    it: Desktop,
) -> None:
    desk = it.ask(OpenScheduled(SCHEDULED))
    patient = desk.patient
    assert (patient.identifier, patient.birth_year, patient.sex) == ("P-004711", 1961, "female")
    assert (patient.name, desk.scheduled) == ("", SCHEDULED)
    # Whoever is known stays as known.
    other = replace(SCHEDULED, identifier="p-004711", birth_year=1958)
    desk = it.ask(OpenScheduled(other, named=True))
    assert (desk.patient, desk.scheduled) == (patient, other)
    named = it.ask(OpenScheduled(replace(SCHEDULED, identifier="Q  1"), named=True)).patient
    # As its code would be read.
    assert (named.identifier, named.name) == ("Q 1", "Núñez, María")
    refused = it.ask(OpenScheduled(replace(SCHEDULED, identifier="***")))
    assert (refused.fault.message, refused.patient) == (NO_IDENTIFIER, named)


def test_order_goes_with_its_patient_and_comes_back_with_what_the_lock_interrupted(
    it: Desktop,
) -> None:
    other = it.lesion("P-2")
    own = it.archive.add_lesion(it.ask(OpenScheduled(SCHEDULED)).patient.key, SPOT).key
    kept = (OpenLesion(own), Decide(it.picture(lesion=own), decision()), OpenWork(None))
    for request in kept:
        assert it.ask(request).scheduled == SCHEDULED
    for request in (ClosePatient(), FindPatient("P-2"), AddPatient("P-3"), OpenLesion(other)):
        it.ask(OpenScheduled(SCHEDULED))
        assert it.ask(request).scheduled is None
    desk = it.ask(OpenLesion(own, SCHEDULED))
    assert (desk.patient.identifier, desk.scheduled) == (SCHEDULED.identifier, SCHEDULED)
    it.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), "471100")
    assert it.ask(Lock()).scheduled is None


def test_order_of_whoever_is_open_is_taken_up_and_answers_nothing(it: Desktop) -> None:
    first, second = (it.ask(AddPatient(name)).patient.key for name in ("P-1", "P-2"))
    before = it.ask(AddPatient("p-1"))
    it.work.appoint(Appoint(first, SCHEDULED))
    assert it.desk is before
    it.work.appoint(Appoint(second, SCHEDULED))
    # What was asked for last is still to be told of.
    assert before.fault is not None
    assert (it.desk.scheduled, it.desk.fault, it.desk.answered) == (
        SCHEDULED, before.fault, before.answered,
    )  # fmt: skip
    # The one that was taken up first, or chosen, stays.
    it.work.appoint(Appoint(second, replace(SCHEDULED, time="1500")))
    assert it.desk.scheduled == SCHEDULED


def test_orders_that_something_was_kept_for_today_are_listed(it: Desktop) -> None:
    lesion = it.lesion()
    orders = [Order(study_uid=f"1.2.{number}", step="S1") for number in range(4)]
    today = (datetime(2026, 1, 1, tzinfo=UTC) - it.clock.now()) / timedelta(days=1)
    it.picture(lesion=lesion, order=orders[0], days_ago=today + 1.0)
    it.picture(lesion=lesion, order=orders[1], days_ago=today)
    second = msgspec.structs.replace(orders[1], step="S2")
    it.picture(lesion=lesion, order=second, days_ago=today)
    it.picture(lesion=lesion, days_ago=today)
    deleted = it.picture(lesion=lesion, order=orders[2], days_ago=today)
    assert it.ask(ListSeen()).seen == {("1.2.1", "S1"), ("1.2.1", "S2"), ("1.2.2", "S1")}
    it.archive.delete_examination(deleted)
    seen = it.ask(ListSeen()).seen
    assert seen == {("1.2.1", "S1"), ("1.2.1", "S2")}
    # It is of the day, and of no patient.
    assert it.ask(FindPatient("P-1")).seen == seen
    it.clock.sleep(86400.0)
    assert it.ask(ListSeen()).seen == frozenset()


def test_identifier_of_another_patient_is_a_fault_and_changes_nothing(it: Desktop) -> None:
    it.ask(AddPatient("P-1"))
    it.ask(AddPatient("P-2"))
    desk = it.ask(AddPatient("p-1"))
    assert desk.fault is not None
    assert desk.patient.identifier == "P-2"
    desk = it.ask(ChangePatient(it.archive.find_patient("P-2")))
    assert desk.fault is None


def test_new_lesion_is_added_with_its_first_picture_and_once(it: Desktop) -> None:
    it.ask(AddPatient("P-1"))
    new = NewLesion(it.desk.patient.key, SPOT)
    desk = it.ask(OpenLesion(new))
    assert (desk.lesion, desk.opened, desk.visits, desk.lesions) == (new, None, (), ())
    filing = Filing(new)
    keys = set()
    for _ in range(2):
        keys.add(it.work.key_of(filing))
        it.picture(lesion=it.work.key_of(filing))
        it.work.kept(filing)
    (key,) = keys
    desk = it.desk
    assert (desk.opened.key, desk.opened.number, desk.opened.spot) == (key, 1, SPOT)
    assert len(desk.visits) == 2
    assert [entry.pictures for entry in desk.lesions] == [2]
    # The same spot on the map again is another one.
    assert it.work.key_of(Filing(NewLesion(it.desk.patient.key, SPOT))) != key


def test_pictures_come_the_newest_first_with_their_thumbnails(it: Desktop) -> None:
    key = it.lesion()
    older, newer = (it.picture(lesion=key, days_ago=days) for days in (30, 0))
    it.ask(FindPatient("P-1"))
    desk = it.ask(OpenLesion(key))
    assert [visit.record.identifier for visit in desk.visits] == [newer, older]
    assert {visit.thumbnail.shape[2] for visit in desk.visits} == {3}
    assert desk.lesions[0].newest.record.identifier == newer
    # What was read once is not read again.
    it.work.kept(Filing(key))
    assert it.desk.visits[0].thumbnail is desk.visits[0].thumbnail
    assert it.desk.lesions[0].newest.thumbnail is desk.lesions[0].newest.thumbnail


def test_picture_that_is_damaged_hides_no_other(it: Desktop, tmp_path: Path) -> None:
    key = it.lesion()
    it.picture(lesion=key)
    picture = max(
        (path for path in (tmp_path / "examinations").rglob("*") if path.is_file()),
        key=lambda path: path.stat().st_size,
    )
    picture.write_bytes(b"no picture")
    it.picture(lesion=key)
    desk = it.ask(OpenLesion(key))
    assert [visit.thumbnail is None for visit in desk.visits] == [False, True]
    assert desk.fault is None


def test_lesion_of_another_patient_brings_that_patient(it: Desktop) -> None:
    one, other = it.lesion("P-1"), it.lesion("P-2")
    assert it.ask(OpenLesion(one)).patient.identifier == "P-1"
    desk = it.ask(OpenLesion(other))
    assert desk.patient.identifier == "P-2"
    assert [entry.lesion.key for entry in desk.lesions] == [other]
    closed = it.ask(OpenLesion(None))
    assert (closed.lesion, closed.opened, closed.visits) == (None, None, ())
    assert closed.patient.identifier == "P-2"


def test_decision_about_a_shot_is_entered_where_that_was_kept(it: Desktop) -> None:
    key = it.lesion()
    identifier = it.picture(lesion=key)
    it.ask(OpenLesion(key))
    desk = it.ask(Decide(identifier, decision(Action.REFER)))
    assert it.archive.record(identifier).decision.action == Action.REFER
    # The next lesion is chosen anew.
    assert (desk.lesion, desk.fault) == (None, None)
    assert desk.lesions[0].newest.record.decision.action == Action.REFER
    desk = it.ask(Decide(Shot(), decision()))
    assert desk.fault.message == NOT_KEPT_YET


def test_patient_is_deleted_and_leaves_nothing_on_the_desk(it: Desktop) -> None:
    key = it.lesion()
    kept = it.picture(lesion=key)
    it.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), "471100")
    it.archive.set_pin(Holder("Nurse", Role.FIELD), "000000")
    for request in (OpenLesion(key), OpenPicture(kept), OpenWork(WorkKind.UNDECIDED)):
        it.ask(request)
    patient = it.desk.patient.key
    it.archive.lock()
    it.archive.unlock("000000")
    desk = it.ask(DeletePatient(patient))
    assert desk.fault is not None
    assert it.archive.record(kept).lesion == key
    it.archive.lock()
    it.archive.unlock("471100")
    desk = it.ask(DeletePatient(patient))
    for name in ("patient", "opened", "picture", "work", "lesion", "scheduled", "fault"):
        assert getattr(desk, name) is None
    assert (desk.lesions, desk.visits, it.archive.identifiers()) == ((), (), [])


def test_lesion_is_moved_with_all_its_pictures_and_the_trail_tells(it: Desktop) -> None:
    key = it.lesion()
    it.picture(lesion=key)
    it.ask(OpenLesion(key))
    right = replace(SPOT, x=0.6, laterality=Laterality.RIGHT)
    desk = it.ask(MoveLesion(key, right))
    assert (desk.opened.spot, desk.opened.number, desk.fault) == (right, 1, None)
    assert ([entry.lesion.spot for entry in desk.lesions], len(desk.visits)) == ([right], 1)
    assert it.archive.lesion(key) == desk.opened
    last = list(it.archive.trail())[-1]
    assert (last.event, last.subject) == ("lesion changed", key)
    missing = it.ask(MoveLesion("0" * 32, SPOT))
    assert (missing.fault is None, missing.opened.spot) == (False, right)


def test_picture_is_filed_by_hand_under_an_old_or_a_new_lesion(it: Desktop) -> None:
    key = it.lesion()
    one, other = it.picture(), it.picture()
    desk = it.ask(FileExamination(one, key))
    assert [visit.record.identifier for visit in desk.visits] == [one]
    new = NewLesion(it.desk.patient.key, SPOT)
    desk = it.ask(FileExamination(other, new))
    assert desk.opened.number == 2
    assert it.archive.record(other).lesion == desk.opened.key
    assert it.archive.unfiled().items == ()


def test_worklist_is_turned_forwards_and_back_and_counts(it: Desktop) -> None:
    names = [it.picture(days_ago=i) for i in range(2 * WORK_ROWS + 1)]
    pages = [it.ask(OpenWork(None, turn)).work for turn in (0, 1, 1, 1, -1, -1, -1)]
    assert [page.number for page in pages] == [1, 2, 3, 3, 2, 1, 1]
    assert [page.last for page in pages[:3]] == [False, False, True]
    shown = [entry.visit.record.identifier for page in pages[:3] for entry in page.entries]
    assert sorted(shown) == sorted(names)
    assert [e.visit.record.identifier for e in pages[5].entries] == shown[:WORK_ROWS]
    # Another kind begins at its first page.
    page = it.ask(OpenWork(WorkKind.UNDECIDED, 1)).work
    assert (page.number, page.kind) == (1, WorkKind.UNDECIDED)
    assert set(page.counts) == set(WorkKind)


def test_worklist_is_turned_by_identifier_and_begins_anew_when_that_changes(it: Desktop) -> None:
    for number in range(WORK_ROWS + 1):
        it.picture(lesion=it.lesion(f"P-{9 - number}"))
    it.picture(lesion=it.lesion("Q-1"))
    undecided = WorkKind.UNDECIDED

    def patients(turn: int, *more: object) -> list[str]:
        page = it.ask(OpenWork(undecided, turn, *more)).work
        return [entry.item.patient.identifier for entry in page.entries]

    assert patients(0) == ["Q-1", "P-5", "P-6", "P-7"]
    assert patients(1, True) == ["P-5", "P-6", "P-7", "P-8"]
    assert patients(1, True) == ["P-9", "Q-1"]
    assert (it.desk.work.number, it.desk.work.last) == (2, True)
    assert patients(1, True, "P") == ["P-5", "P-6", "P-7", "P-8"]
    assert patients(1, True, "P") == ["P-9"]
    assert (it.desk.work.by_identifier, it.desk.work.prefix) == (True, "P")
    assert patients(-1, True, "P") == ["P-5", "P-6", "P-7", "P-8"]


def test_picture_is_opened_whole_and_cropped_as_it_is_shown(it: Desktop) -> None:
    region = it.picture(kind=PictureKind.REGION)
    lesion = it.picture()
    whole = it.ask(OpenPicture(region)).picture.field
    assert whole.shape == demo_frame(SCENES[3]).pixels[::2, ::2].shape
    field = it.ask(OpenPicture(lesion)).picture.field
    assert field.shape[0] == field.shape[1] <= whole.shape[0]
    assert it.ask(OpenPicture("000099-20260101T000000Z-abcdef")).fault is not None


def test_two_visits_are_registered_or_it_is_said_why_not(it: Desktop) -> None:
    key = it.lesion()
    one, same, other = (it.picture(scene, lesion=key) for scene in (3, 3, 1))
    found = it.ask(CompareVisits(one, same)).comparison
    assert isinstance(found.registered, Registration)
    assert found.registered.scale == pytest.approx(1.0, abs=0.01)
    assert found.laid.shape == found.earlier.field.shape
    found = it.ask(CompareVisits(one, other)).comparison
    assert isinstance(found.registered, Refusal)
    assert found.laid is None
    # Neither was judged or measured.
    assert found.changes == ()


def test_behind_the_lock_lies_nothing_and_the_right_pin_opens_it(it: Desktop) -> None:
    it.lesion()
    it.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), "471100")
    desk = it.ask(Lock())
    assert desk.locked
    assert (desk.patient, desk.lesions, desk.unknown) == (None, (), "")
    desk = it.ask(FindPatient("P-1"))
    assert desk.patient is None
    assert desk.fault is not None
    desk = it.ask(Unlock("000000"))
    assert desk.locked
    assert desk.fault is not None
    it.clock.sleep(it.archive.pin_wait() + 1)
    desk = it.ask(Unlock("471100"))
    assert not desk.locked
    assert desk.access.holder.name == "Dr Silva"


def test_wait_after_wrong_pins_is_told(it: Desktop) -> None:
    it.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), "471100")
    it.ask(Lock())
    for _ in range(8):
        desk = it.ask(Unlock("000000"))
        if desk.pin_wait > it.clock.monotonic():
            break
    assert desk.pin_wait == pytest.approx(it.clock.monotonic() + it.archive.pin_wait())
    assert it.archive.pin_wait() > 0


def test_what_fails_in_another_way_is_told_too(it: Desktop) -> None:
    request = OpenWork(None)
    before = it.desk
    it.work.failed(request, Fault("broken"))
    assert (it.desk.answered, it.desk.fault.message) == (request, "broken")
    assert replace(it.desk, answered=None, fault=None).access == before.access


def test_what_was_typed_may_be_the_beginning_of_an_identifier(it: Desktop) -> None:
    for number in range(MOST_MATCHES + 1):
        it.ask(AddPatient(f"P-1{number}"))
    it.ask(AddPatient("Q-1"))
    typed = it.ask(FindPatient("p-1", beginning=True))
    assert [patient.identifier for patient in typed.matches.patients] == [
        f"P-1{number}" for number in range(MOST_MATCHES)
    ]
    assert (typed.unknown, typed.patient, typed.matches.more) == ("p-1", None, True)
    assert it.ask(FindPatient("P-10", beginning=True)).patient.identifier == "P-10"
    assert it.desk.matches == Matches()
    # A code that was read is whole.
    assert it.ask(FindPatient("P-1")).matches == Matches()
    assert it.ask(FindPatient("R", beginning=True)).matches == Matches()


def test_lesion_unlike_the_patients_other_naevi_is_told_and_from_four_on(it: Desktop) -> None:
    it.ask(AddPatient("P-1"))
    patient = it.desk.patient.key
    naevi = likenesses(5, 0.1)
    (stranger,) = likenesses(1, 0.1, centre=5)
    for likeness, code in [*((naevus, "nv") for naevus in naevi), (stranger, "mel")]:
        key = it.archive.add_lesion(patient, SPOT).key
        said = make_finding(code)
        finding = replace(said, likeness=likeness, field=FieldOfView(0, 0, 60))
        it.archive.complete(it.picture(lesion=key), finding, (), None)
    told = [entry.unlike for entry in it.ask(OpenLesion(None)).lesions]
    assert told == [False] * 5 + [True]
    # Two that are no naevi any more leave three.
    for entry in it.desk.lesions[:2]:
        name = entry.newest.record.identifier
        likeness = entry.newest.record.likeness
        finding = replace(make_finding("bkl"), likeness=likeness, field=FieldOfView(0, 0, 60))
        it.archive.complete(name, finding, (), None)
    assert not any(entry.unlike for entry in it.ask(OpenLesion(None)).lesions)
