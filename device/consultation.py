"""Where the answers of the records lead the clinician, and whom the next picture is of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from device.records.model import PictureKind
from device.records.orders import Order, Scheduled
from device.records.roles import Permission, may
from device.runtime.desk import Desk
from device.runtime.messages import Picture
from device.runtime.requests import (
    AddPatient,
    ChangePatient,
    ChangePin,
    Decide,
    DeletePatient,
    Filing,
    FindPatient,
    LesionChoice,
    MoveLesion,
    NewLesion,
    OpenLesion,
    OpenScheduled,
    RemovePin,
    Request,
    SetPin,
    Unlock,
)
from device.screen.forms import DecisionForm, Draft, NewPinForm, form_of, new_details
from device.screen.pages.keyboard import KeyboardState, filled_in
from device.screen.pages.scheduled import ScheduledState
from device.screen.registry import PageName
from device.screen.state import State, with_page, without_lesion
from device.screen.view import Case

_AFTER_DECIDING: Final = frozenset({PageName.LIVE, PageName.PATIENT})
"""Where a decision leads before it is known whether it was kept."""

_LEADS: Final[Mapping[tuple[type, PageName], PageName]] = {
    (SetPin, PageName.NEW_PIN): PageName.HOLDERS,
    (ChangePin, PageName.NEW_PIN): PageName.HOLDERS,
    (RemovePin, PageName.HOLDER): PageName.HOLDERS,
    (MoveLesion, PageName.SPOT): PageName.LESION,
    **{
        (DeletePatient, page): PageName.START
        for page in (PageName.DELETION, PageName.PATIENT, PageName.DETAILS, PageName.LESION)
    },
}
"""Where what was done leads from the page that it was asked for on."""

_BEHIND_THE_LOCK: Final = frozenset(
    {
        PageName.START,
        PageName.FOUND,
        PageName.SCHEDULED,
        PageName.PATIENT,
        PageName.DETAILS,
        PageName.DELETION,
        PageName.LESION,
        PageName.SPOT,
        PageName.PICTURE,
        PageName.FOLLOW_UP,
        PageName.WORKLIST,
        PageName.KEYBOARD,
        PageName.DECISION,
        PageName.NOTE,
        PageName.HOLDERS,
        PageName.HOLDER,
        PageName.NEW_PIN,
    }
)


def followed(
    state: State, desk: Desk, before: Desk | None = None, listed: Sequence[Scheduled] = ()
) -> State:
    """Return where an answer leads.

    Parameters
    ----------
    state
        Where the clinician is now, who may have gone on before the answer came.
    desk
        With the answer.
    before
        What lay on the desk before it came.
    listed
        The entries of the clinic's worklist that name the patient on the desk, or whoever was
        looked for and is nobody.
    """
    if desk.locked:
        draft = _draft(state, desk, before or Desk()) or state.draft
        closed = replace(without_lesion(state), filing="", draft=draft)
        failed = isinstance(desk.answered, Decide) and draft is not None
        hidden = state.page in _BEHIND_THE_LOCK or failed
        return with_page(closed, PageName.PIN) if hidden else closed
    if desk.fault is not None:
        return _refused(state, desk)
    if isinstance(desk.answered, Unlock):
        # Whoever it is begins with no patient: nothing is filed under the one before.
        state = replace(without_lesion(state), filing="")
    leads = _LEADS.get((type(desk.answered), state.page))
    if leads is not None:
        # Where a patient is looked for, none is open.
        return with_page(without_lesion(state) if leads is PageName.START else state, leads)
    match desk.answered, state.page:
        case (
            (FindPatient(), PageName.START | PageName.FOUND)
            | (OpenScheduled(), PageName.SCHEDULED)
            | (AddPatient() | ChangePatient(), PageName.DETAILS)
        ) if desk.patient is not None:
            opened = with_page(without_lesion(state), PageName.PATIENT)
            chosen = isinstance(desk.answered, OpenScheduled | ChangePatient) or state.filing
            if len(listed) > 1 and not chosen:
                # Nobody can know which of them is meant.
                asked = ScheduledState(of_patient=True)
                return replace(with_page(opened, PageName.SCHEDULED), page_state=asked)
            return opened
        case FindPatient(), PageName.START if desk.matches.patients:
            return with_page(state, PageName.FOUND)
        case FindPatient(), PageName.START | PageName.FOUND if desk.unknown:
            opened = with_page(state, PageName.DETAILS)
            return replace(opened, page_state=new_details(desk.unknown, listed, state.names))
        case Unlock(), PageName.PIN:
            draft = state.draft
            if draft is not None and _may_resume(draft, desk):
                resumed = replace(state, draft=None, lesion=draft.lesion)
                return _deciding(resumed, replace(draft.form, resumed=True))
            return with_page(state, PageName.LIVE)
    return state


def _refused(state: State, desk: Desk) -> State:
    """Return where it goes on from what was not done."""
    if isinstance(desk.answered, Decide) and state.page in _AFTER_DECIDING and not state.frozen:
        # What was entered is not lost: it can be kept again.
        return _deciding(state, form_of(desk.answered.subject, desk.answered.decision))
    if state.page is PageName.NEW_PIN and isinstance(state.page_state, NewPinForm):
        return replace(state, page_state=NewPinForm(state.page_state.holder))
    if state.page is PageName.DELETION:
        return replace(state, page_state=None)
    return state


def reopened(before: State, after: State) -> Request | None:
    """Return what is to be laid on the desk again, where a draft was gone on with."""
    if before.draft is not None and after.draft is None and after.lesion is not None:
        return OpenLesion(after.lesion, before.draft.scheduled)
    return None


def _draft(state: State, desk: Desk, before: Desk) -> Draft | None:
    """Return the decision that was being entered as the records were locked, or None."""
    if isinstance(desk.answered, Decide):
        form: object = form_of(desk.answered.subject, desk.answered.decision)
    else:
        form = state.page_state
        if isinstance(form, KeyboardState):
            form = filled_in(form)
    if not isinstance(form, DecisionForm) or form == DecisionForm(form.subject):
        return None
    lesion = before.opened.key if before.opened is not None else None
    return Draft(form, before.role, lesion, before.scheduled)


def _may_resume(draft: Draft, desk: Desk) -> bool:
    if draft.role is not None:
        return desk.role == draft.role
    return may(desk.role, Permission.DECIDE)


def _deciding(state: State, form: DecisionForm) -> State:
    return replace(with_page(state, PageName.DECISION), page_state=form)


def case_of(desk: Desk, state: State) -> Case | None:
    """Return whom and what the next picture is of, or None where no patient is open."""
    if desk.patient is None:
        return None
    number, spot = None, None
    known = [entry.lesion for entry in desk.lesions if entry.lesion.key == state.lesion]
    opened = desk.opened_as(state.lesion)
    if opened is not None:
        known = [opened]
    if known:
        number, spot = known[0].number, known[0].spot
    elif isinstance(state.lesion, NewLesion):
        number, spot = 0, state.lesion.spot
    return Case(desk.patient.identifier, number, spot, state.region, bool(state.filing))


def filing_of(state: State, desk: Desk) -> Filing:
    """Return what is known of the next picture before it is taken."""
    kind = PictureKind.REGION if state.region else PictureKind.DERMOSCOPIC
    return Filing(state.lesion, kind, state.polarization, _order(state.lesion, desk))


def _order(lesion: LesionChoice | None, desk: Desk) -> Order | None:
    """Return the order of the patient on the desk, where the lesion is that patient's.

    Another one may have been chosen already that does not lie there yet.
    """
    if desk.scheduled is None or desk.patient is None or lesion is None:
        return None
    if isinstance(lesion, NewLesion):
        theirs = lesion.patient == desk.patient.key
    else:
        theirs = any(entry.lesion.key == lesion for entry in desk.lesions)
    return desk.scheduled.order if theirs else None


def comparable(pictures: Iterable[Picture], desk: Desk, state: State) -> tuple[Picture, ...]:
    """Return the pictures of the lesion that is open; while none is, those that are of none.

    Another patient's lesion must never stand beside the present one without a word.
    """
    same: tuple[LesionChoice | None, ...] = (state.lesion,)
    opened = desk.opened_as(state.lesion)
    if opened is not None:
        same = (state.lesion, opened.key)
    return tuple(picture for picture in pictures if picture.lesion in same)
