"""Where answers lead, and whom the next picture is of."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from device.anatomy import BodyView
from device.consultation import case_of, comparable, filing_of, followed
from device.faults import Fault
from device.records.access import Access, Holder, Protection
from device.records.model import PictureKind, Polarization
from device.records.patients import Role
from device.runtime.desk import Desk
from device.runtime.messages import Picture
from device.runtime.requests import AddPatient, FindPatient, NewLesion, Unlock
from device.screen.forms import DetailsForm
from device.screen.registry import PageName
from device.screen.state import State
from device.screen.view import Case
from tests.device.screen.record_states import FOREARM, LESIONS, PATIENT

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


@pytest.mark.parametrize("page", [PageName.LIVE, PageName.SETTINGS, PageName.WORKLIST])
def test_answer_leads_nobody_away_who_has_gone_on(page: PageName) -> None:
    assert followed(State(page), replace(DESK, answered=FIND)) == State(page)


def test_fault_leads_nowhere() -> None:
    start = State(PageName.START)
    assert followed(start, replace(DESK, answered=FIND, fault=Fault("full"))) == start


@pytest.mark.parametrize("page", [PageName.PATIENT, PageName.PICTURE, PageName.WORKLIST])
def test_lock_leads_to_the_pin_and_forgets_the_lesion(page: PageName) -> None:
    locked = followed(State(page, lesion="c" * 32, filing="x"), Desk(access=LOCKED))
    assert (locked.page, locked.lesion, locked.filing) == (PageName.PIN, None, "")


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
    filing = filing_of(State(lesion=new, region=True, polarization=Polarization.POLARIZED))
    assert (filing.lesion, filing.kind) == (new, PictureKind.REGION)
    assert filing.polarization == Polarization.POLARIZED


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
