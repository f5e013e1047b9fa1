"""Where the clinician is and what was chosen. Plain values: no screen, no camera."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from device.appearance import Theme
from device.diagnoses import Code
from device.inference.finding import Finding
from device.language import Language
from device.records.model import Polarization
from device.records.orders import Scheduled
from device.runtime.clinic_list import Appointments
from device.runtime.desk import Desk
from device.runtime.messages import Shot
from device.runtime.requests import LesionChoice, Request
from device.screen.events import Target
from device.screen.forms import Draft
from device.screen.registry import PageName

LOWEST_OPACITY: Final = 0.1


class Command(StrEnum):
    """What the program must do after a step that the screen alone cannot."""

    CAPTURE = "capture"
    RELEASE = "release"
    EXPLAIN = "explain"
    CALIBRATE = "calibrate"
    SAVE_PREFERENCES = "save preferences"
    SELF_TEST = "self-test"
    LOOK_FOR_MODELS = "look for models"
    INSTALL_MODEL = "install model"
    INSTALL_UPDATE = "install update"
    LOOK_AT_CLINIC_LIST = "look at the clinic's list"
    ASK_FOR_CLINIC_LIST = "ask for the clinic's list"
    QUIT = "quit"
    RESTART = "restart"
    POWER_OFF = "power off"


@dataclass(frozen=True, slots=True)
class State:
    """Where the clinician is and what was chosen.

    Attributes
    ----------
    page
        What is shown.
    frozen
        A picture is held, on whatever page.
    overlay
        Show the saliency.
    code
        For which diagnosis; None for the likeliest malignant one.
    opacity
        Of the overlay, `LOWEST_OPACITY` to 1.
    language
        Of every word.
    theme
        Of every colour.
    focus
        What Enter would press, where the keyboard is in use.
    limits_read
        What the instrument is not for was read.
    page_state
        What the page itself remembers while it is open; None when it is opened.
    appliance
        There is nothing behind the program that a finger could reach: it is not quit, but restarted
        or switched off, and only on a page that asks for it.
    lesion
        That the next picture is filed under; None to file it later.
    region
        The next picture shows the region, to find the lesion again.
    polarization
        The light that the next picture is taken in; None where that was not said.
    filing
        Identifier of a kept picture for which a lesion is chosen, or empty.
    names
        The clinic's settings allow patients' names.
    clinic_list
        Who is asked for the clinic's worklist, as the settings call it, or empty.
    draft
        A decision that was being entered when the records were locked, or None.
    """

    page: PageName = PageName.LIVE
    frozen: bool = False
    overlay: bool = False
    code: Code | None = None
    opacity: float = 0.6
    language: Language = Language.ENGLISH
    theme: Theme = Theme.DARK
    focus: Target | None = None
    limits_read: bool = True
    page_state: object = None
    appliance: bool = False
    lesion: LesionChoice | None = None
    region: bool = False
    polarization: Polarization | None = None
    filing: str = ""
    names: bool = False
    clinic_list: str = ""
    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a step depends on beside the state.

    Attributes
    ----------
    recent
        How many recent pictures there are to compare with.
    explained
        The diagnosis that the overlay is about, or None before the first finding.
    desk
        What lies on the desk of patients' records.
    shot
        The press of the shutter whose picture is held, or None.
    finding
        Of the picture that is held, or None.
    now
        Local time.
    appointments
        What the clinic's worklist said.
    listed
        Its entries that name the open patient, where none of them is taken up, or whoever was
        looked for and is nobody.
    """

    recent: int = 0
    explained: Code | None = None
    desk: Desk = field(default_factory=Desk)
    shot: Shot | None = None
    finding: Finding | None = None
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    appointments: Appointments = field(default_factory=Appointments)
    listed: tuple[Scheduled, ...] = ()


Step = tuple[State, Command | Request | None]


def with_page(state: State, page: PageName) -> State:
    """Return the state with another page open."""
    return replace(state, page=page, focus=None, page_state=None)


def without_lesion(state: State) -> State:
    """Return the state with no lesion chosen: the next picture is of none, nor of its region."""
    return replace(state, lesion=None, region=False)


def with_opacity(state: State, opacity: float) -> State:
    """Return the state with another opacity, within its bounds."""
    return replace(state, opacity=round(max(LOWEST_OPACITY, min(opacity, 1.0)), 2))
