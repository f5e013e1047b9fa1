"""Where the answers of the records lead the clinician, and whom the next picture is of."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from device.records.model import PictureKind
from device.runtime.desk import Desk
from device.runtime.messages import Picture
from device.runtime.requests import (
    AddPatient,
    ChangePatient,
    Filing,
    FindPatient,
    LesionChoice,
    NewLesion,
    Unlock,
)
from device.screen.forms import DetailsForm
from device.screen.registry import PageName
from device.screen.state import State, with_page
from device.screen.view import Case

_BEHIND_THE_LOCK: Final = frozenset(
    {
        PageName.START,
        PageName.PATIENT,
        PageName.DETAILS,
        PageName.LESION,
        PageName.PICTURE,
        PageName.FOLLOW_UP,
        PageName.WORKLIST,
        PageName.KEYBOARD,
    }
)


def followed(state: State, desk: Desk) -> State:
    """Return where an answer leads.

    Parameters
    ----------
    state
        Where the clinician is now, who may have gone on before the answer came.
    desk
        With the answer.
    """
    if desk.locked:
        closed = replace(state, lesion=None, filing="")
        return with_page(closed, PageName.PIN) if state.page in _BEHIND_THE_LOCK else closed
    if desk.fault is not None:
        return state
    match desk.answered, state.page:
        case FindPatient(), PageName.START if desk.patient is not None:
            return replace(with_page(state, PageName.PATIENT), lesion=None)
        case FindPatient(), PageName.START if desk.unknown:
            opened = with_page(state, PageName.DETAILS)
            return replace(opened, page_state=DetailsForm(desk.unknown))
        case AddPatient() | ChangePatient(), PageName.DETAILS:
            return replace(with_page(state, PageName.PATIENT), lesion=None)
        case Unlock(), PageName.PIN:
            return with_page(state, PageName.LIVE)
    return state


def case_of(desk: Desk, state: State) -> Case | None:
    """Return whom and what the next picture is of, or None where no patient is open."""
    if desk.patient is None:
        return None
    number, spot = None, None
    known = [entry.lesion for entry in desk.lesions if entry.lesion.key == state.lesion]
    if desk.opened is not None and desk.lesion == state.lesion:
        known = [desk.opened]
    if known:
        number, spot = known[0].number, known[0].spot
    elif isinstance(state.lesion, NewLesion):
        number, spot = 0, state.lesion.spot
    return Case(desk.patient.identifier, number, spot, state.region, bool(state.filing))


def filing_of(state: State) -> Filing:
    """Return what is known of the next picture before it is taken."""
    kind = PictureKind.REGION if state.region else PictureKind.DERMOSCOPIC
    return Filing(state.lesion, kind, state.polarization)


def comparable(pictures: Iterable[Picture], desk: Desk, state: State) -> tuple[Picture, ...]:
    """Return the pictures of the lesion that is open; while none is, those that are of none.

    Another patient's lesion must never stand beside the present one without a word.
    """
    same: tuple[LesionChoice | None, ...] = (state.lesion,)
    if desk.opened is not None and desk.lesion == state.lesion:
        same = (state.lesion, desk.opened.key)
    return tuple(picture for picture in pictures if picture.lesion in same)
