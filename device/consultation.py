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
    if desk.locked and state.page in _BEHIND_THE_LOCK:
        return with_page(state, PageName.PIN)
    if desk.fault is not None:
        return state
    match desk.answered, state.page:
        case FindPatient(), PageName.START if desk.patient is not None:
            return with_page(state, PageName.PATIENT)
        case FindPatient(), PageName.START if desk.unknown:
            opened = with_page(state, PageName.DETAILS)
            return replace(opened, page_state=DetailsForm(desk.unknown))
        case AddPatient() | ChangePatient(), PageName.DETAILS:
            return with_page(state, PageName.PATIENT)
        case Unlock(), PageName.PIN:
            return with_page(state, PageName.LIVE)
    return state


def case_of(desk: Desk, state: State) -> Case | None:
    """Return whom and what the next picture is of, or None where no patient is open."""
    if desk.patient is None:
        return None
    number, spot = None, None
    if desk.opened is not None:
        number, spot = desk.opened.number, desk.opened.spot
    elif isinstance(desk.lesion, NewLesion):
        number, spot = 0, desk.lesion.spot
    filing = bool(state.filing)
    return Case(desk.patient.identifier, number, spot, state.region, filing)


def filing_of(desk: Desk, state: State) -> Filing:
    """Return what is known of the next picture before it is taken."""
    kind = PictureKind.REGION if state.region else PictureKind.DERMOSCOPIC
    return Filing(desk.lesion, kind, state.polarization)


def comparable(pictures: Iterable[Picture], desk: Desk) -> tuple[Picture, ...]:
    """Return the pictures of the lesion that is open; while none is, those that are of none.

    Another patient's lesion must never stand beside the present one without a word.
    """
    same: tuple[LesionChoice | None, ...] = (desk.lesion,)
    if desk.opened is not None:
        same = (desk.lesion, desk.opened.key)
    return tuple(picture for picture in pictures if picture.lesion in same)
