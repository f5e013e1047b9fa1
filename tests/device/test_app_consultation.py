"""A consultation, from the patient's code to what was decided, by touch and by key."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pygame
import pytest
import zxingcpp

from device.anatomy import BodySite, BodyView, Laterality
from device.body.atlas import DRAWINGS
from device.config import Config
from device.errors import RecordsLockedError
from device.exchange import Exchange
from device.frame import Frame, SourceKind, frame_now
from device.instrument import open_clinic_list
from device.records.access import Holder
from device.records.encrypted_archive import EncryptedArchive
from device.records.listing import WorkKind
from device.records.model import ExaminationRecord, PictureKind, Polarization
from device.records.patients import Action, Proof, Role
from device.records.roles import Permission, not_allowed
from device.runtime.clinic_list import Appointments, ClinicList
from device.runtime.requests import Lock
from device.screen.forms import DecisionForm, NewPinForm, decision_of, months_later
from device.screen.pages.decision import DecisionControl
from device.screen.pages.patient import PatientControl
from device.screen.registry import PageName
from device.screen.view import KeepStatus
from device.screen.widgets import fitted
from tests.device.clinic import READ, Camera, Clinic, lesion
from tests.device.interop.peers import LEFT_TO_PYTHON, peer
from tests.device.interop.peers import archive as ris
from tests.device.interop.test_dicom_worklist import entry as worklist_entry
from tests.device.records.conftest import CHEAP

PIN = "471100"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SKIN = lesion(blur=0.6)


class Scene(Camera):
    """A camera before which something is held."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels = SKIN

    def read(self, timeout: float = 1.0) -> Frame:
        super().read(timeout)
        return self._taken(self.pixels)

    def still(self, timeout: float = 1.0) -> Frame:
        return self._taken(self.pixels)


def code_of(identifier: str) -> np.ndarray:
    code = zxingcpp.create_barcode(identifier, zxingcpp.BarcodeFormat.QRCode)
    printed = np.asarray(code.to_image(scale=4), np.uint8)
    frame = np.full((300, 400), 230, np.uint8)
    top, left = ((a - b) // 2 for a, b in zip(frame.shape, printed.shape, strict=True))
    frame[top : top + len(printed), left : left + printed.shape[1]] = printed
    return np.repeat(frame[:, :, None], 3, axis=2)


class Practice:
    """A clinic whose records are kept, and a hand whose touches are counted."""

    def __init__(self, clinic: Clinic, archive: EncryptedArchive) -> None:
        self.clinic = clinic
        self.archive = archive
        self.scene = Scene()
        self.touches = 0
        clinic.options = {"archive": archive, "patients": archive}

    @property
    def page(self) -> PageName:
        return self.clinic.app.session.state.page

    def until_page(self, page: PageName) -> None:
        self.clinic.until(lambda: self.page == page)

    def until(self, holds: object) -> None:
        self.clinic.until(holds)

    def desk(self) -> object:
        return self.clinic.app.session._recorder.desk

    def touch(self, target: str, page: str) -> None:
        self.touches += 1
        self.clinic.click(self.clinic.target(target, page))

    def open_patient(self, code: str, page: PageName = PageName.PATIENT) -> None:
        """Show a code, and follow it to where the patient is seen or added."""
        self.clinic.until_live()
        self.show_code(code)
        self.touch("case", "live")
        self.until_page(page)

    def open_first_lesion(self) -> None:
        """Take the code away, and touch the first lesion."""
        self.show_skin()
        self.touch(PatientControl.FIRST, "patient")
        self.until_page(PageName.LESION)

    def open_clinics_list(self, said: str = "entries") -> None:
        """Touch the way to the clinic's list, and wait until it is there."""
        self.touch("case", "live")
        self.touch("worklist", "start")
        self.until_page(PageName.SCHEDULED)
        self.until(lambda: getattr(self.clinic.view().appointments, said))

    def touch_body(self, site: BodySite, side: Laterality, view: BodyView) -> None:
        self.touches += 1
        drawing = DRAWINGS[view]
        (spot,) = (s for s in drawing.spots() if (s.site, s.laterality) == (site, side))
        area = self.clinic.renderer.layout.field_area
        scale, left, top = fitted(drawing, area.width, area.height)
        x = area.left + left + spot.x * drawing.width * scale
        y = area.top + top + spot.y * drawing.height * scale
        self.clinic.click((round(x), round(y)))

    def show_code(self, identifier: str) -> None:
        self.scene.pixels = code_of(identifier)

    def show_skin(self) -> None:
        self.scene.pixels = SKIN

    def shoot(self, page: str) -> None:
        self.touch("shutter", page)
        self.until_page(PageName.LIVE)
        self.until(lambda: self.clinic.live().frozen and self.clinic.live().kept)

    def use(self, deeds: object) -> None:
        self.clinic.use(self.scene, deeds)

    def records(self) -> tuple[ExaminationRecord, ...]:
        return self.archive.examinations().items


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[EncryptedArchive]:
    archive = EncryptedArchive(tmp_path / "examinations", pin_cost=CHEAP)
    archive.open()
    yield archive
    archive.close()


@pytest.fixture
def practice(clinic: Clinic, archive: EncryptedArchive) -> Practice:
    return Practice(clinic, archive)


def earlier_visit(archive: EncryptedArchive, identifier: str = "P-1") -> str:
    """Keep a picture of a lesion on the left forearm; return the lesion's key."""
    patient = archive.add_patient(identifier)
    drawing = DRAWINGS[BodyView.FRONT]
    (spot,) = (
        s for s in drawing.spots() if (s.site, s.laterality) == (BodySite.FOREARM, Laterality.LEFT)
    )
    key = archive.add_lesion(patient.key, spot).key
    frame = replace(frame_now(SKIN, 0, "camera"), kind=SourceKind.CAMERA)
    archive.keep(frame, None, (), None, lesion=key)
    return key


def test_known_lesion_is_photographed_and_decided_in_six_touches(practice: Practice) -> None:
    key = earlier_visit(practice.archive)

    def deeds() -> None:
        practice.open_patient("P-1")
        practice.open_first_lesion()
        practice.until(lambda: len(practice.desk().visits) == 1)
        practice.shoot("lesion")
        practice.touch("case", "live")
        practice.until_page(PageName.DECISION)
        practice.touch(DecisionControl.LATER, "decision")
        practice.touch(DecisionControl.KEEP, "decision")
        practice.until(lambda: practice.records()[0].decision)
        assert practice.touches <= 6
        practice.until_page(PageName.PATIENT)
        assert not practice.clinic.app.session.state.frozen

    practice.use(deeds)
    newest = practice.records()[0]
    assert (newest.lesion, newest.kind) == (key, PictureKind.DERMOSCOPIC)
    assert newest.finding is not None
    assert newest.decision.action == Action.FOLLOW_UP
    today = newest.decision.decided.astimezone().date()
    assert newest.decision.due == months_later(today, 6)
    assert newest.decision.role == Role.CLINICIAN


def test_new_lesion_of_a_known_patient_takes_no_more(practice: Practice) -> None:
    key = earlier_visit(practice.archive)

    def deeds() -> None:
        practice.open_patient("P-1")
        practice.show_skin()
        practice.touch_body(BodySite.THIGH, Laterality.RIGHT, BodyView.FRONT)
        practice.until_page(PageName.LESION)
        practice.shoot("lesion")
        practice.touch("case", "live")
        practice.until_page(PageName.DECISION)
        practice.touch(DecisionControl.EXCISE, "decision")
        practice.touch(DecisionControl.KEEP, "decision")
        practice.until(lambda: practice.records()[0].decision)
        assert practice.touches <= 6
        # What is touched again where the new one lies is that one.
        practice.until(lambda: len(practice.desk().lesions) == 2)
        practice.touch_body(BodySite.THIGH, Laterality.RIGHT, BodyView.FRONT)
        practice.until(lambda: practice.desk().opened and practice.desk().opened.number == 2)

    practice.use(deeds)
    newest = practice.records()[0]
    assert newest.lesion != key
    found = practice.archive.lesion(newest.lesion)
    assert (found.number, found.spot.site, found.spot.laterality) == (2, "thigh", "right")
    assert newest.decision.action == Action.EXCISE
    assert practice.archive.work_counts(newest.taken.date())[WorkKind.REFERRED] == 1


def test_lesion_that_was_only_pointed_at_is_not_kept(practice: Practice) -> None:
    earlier_visit(practice.archive)

    def deeds() -> None:
        practice.open_patient("P-1")
        practice.touch_body(BodySite.THIGH, Laterality.RIGHT, BodyView.FRONT)
        practice.until_page(PageName.LESION)
        practice.touch("back", "lesion")
        # Nor is the next picture filed under what was left.
        practice.show_skin()
        practice.shoot("patient")
        practice.until(lambda: practice.records()[0].finding)

    practice.use(deeds)
    assert practice.records()[0].lesion is None
    (patient,) = practice.archive.patients().items
    assert len(practice.archive.lesions(patient.key)) == 1


def test_unknown_code_is_added_with_one_touch_and_what_is_known(practice: Practice) -> None:
    def deeds() -> None:
        practice.open_patient("NEW-7", PageName.DETAILS)
        practice.touch("female", "details")
        practice.touch("IV", "details")
        practice.touch("keep", "details")
        practice.until_page(PageName.PATIENT)

    practice.use(deeds)
    patient = practice.archive.find_patient("new-7")
    assert (patient.identifier, patient.sex, patient.phototype) == ("NEW-7", "female", 4)
    assert (patient.name, patient.birth_year) == ("", None)


def test_patient_is_opened_with_the_figures_and_by_a_reader_that_types(
    practice: Practice,
) -> None:
    for identifier in ("4711", "abc 8"):
        earlier_visit(practice.archive, identifier)

    def deeds() -> None:
        practice.clinic.until_live()
        practice.touch("case", "live")
        practice.until_page(PageName.START)
        for figure in "4711":
            practice.touch(figure, "start")
        practice.touch("open", "start")
        practice.until_page(PageName.PATIENT)
        assert practice.desk().patient.identifier == "4711"
        practice.touch("back", "patient")
        practice.until(lambda: practice.desk().patient is None)
        practice.touch("case", "live")
        practice.until_page(PageName.START)
        for letter in "ABC 8":
            pygame.event.post(pygame.event.Event(pygame.TEXTINPUT, text=letter))
        practice.clinic.press(pygame.K_RETURN)
        practice.until_page(PageName.PATIENT)
        assert practice.desk().patient.identifier == "abc 8"

    practice.use(deeds)


@LEFT_TO_PYTHON
def test_consultation_of_the_clinics_list_keeps_its_order_until_it_is_closed(
    practice: Practice,
) -> None:
    key = earlier_visit(practice.archive, "MRN-4711")

    def deeds() -> None:
        practice.clinic.until_live()
        practice.open_clinics_list()
        # With keys alone.
        practice.clinic.press(*[pygame.K_TAB] * 7, pygame.K_RETURN)
        practice.until_page(PageName.PATIENT)
        assert practice.desk().patient.identifier == "MRN-4711"
        practice.open_first_lesion()
        practice.shoot("lesion")
        practice.touch("case", "live")
        practice.touch(DecisionControl.LATER, "decision")
        practice.touch(DecisionControl.KEEP, "decision")
        practice.until_page(PageName.PATIENT)
        practice.until(lambda: practice.records()[0].decision)
        practice.touch("back", "patient")
        practice.until(lambda: practice.desk().patient is None)
        # The same patient again, by the code.
        practice.open_patient("MRN-4711")
        photograph_and_close(practice)
        # A patient who is not known yet.
        practice.open_clinics_list()
        practice.touch("appointment 2", "scheduled")
        practice.until_page(PageName.PATIENT)
        practice.touch_body(BodySite.THIGH, Laterality.RIGHT, BodyView.FRONT)
        practice.until_page(PageName.LESION)
        practice.shoot("lesion")
        practice.until(lambda: practice.records()[0].finding)

    with ris() as asked:
        asked.entries = [worklist_entry(), worklist_entry("NEW-1", "1500", AccessionNumber="ACC2")]
        practice.clinic.options["clinic_list"] = clinic_list(practice, asked.port)
        practice.use(deeds)
    new, *ordered = practice.records()[:3]
    assert [(one.lesion, one.order.accession_number) for one in ordered] == [(key, "ACC1")] * 2
    assert new.order.accession_number == "ACC2"
    added = practice.archive.find_patient("NEW-1")
    assert (added.birth_year, added.sex, added.name) == (1961, "female", "")
    assert practice.archive.lesion(new.lesion).patient == added.key


def photograph_and_close(practice: Practice) -> None:
    practice.open_first_lesion()
    practice.shoot("lesion")
    practice.touch("shutter", "live")
    practice.until(lambda: practice.records()[0].finding)
    practice.touch("case", "live")
    practice.touch("back", "lesion")
    practice.touch("back", "patient")
    practice.until(lambda: practice.desk().patient is None)


@LEFT_TO_PYTHON
def test_order_is_taken_up_by_a_code_that_is_read_or_typed(practice: Practice) -> None:
    keys = [earlier_visit(practice.archive, name) for name in ("MRN-4711", "471", "OTHER")]
    asked_for = threading.Event()

    def photograph(seen: bool) -> None:
        practice.until_page(PageName.PATIENT)
        if seen:
            practice.until(lambda: practice.clinic.view().scheduled)
        photograph_and_close(practice)

    def deeds() -> None:
        # The clinic has not answered yet, and nothing waits for it.
        practice.open_patient("MRN-4711")
        assert practice.desk().scheduled is None
        asked_for.set()
        photograph(seen=True)
        practice.touch("case", "live")
        for figure in "471":
            practice.touch(figure, "start")
        practice.touch("open", "start")
        photograph(seen=True)
        practice.open_patient("OTHER")
        photograph(seen=False)
        # Who is not known here yet, and comes for the same.
        practice.open_patient("NEW-1", PageName.DETAILS)
        practice.show_skin()
        assert practice.clinic.view().form.birth_year == 1961
        practice.touch("keep", "details")
        practice.until(lambda: practice.desk().scheduled)
        # The list says who is left.
        practice.touch("back", "patient")
        practice.until_page(PageName.LIVE)
        practice.open_clinics_list()
        practice.until(lambda: len(practice.clinic.view().seen) == 2)

    class Late(list):
        def __iter__(self) -> Iterator[object]:
            assert asked_for.wait(60)
            return super().__iter__()

    with ris() as asked:
        asked.entries = Late(
            [
                worklist_entry(),
                worklist_entry("471", "1500", AccessionNumber="ACC2", StudyInstanceUID="1.2.5"),
                worklist_entry("new-1", "1600", AccessionNumber="ACC3", StudyInstanceUID="1.2.6"),
            ]
        )
        practice.clinic.options["clinic_list"] = clinic_list(practice, asked.port)
        practice.use(deeds)
    other, typed, read = practice.records()[:3]
    assert (read.lesion, read.order.accession_number) == (keys[0], "ACC1")
    assert (typed.lesion, typed.order.accession_number) == (keys[1], "ACC2")
    assert (other.lesion, other.order) == (keys[2], None)


@LEFT_TO_PYTHON
def test_one_of_several_orders_is_chosen_and_nothing_waits_for_that(practice: Practice) -> None:
    earlier_visit(practice.archive, "MRN-4711")

    def deeds() -> None:
        practice.clinic.until_live()
        practice.open_clinics_list()
        practice.touch("back", "scheduled")
        practice.touch("back", "start")
        practice.open_patient("MRN-4711", PageName.SCHEDULED)
        practice.show_skin()
        view = practice.clinic.view()
        assert (view.patient, len(view.appointments.entries)) == ("MRN-4711", 2)
        practice.touch("back", "scheduled")
        practice.until_page(PageName.PATIENT)
        assert practice.clinic.view().choices == 2
        photograph_and_close(practice)
        practice.open_patient("MRN-4711", PageName.SCHEDULED)
        practice.touch("appointment 2", "scheduled")
        practice.until_page(PageName.PATIENT)
        assert practice.clinic.view().scheduled.order.accession_number == "ACC2"
        practice.open_first_lesion()
        practice.shoot("lesion")

    with ris() as asked:
        asked.entries = [
            worklist_entry(),
            worklist_entry("OTHER", "1000", StudyInstanceUID="1.2.9"),
            worklist_entry("MRN-4711", "1500", AccessionNumber="ACC2", StudyInstanceUID="1.2.5"),
        ]
        practice.clinic.options["clinic_list"] = clinic_list(practice, asked.port)
        practice.use(deeds)
    chosen, without = practice.records()[:2]
    assert chosen.order.accession_number == "ACC2"
    assert without.order is None


@LEFT_TO_PYTHON
def test_clinics_list_that_cannot_be_had_is_told_and_asked_for_again(practice: Practice) -> None:
    practice.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), PIN)

    def deeds() -> None:
        practice.until_page(PageName.PIN)
        enter_pin(practice)
        practice.until_page(PageName.LIVE)
        practice.open_clinics_list("fault")
        assert practice.clinic.view().asked == "pacs"
        asked.answer = lambda: 0
        practice.touch("again", "scheduled")
        practice.until(lambda: practice.clinic.view().appointments.entries)
        # Behind the lock nobody sees it.
        practice.clinic.app.session._recorder.inbox.send(Lock())
        practice.until_page(PageName.PIN)
        assert practice.clinic.options["clinic_list"].said == Appointments()

    practice.archive.lock()
    with ris() as asked:
        asked.entries = [worklist_entry()]
        asked.answer = lambda: 0xA700
        practice.clinic.options["clinic_list"] = clinic_list(practice, asked.port)
        practice.use(deeds)


@LEFT_TO_PYTHON
def test_clinics_list_is_not_for_service(practice: Practice) -> None:
    practice.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), "000000")
    practice.archive.set_pin(Holder("Mr Costa", Role.SERVICE), PIN)
    practice.archive.lock()

    def deeds() -> None:
        practice.until_page(PageName.PIN)
        enter_pin(practice)
        practice.until_page(PageName.LIVE)
        practice.open_clinics_list("fault")
        refused = not_allowed(Role.SERVICE, Permission.READ).fault
        assert practice.clinic.view().appointments.fault == refused
        practice.touch("again", "scheduled")
        practice.until(lambda: practice.clinic.app.session.state.focus is None)
        assert practice.clinic.view().appointments.entries == ()

    with ris() as asked:
        asked.entries = [worklist_entry()]
        practice.clinic.options["clinic_list"] = clinic_list(practice, asked.port)
        practice.use(deeds)
        assert practice.clinic.options["clinic_list"].said == Appointments()


def clinic_list(practice: Practice, port: int) -> ClinicList:
    """Return what asks for the worklist that the settings name."""
    assert open_clinic_list(Config(), practice.clinic.clock) is None
    settings = Config(exchange=Exchange(worklist=peer(port)))
    asked = open_clinic_list(settings, practice.clinic.clock)
    assert asked is not None
    return asked


def test_lesion_on_the_wrong_side_is_moved_on_the_screen(practice: Practice) -> None:
    key = earlier_visit(practice.archive)

    def deeds() -> None:
        practice.open_patient("P-1")
        practice.open_first_lesion()
        practice.until(lambda: practice.desk().opened)
        practice.touch("move", "lesion")
        practice.until_page(PageName.SPOT)
        practice.touch_body(BodySite.FOREARM, Laterality.RIGHT, BodyView.FRONT)
        practice.until_page(PageName.LESION)
        assert practice.clinic.view().case.spot.laterality == Laterality.RIGHT

    practice.use(deeds)
    spot = practice.archive.lesion(key).spot
    assert (spot.site, spot.laterality) == (BodySite.FOREARM, Laterality.RIGHT)


def test_patient_is_deleted_on_the_screen_and_seen_nowhere_after(practice: Practice) -> None:
    earlier_visit(practice.archive, "P-1")
    kept = earlier_visit(practice.archive, "P-2")

    def deeds() -> None:
        practice.clinic.until(lambda: len(practice.clinic.app.recent) == 2)
        practice.open_patient("P-1")
        practice.show_skin()
        practice.touch("details", "patient")
        practice.until_page(PageName.DETAILS)
        practice.touch("delete patient", "details")
        practice.until_page(PageName.DELETION)
        view = practice.clinic.view()
        assert (view.patient, view.lesions, view.pictures) == ("P-1", 1, 1)
        # With keys alone.
        practice.clinic.press(*[pygame.K_TAB] * 3, pygame.K_RETURN)
        practice.until_page(PageName.START)
        practice.until(lambda: practice.desk().patient is None)
        practice.clinic.until(lambda: len(practice.clinic.app.recent) == 1)

    practice.use(deeds)
    assert [patient.identifier for patient in practice.archive.patients().items] == ["P-2"]
    assert [record.lesion for record in practice.records()] == [kept]


def test_picture_without_a_code_is_filed_later_by_hand(practice: Practice) -> None:
    key = earlier_visit(practice.archive)

    def deeds() -> None:
        practice.clinic.until_finding()
        practice.clinic.take()
        practice.until(lambda: practice.clinic.live().kept)
        practice.clinic.release()
        practice.touch("case", "live")
        practice.until_page(PageName.START)
        practice.touch("worklist", "start")
        practice.until(lambda: practice.desk().work)
        practice.touch("unfiled", "worklist")
        practice.until(lambda: practice.desk().work.kind is None)
        practice.touch("entry 1", "worklist")
        practice.until_page(PageName.PICTURE)
        practice.until(lambda: practice.desk().picture)
        practice.touch("file", "picture")
        practice.until_page(PageName.START)
        practice.show_code("P-1")
        practice.until_page(PageName.PATIENT)
        assert practice.clinic.app.session.view().case.filing
        practice.touch(PatientControl.FIRST, "patient")
        practice.until(lambda: len(practice.desk().visits) == 2)
        assert practice.page == PageName.LESION

    practice.use(deeds)
    assert [record.lesion for record in practice.records()] == [key, key]
    assert practice.archive.unfiled().items == ()


def test_region_is_kept_without_a_finding_and_the_light_is_told(practice: Practice) -> None:
    key = earlier_visit(practice.archive)

    def deeds() -> None:
        practice.open_patient("P-1")
        practice.open_first_lesion()
        practice.touch("region", "lesion")
        practice.touch("polarized", "lesion")
        practice.touch("shutter", "lesion")
        practice.until(lambda: len(practice.desk().visits) == 2)
        practice.until(lambda: not practice.clinic.app.session.state.frozen)
        # The next one shows the lesion again.
        assert not practice.clinic.app.session.state.region
        practice.shoot("live")
        practice.until(lambda: practice.records()[0].finding)

    practice.use(deeds)
    lesion, region, _ = practice.records()
    assert (region.kind, region.lesion, region.finding) == (PictureKind.REGION, key, None)
    assert (lesion.kind, lesion.lesion) == (PictureKind.DERMOSCOPIC, key)
    assert {lesion.polarization, region.polarization} == {Polarization.POLARIZED}


def test_another_patients_lesion_is_never_compared_without_a_word(practice: Practice) -> None:
    earlier_visit(practice.archive, "P-1")
    earlier_visit(practice.archive, "P-2")

    def deeds() -> None:
        practice.clinic.until_finding()
        practice.until(lambda: len(practice.clinic.app.recent) == 2)
        practice.clinic.take()
        practice.until(lambda: practice.clinic.live().kept)
        practice.clinic.release()
        practice.clinic.open_compare()
        practice.until_page(PageName.COMPARE)
        # No patient is open: pictures that are nobody's, and that is said.
        view = practice.clinic.view()
        assert (view.count, view.unfiled) == (1, True)
        practice.touch("back", "compare")
        practice.until_page(PageName.LIVE)
        practice.show_code("P-2")
        practice.touch("case", "live")
        practice.until_page(PageName.PATIENT)
        practice.show_skin()
        practice.touch(PatientControl.FIRST, "patient")
        practice.until(lambda: practice.desk().visits)
        practice.touch("compare", "lesion")
        practice.until_page(PageName.COMPARE)
        view = practice.clinic.view()
        assert (view.count, view.unfiled) == (1, False)
        shown = practice.desk().visits[0].record.taken
        assert abs(view.earlier.time - shown) < timedelta(seconds=1)

    practice.use(deeds)


def test_two_visits_are_laid_over_each_other_and_nothing_has_changed(practice: Practice) -> None:
    key = earlier_visit(practice.archive)
    frame = replace(frame_now(SKIN, 0, "camera"), kind=SourceKind.CAMERA)
    practice.archive.keep(frame, None, (), None, lesion=key)

    def deeds() -> None:
        practice.open_patient("P-1")
        practice.touch(PatientControl.FIRST, "patient")
        practice.until(lambda: len(practice.desk().visits) == 2)
        practice.touch("follow up", "lesion")
        practice.until_page(PageName.FOLLOW_UP)
        practice.until(lambda: practice.clinic.view().comparison)
        practice.touch("flicker", "followup")
        seen = set()
        practice.until(lambda: seen.add(practice.clinic.view().second) or len(seen) == 2)

    practice.use(deeds)


def test_whole_consultation_is_done_with_keys(practice: Practice) -> None:
    key = earlier_visit(practice.archive, "77")

    def deeds() -> None:
        clinic = practice.clinic

        def focus(target: str) -> None:
            for _ in range(60):
                if clinic.app.session.state.focus == target:
                    return
                before = clinic.app.session.state.focus
                clinic.press(pygame.K_TAB)
                clinic.until(lambda before=before: clinic.app.session.state.focus != before)
            raise AssertionError(target)

        def enter(target: str) -> None:
            focus(target)
            clinic.press(pygame.K_RETURN)

        clinic.until_finding()
        enter("case")
        practice.until_page(PageName.START)
        for figure in "77":
            pygame.event.post(pygame.event.Event(pygame.TEXTINPUT, text=figure))
        clinic.press(pygame.K_RETURN)
        practice.until_page(PageName.PATIENT)
        # The next spot on the body: none has been touched.
        clinic.press(pygame.K_PERIOD)
        practice.until(lambda: clinic.app.session.state.focus == PatientControl.MAP)
        clinic.press(pygame.K_RETURN)
        practice.until_page(PageName.LESION)
        clinic.press(pygame.K_SPACE)
        practice.until(lambda: clinic.live().frozen and clinic.live().kept)
        enter("case")
        practice.until_page(PageName.DECISION)
        enter("refer")
        practice.until(lambda: clinic.app.session.state.page_state.action)
        enter("mel")
        practice.until(lambda: clinic.app.session.state.page_state.diagnosis)
        enter("keep")
        practice.until(lambda: practice.records()[0].decision)

    practice.use(deeds)
    newest = practice.records()[0]
    assert newest.lesion not in (None, key)
    assert (newest.decision.action, newest.decision.diagnosis) == ("refer", "mel")
    # The model named another diagnosis, or none.
    assert not newest.decision.agrees


def test_undecided_picture_is_on_the_worklist_and_decided_from_there(practice: Practice) -> None:
    earlier_visit(practice.archive)

    def deeds() -> None:
        practice.clinic.until_live()
        practice.touch("case", "live")
        practice.until_page(PageName.START)
        practice.touch("worklist", "start")
        practice.until_page(PageName.WORKLIST)
        practice.until(lambda: practice.desk().work)
        assert practice.desk().work.kind == WorkKind.OVERDUE
        practice.touch("undecided", "worklist")
        practice.until(lambda: practice.desk().work.entries)
        practice.touch("entry 1", "worklist")
        practice.until(lambda: practice.desk().visits)
        practice.touch("picture 1", "lesion")
        practice.until(lambda: practice.desk().picture)
        practice.touch("larger", "picture")
        practice.until(lambda: practice.clinic.view().zoom.by > 1)
        practice.touch("decide", "picture")
        practice.until_page(PageName.DECISION)
        practice.touch("note", "decision")
        practice.until_page(PageName.NOTE)
        practice.touch("phrase 3", "note")
        practice.touch("back", "note")
        practice.until_page(PageName.DECISION)
        practice.touch("nothing", "decision")
        practice.touch("keep", "decision")
        practice.until(lambda: practice.records()[0].decision)

    practice.use(deeds)
    decision = practice.records()[0].decision
    assert (decision.action, decision.note) == (Action.NOTHING, "Itches or bleeds")


def test_locked_records_are_opened_with_a_pin_and_locked_when_nobody_touches(
    practice: Practice,
) -> None:
    earlier_visit(practice.archive)
    practice.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), PIN)
    practice.archive.lock()
    practice.clinic.options |= {"lock_after": 1.5, "preferences": READ}

    def deeds() -> None:
        practice.until_page(PageName.PIN)
        # The shutter works: what it takes is kept, and seen by nobody.
        practice.clinic.press(pygame.K_ESCAPE)
        practice.until_page(PageName.LIVE)
        practice.clinic.take()
        practice.until(lambda: practice.clinic.live().kept == KeepStatus.SEALED)
        practice.clinic.release()
        assert len(practice.clinic.app.recent) == 0
        practice.touch("case", "live")
        practice.until_page(PageName.START)
        practice.touch("worklist", "start")
        practice.until_page(PageName.PIN)
        for figure in "000000":
            practice.touch(figure, "pin")
        practice.touch("open", "pin")
        practice.until(lambda: practice.desk().fault)
        practice.until(lambda: not practice.archive.pin_wait())
        for figure in PIN:
            practice.touch(figure, "pin")
        practice.touch("open", "pin")
        practice.until(lambda: not practice.desk().locked)
        assert practice.desk().access.holder.name == "Dr Silva"
        practice.until_page(PageName.LIVE)
        practice.until(lambda: len(practice.clinic.app.recent) == 2)
        # Nobody touches it.
        practice.until(lambda: practice.desk().locked)
        practice.until_page(PageName.PIN)

    practice.use(deeds)
    with pytest.raises(RecordsLockedError):
        practice.archive.examinations()
    practice.archive.unlock(PIN)
    (sealed,) = practice.archive.unfiled().items
    assert sealed.finding is not None


def test_nothing_of_a_patient_is_shown_behind_the_lock(practice: Practice) -> None:
    earlier_visit(practice.archive)
    practice.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), PIN)

    def deeds() -> None:
        practice.clinic.until_live()
        practice.until(lambda: len(practice.clinic.app.recent) == 1)
        practice.show_code("P-1")
        practice.touch("case", "live")
        practice.until_page(PageName.PATIENT)
        practice.clinic.app.session._recorder.inbox.send(Lock())
        practice.until_page(PageName.PIN)
        desk = practice.desk()
        assert (desk.patient, desk.lesions, desk.visits, desk.picture) == (None, (), (), None)
        practice.until(lambda: len(practice.clinic.app.recent) == 0)
        assert practice.clinic.view().case is None

    practice.use(deeds)


def enter_pin(practice: Practice, pin: str = PIN) -> None:
    for figure in pin:
        practice.touch(figure, "pin")
    practice.touch("open", "pin")
    practice.until(lambda: not practice.desk().locked)


def be_locked_while_deciding(practice: Practice) -> None:
    """Have the records locked in the middle of a decision, and capture another picture."""
    practice.open_patient("P-1")
    practice.open_first_lesion()
    practice.shoot("lesion")
    practice.touch("case", "live")
    practice.until_page(PageName.DECISION)
    practice.touch("excise", "decision")
    practice.touch("mel", "decision")
    practice.until(lambda: practice.clinic.app.session.state.page_state.diagnosis)
    practice.clinic.app.session._recorder.inbox.send(Lock())
    practice.until_page(PageName.PIN)
    # Another picture is taken meanwhile.
    practice.clinic.press(pygame.K_ESCAPE)
    practice.until_page(PageName.LIVE)
    practice.clinic.release()
    practice.clinic.take()
    practice.until(lambda: practice.clinic.live().kept == KeepStatus.SEALED)


def test_picture_held_when_a_decision_is_gone_on_with_is_let_go(practice: Practice) -> None:
    earlier_visit(practice.archive)
    practice.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), PIN)

    def deeds() -> None:
        be_locked_while_deciding(practice)
        # It is still held as the records are opened.
        practice.touch("more", "live")
        practice.touch("pin", "settings")
        practice.until_page(PageName.PIN)
        enter_pin(practice)
        practice.until_page(PageName.DECISION)
        assert practice.clinic.view().finding is None
        practice.touch("keep", "decision")
        practice.until(lambda: any(record.decision for record in practice.records()))
        practice.touch("back", "patient")
        practice.until_page(PageName.LIVE)
        seen = practice.clinic.app.frames.count
        practice.until(lambda: practice.clinic.app.frames.count > seen)
        practice.clinic.until_live()

    practice.use(deeds)


def test_decision_that_the_lock_interrupts_is_gone_on_with(practice: Practice) -> None:
    key = earlier_visit(practice.archive)
    practice.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), PIN)

    def deeds() -> None:
        be_locked_while_deciding(practice)
        practice.clinic.release()
        practice.touch("case", "live")
        practice.touch("worklist", "start")
        practice.until_page(PageName.PIN)
        enter_pin(practice)
        practice.until_page(PageName.DECISION)
        form = practice.clinic.view().form
        assert (form.action, form.diagnosis, form.resumed) == (Action.EXCISE, "mel", True)
        practice.until(lambda: practice.desk().patient)
        practice.touch("keep", "decision")
        practice.until_page(PageName.PATIENT)
        practice.until(lambda: any(record.decision for record in practice.records()))

    practice.use(deeds)
    (decided,) = (record for record in practice.records() if record.decision)
    assert (decided.lesion, decided.decision.action) == (key, Action.EXCISE)
    assert decided.finding is not None


def test_picture_taken_behind_the_lock_is_decided_once_it_is_opened(practice: Practice) -> None:
    practice.archive.set_pin(Holder("Dr Silva", Role.CLINICIAN), PIN)
    practice.archive.lock()

    def deeds() -> None:
        practice.until_page(PageName.PIN)
        practice.clinic.press(pygame.K_ESCAPE)
        practice.until_page(PageName.LIVE)
        practice.clinic.take()
        practice.until(lambda: practice.clinic.live().kept == KeepStatus.SEALED)
        practice.touch("case", "live")
        practice.until_page(PageName.DECISION)
        practice.touch("refer", "decision")
        practice.touch("keep", "decision")
        practice.until_page(PageName.PIN)
        enter_pin(practice)
        practice.until_page(PageName.DECISION)
        practice.touch("keep", "decision")
        practice.until(lambda: practice.records() and practice.records()[0].decision)

    practice.use(deeds)
    (record,) = practice.records()
    assert record.decision.action == Action.REFER


def test_proof_is_entered_and_takes_the_lesion_off_the_worklist(practice: Practice) -> None:
    earlier_visit(practice.archive)
    identifier = practice.records()[0].identifier
    form = DecisionForm(identifier, Action.EXCISE)
    practice.archive.decide(identifier, decision_of(form, NOW, Role.CLINICIAN))

    def deeds() -> None:
        practice.clinic.until_live()
        practice.touch("case", "live")
        practice.until_page(PageName.START)
        practice.touch("worklist", "start")
        practice.until(lambda: practice.desk().work)
        practice.touch("referred", "worklist")
        practice.until(lambda: practice.desk().work.entries)
        practice.touch("entry 1", "worklist")
        practice.until(lambda: practice.desk().visits)
        practice.touch("picture 1", "lesion")
        practice.until(lambda: practice.desk().picture)
        practice.touch("decide", "picture")
        practice.until_page(PageName.DECISION)
        practice.touch("mel", "decision")
        practice.touch("proof", "decision")
        practice.until(lambda: practice.clinic.app.session.state.page_state.proof)
        practice.touch("keep", "decision")
        practice.until(lambda: practice.records()[0].decision.proof)

    practice.use(deeds)
    decision = practice.records()[0].decision
    assert (decision.diagnosis, decision.proof) == ("mel", Proof.HISTOPATHOLOGY)
    assert decision.action == Action.EXCISE
    assert practice.archive.work_counts(NOW.date())[WorkKind.REFERRED] == 0


def test_pins_are_set_on_the_screen_and_open_the_records(practice: Practice) -> None:
    def letters(page: str, *keys: str) -> None:
        for key in keys:
            practice.touch(key, page)

    def deeds() -> None:
        state = lambda: practice.clinic.app.session.state  # noqa: E731
        practice.clinic.until_live()
        practice.touch("more", "live")
        practice.until_page(PageName.SETTINGS)
        practice.touch("pin", "settings")
        practice.until_page(PageName.PIN)
        assert practice.clinic.view().access.protection == "nothing"
        practice.touch("open", "pin")
        practice.until_page(PageName.HOLDERS)
        practice.touch("add", "holders")
        practice.until_page(PageName.HOLDER)
        practice.touch("name", "holder")
        practice.until_page(PageName.KEYBOARD)
        letters("keyboard", "a", "n", "a", "done")
        practice.until_page(PageName.HOLDER)
        practice.touch("set", "holder")
        practice.until_page(PageName.NEW_PIN)
        for _ in range(2):
            letters("newpin", *PIN, "next")
        practice.until_page(PageName.HOLDERS)
        practice.until(lambda: practice.clinic.view().holders)
        assert practice.archive.holders() == (Holder("Ana", Role.CLINICIAN),)
        assert practice.desk().access.holder == Holder("Ana", Role.CLINICIAN)
        # Her own: first with a wrong old one.
        practice.touch("own", "holders")
        practice.until_page(PageName.NEW_PIN)
        for old in ("999999", PIN):
            letters("newpin", *old, "next", *"123123", "next", *"123123", "next")
            if old != PIN:
                practice.until(lambda: practice.clinic.view().fault)
                assert state().page_state == NewPinForm()
        practice.until_page(PageName.HOLDERS)
        practice.touch("back", "holders")
        practice.until_page(PageName.PIN)
        practice.touch("lock", "pin")
        practice.until(lambda: practice.desk().locked)
        enter_pin(practice, "123123")

    practice.use(deeds)


def test_decision_about_a_picture_that_was_not_kept_is_told(practice: Practice) -> None:
    def deeds() -> None:
        practice.clinic.until_finding()
        practice.clinic.take()
        practice.until(lambda: practice.clinic.live().kept)
        practice.touch("case", "live")
        practice.until_page(PageName.DECISION)
        practice.archive.delete_examination(practice.records()[0].identifier)
        practice.touch("nothing", "decision")
        practice.touch("keep", "decision")
        practice.until(lambda: practice.desk().fault)
        # What was entered is not lost.
        practice.until_page(PageName.DECISION)
        practice.until(lambda: practice.clinic.view().fault)
        assert practice.clinic.view().form.action == Action.NOTHING

    practice.use(deeds)


def test_what_was_not_done_is_told_where_it_was_asked_for_and_not_again(
    practice: Practice,
) -> None:
    for identifier in ("P-1", "P-2"):
        practice.archive.add_patient(identifier)

    def deeds() -> None:
        practice.open_patient("P-3", PageName.DETAILS)
        practice.archive.add_patient("P-3")
        practice.touch("keep", "details")
        practice.until(lambda: practice.clinic.view().fault)
        practice.show_skin()
        practice.touch("back", "details")
        practice.until_page(PageName.START)
        assert practice.clinic.view().fault is None
        practice.touch("back", "start")
        practice.until_page(PageName.LIVE)
        assert practice.clinic.fault() == ""

    practice.use(deeds)
