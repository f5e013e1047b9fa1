"""Where answers lead, and whom the next picture is of."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from device.anatomy import BodyView
from device.consultation import case_of, comparable, filing_of, followed, reopened
from device.faults import Fault
from device.records.access import Access, Holder, Protection
from device.records.model import PictureKind, Polarization
from device.records.patients import Action, Role
from device.runtime.desk import Desk, Matches
from device.runtime.messages import Picture
from device.runtime.requests import (
    AddPatient,
    ChangePatient,
    Decide,
    DeletePatient,
    FindPatient,
    Lock,
    MoveLesion,
    NewLesion,
    OpenLesion,
    OpenScheduled,
    Unlock,
)
from device.screen.forms import DecisionForm, DetailsForm, Draft, decision_of
from device.screen.pages.keyboard import Field, KeyboardState
from device.screen.pages.scheduled import ScheduledState
from device.screen.registry import PageName
from device.screen.state import State
from device.screen.view import Case
from tests.device.screen.record_states import FOREARM, LESIONS, NOON, PATIENT, SCHEDULED

OPEN = Access(Protection.PIN, Holder("Ana", Role.FIELD))
LOCKED = Access(Protection.PIN, None)
DESK = Desk(access=OPEN, patient=PATIENT, lesions=LESIONS)
FIND = FindPatient("P-004711")


def test_patient_who_is_found_is_shown_and_one_who_is_not_can_be_added() -> None:
    start = State(PageName.START, page_state="P-004711", lesion="c" * 32, filing="x")
    found = followed(start, replace(DESK, answered=FIND))
    assert (found.page, found.lesion, found.filing) == (PageName.PATIENT, None, "x")
    unknown = followed(start, Desk(access=OPEN, unknown="P-9", answered=FIND))
    assert (unknown.page, unknown.page_state) == (PageName.DETAILS, DetailsForm("P-9"))
    added = followed(unknown, replace(DESK, answered=AddPatient("P-9")))
    assert added.page == PageName.PATIENT


def test_patient_who_was_deleted_is_left_wherever_one_has_gone_on() -> None:
    gone = Desk(access=OPEN, answered=DeletePatient(PATIENT.key))
    for page in (PageName.DELETION, PageName.PATIENT, PageName.DETAILS, PageName.LESION):
        left = followed(State(page, lesion="c" * 32, page_state=True), gone)
        assert left == State(PageName.START)
    refused = replace(DESK, answered=gone.answered, fault=Fault("not allowed"))
    state = State(PageName.DELETION, page_state=True)
    assert followed(state, refused) == State(PageName.DELETION)


def test_lesion_that_was_moved_is_shown_where_it_is_now() -> None:
    asked = MoveLesion(LESIONS[1].lesion.key, FOREARM)
    state = State(PageName.SPOT, lesion=asked.lesion, page_state=1)
    moved = followed(state, replace(DESK, answered=asked))
    assert moved == State(PageName.LESION, lesion=asked.lesion)
    assert followed(state, replace(DESK, answered=asked, fault=Fault("full"))) == state


def test_beginning_of_an_identifier_leads_to_those_that_begin_so() -> None:
    desk = Desk(access=OPEN, unknown="P-", matches=Matches((PATIENT,)), answered=FIND)
    several = followed(State(PageName.START), desk)
    assert several.page == PageName.FOUND
    chosen = followed(several, replace(DESK, answered=FIND))
    assert chosen.page == PageName.PATIENT


@pytest.mark.parametrize("page", [PageName.LIVE, PageName.SETTINGS, PageName.WORKLIST])
def test_answer_leads_nobody_away_who_has_gone_on(page: PageName) -> None:
    assert followed(State(page), replace(DESK, answered=FIND)) == State(page)


def test_fault_leads_nowhere() -> None:
    start = State(PageName.START)
    assert followed(start, replace(DESK, answered=FIND, fault=Fault("full"))) == start


@pytest.mark.parametrize("page", [PageName.PATIENT, PageName.PICTURE, PageName.WORKLIST])
def test_lock_leads_to_the_pin_and_forgets_the_lesion(page: PageName) -> None:
    state = State(page, lesion="c" * 32, filing="x", region=True)
    locked = followed(state, Desk(access=LOCKED))
    assert (locked.page, locked.lesion, locked.filing) == (PageName.PIN, None, "")
    assert filing_of(locked, Desk(access=LOCKED)).kind is PictureKind.DERMOSCOPIC


def test_another_pin_begins_with_no_patient_though_nobody_had_locked() -> None:
    state = State(PageName.PIN, lesion="c" * 32, filing="x", region=True)
    entered = followed(state, Desk(access=OPEN, answered=Unlock("246801")), DESK)
    assert entered == State(PageName.LIVE)
    refused = Desk(access=OPEN, answered=Unlock("0"), fault=Fault("this PIN is nobody's"))
    assert followed(state, refused, DESK) == state


def test_picture_that_is_held_stays_when_the_records_are_locked() -> None:
    held = State(PageName.LIVE, frozen=True, lesion="c" * 32)
    locked = followed(held, Desk(access=LOCKED))
    assert (locked.page, locked.frozen, locked.lesion) == (PageName.LIVE, True, None)
    opened = followed(State(PageName.PIN), Desk(access=OPEN, answered=Unlock("1")))
    assert opened.page == PageName.LIVE


def test_next_picture_is_of_whom_the_screen_says() -> None:
    assert case_of(Desk(), State()) is None
    identifier = PATIENT.identifier
    assert case_of(DESK, State()) == Case(identifier)
    second = LESIONS[1].lesion
    assert case_of(DESK, State(lesion=second.key)) == Case(identifier, 2, FOREARM)
    new = NewLesion(PATIENT.key, FOREARM)
    assert case_of(DESK, State(lesion=new)) == Case(identifier, 0, FOREARM)
    kept = replace(DESK, lesion=new, opened=second)
    assert case_of(kept, State(lesion=new, region=True)) == Case(
        identifier, 2, FOREARM, region=True
    )
    # What still lies on the desk is not what was chosen since.
    third = LESIONS[2].lesion
    assert case_of(kept, State(lesion=third.key)).lesion == 3
    filing = filing_of(State(lesion=new, region=True, polarization=Polarization.POLARIZED), DESK)
    assert (filing.lesion, filing.kind) == (new, PictureKind.REGION)
    assert (filing.polarization, filing.order) == (Polarization.POLARIZED, None)


def test_picture_is_of_the_order_only_while_its_lesion_is_the_scheduled_patients() -> None:
    asked = replace(DESK, scheduled=SCHEDULED)
    own, new = LESIONS[1].lesion.key, NewLesion(PATIENT.key, FOREARM)
    for lesion in (own, new):
        assert filing_of(State(lesion=lesion), asked).order == SCHEDULED.order
    # Another patient's was chosen a moment ago, and does not lie on the desk yet.
    for lesion in ("f" * 32, NewLesion("f" * 32, FOREARM), None):
        assert filing_of(State(lesion=lesion), asked).order is None
    assert filing_of(State(lesion=own), replace(asked, patient=None)).order is None


def test_patient_whom_the_clinics_list_names_more_than_once_is_asked_about() -> None:
    two = (SCHEDULED, replace(SCHEDULED, time="1500"))
    start, found = State(PageName.START), replace(DESK, answered=FIND)
    asked = followed(start, found, None, two)
    assert (asked.page, asked.page_state) == (PageName.SCHEDULED, ScheduledState(of_patient=True))
    added = replace(DESK, answered=AddPatient("P-004711"))
    assert followed(State(PageName.DETAILS), added, None, two).page == PageName.SCHEDULED
    assert followed(start, found, None, two[:1]).page == PageName.PATIENT
    # A picture that is filed was taken for no order; and who was corrected has been asked.
    assert followed(replace(start, filing="x"), found, None, two).page == PageName.PATIENT
    changed = replace(DESK, answered=ChangePatient(PATIENT))
    assert followed(State(PageName.DETAILS), changed, None, two).page == PageName.PATIENT
    chosen = replace(DESK, answered=OpenScheduled(SCHEDULED), scheduled=SCHEDULED)
    assert followed(asked, chosen).page == PageName.PATIENT


def test_patient_who_is_not_known_is_added_with_what_the_clinics_list_tells() -> None:
    listed = (SCHEDULED, replace(SCHEDULED, time="1500"))
    start, unknown = State(PageName.START), Desk(access=OPEN, unknown="P-9", answered=FIND)
    told = DetailsForm("P-9", "", SCHEDULED.birth_year, SCHEDULED.sex)
    assert followed(start, unknown, None, listed).page_state == told
    named = followed(replace(start, names=True), unknown, None, listed[:1]).page_state
    assert named == replace(told, name=SCHEDULED.name)
    other = (*listed, replace(SCHEDULED, birth_year=1958))
    assert followed(start, unknown, None, other).page_state == DetailsForm("P-9")


def test_entry_of_the_clinics_list_leads_to_its_patient() -> None:
    desk = replace(DESK, scheduled=SCHEDULED, answered=OpenScheduled(SCHEDULED))
    state = State(PageName.SCHEDULED, lesion="c" * 32, filing="x", page_state=8)
    opened = followed(state, desk)
    assert (opened.page, opened.lesion, opened.filing) == (PageName.PATIENT, None, "x")
    refused = followed(state, replace(DESK, answered=desk.answered, fault=Fault("full")))
    assert refused == state
    assert followed(State(PageName.SCHEDULED), Desk(access=LOCKED)).page == PageName.PIN


def test_only_pictures_of_the_open_lesion_are_compared() -> None:
    field = np.zeros((2, 2, 3), np.uint8)
    new = NewLesion(PATIENT.key, replace(FOREARM, view=BodyView.FRONT))
    nobody, mine, others, fresh = (
        Picture(None, field, None, lesion) for lesion in (None, "a" * 32, "b" * 32, new)
    )
    every = (nobody, mine, others, fresh)
    assert comparable(every, DESK, State()) == (nobody,)
    assert comparable(every, DESK, State(lesion="a" * 32)) == (mine,)
    kept = replace(DESK, lesion=new, opened=replace_key("a" * 32))
    assert comparable(every, kept, State(lesion=new)) == (mine, fresh)


def replace_key(key: str) -> object:
    return msgspec.structs.replace(LESIONS[0].lesion, key=key)


BEFORE = replace(DESK, opened=LESIONS[1].lesion)
FORM = DecisionForm("x", Action.REFER, note="Itches")
DRAFT = Draft(FORM, Role.FIELD, LESIONS[1].lesion.key)


@pytest.mark.parametrize(
    ("page", "entered"),
    [
        (PageName.DECISION, FORM),
        (PageName.NOTE, FORM),
        (PageName.KEYBOARD, KeyboardState(Field.NOTE, "Itches", replace(FORM, note="It"))),
    ],
)
def test_decision_that_the_lock_interrupts_is_kept_and_offered_again(
    page: PageName, entered: object
) -> None:
    state = State(page, lesion=LESIONS[1].lesion.key, page_state=entered)
    locked = followed(state, Desk(access=LOCKED, answered=Lock()), BEFORE)
    assert (locked.page, locked.page_state, locked.draft) == (PageName.PIN, None, DRAFT)
    again = followed(locked, Desk(access=OPEN, answered=Unlock("1")), Desk(access=LOCKED))
    assert (again.page, again.page_state) == (PageName.DECISION, replace(FORM, resumed=True))
    assert (again.draft, again.lesion) == (None, LESIONS[1].lesion.key)
    assert reopened(locked, again) == OpenLesion(LESIONS[1].lesion.key)


def test_order_outlives_the_lock_with_the_decision_that_it_interrupts() -> None:
    state = State(PageName.DECISION, page_state=FORM, lesion=LESIONS[1].lesion.key)
    before = replace(BEFORE, scheduled=SCHEDULED)
    locked = followed(state, Desk(access=LOCKED, answered=Lock()), before)
    again = followed(locked, Desk(access=OPEN, answered=Unlock("1")), Desk(access=LOCKED))
    assert reopened(locked, again) == OpenLesion(LESIONS[1].lesion.key, SCHEDULED)


def test_draft_waits_for_the_role_that_began_it() -> None:
    locked = State(PageName.PIN, draft=DRAFT)
    clinician = Access(Protection.PIN, Holder("Dr", Role.CLINICIAN))
    other = followed(locked, Desk(access=clinician, answered=Unlock("1")))
    assert (other.page, other.draft, reopened(locked, other)) == (PageName.LIVE, DRAFT, None)
    # Nothing was entered since: what waits goes on waiting.
    assert followed(other, Desk(access=LOCKED, answered=Lock()), DESK).draft == DRAFT


def test_decision_entered_while_locked_is_offered_to_whoever_may_decide() -> None:
    asked = Decide("x", decision_of(FORM, NOON, Role.FIELD))
    refused = Desk(access=LOCKED, answered=asked, fault=Fault("the records are locked"))
    locked = followed(State(PageName.LIVE), refused, Desk(access=LOCKED))
    assert (locked.page, locked.draft) == (PageName.PIN, Draft(FORM))
    for role, page in ((Role.SERVICE, PageName.LIVE), (Role.FIELD, PageName.DECISION)):
        access = Access(Protection.PIN, Holder("A", role))
        assert followed(locked, Desk(access=access, answered=Unlock("1"))).page == page


def test_form_in_which_nothing_is_entered_is_no_draft() -> None:
    for entered in (None, DecisionForm("x"), DetailsForm("P-1")):
        state = State(PageName.DECISION, page_state=entered)
        assert followed(state, Desk(access=LOCKED, answered=Lock()), DESK).draft is None


@pytest.mark.parametrize("page", [PageName.PATIENT, PageName.LIVE, PageName.START])
def test_decision_that_cannot_be_kept_is_there_to_be_kept_again(page: PageName) -> None:
    asked = Decide("x", decision_of(FORM, NOON, Role.FIELD))
    failed = replace(DESK, answered=asked, fault=Fault("full"))
    state = followed(State(page), failed, DESK)
    if page == PageName.START:
        # Who has gone on is led nowhere.
        assert state == State(page)
    else:
        assert (state.page, state.page_state) == (PageName.DECISION, FORM)
