"""The page with the patients whose identifier begins with what was typed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.records.patients import Patient
from device.runtime.desk import Matches
from device.runtime.requests import FindPatient
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.forms import new_details
from device.screen.headings import draw_heading, eight_choices, heading_area
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.records_wording import about
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording


class FoundControl(StrEnum):
    """The page's own targets: a place for each patient."""

    ADD = "add"
    FIRST = "patient 1"
    SECOND = "patient 2"
    THIRD = "patient 3"
    FOURTH = "patient 4"
    FIFTH = "patient 5"
    SIXTH = "patient 6"
    SEVENTH = "patient 7"
    EIGHTH = "patient 8"


_PLACES: Final = tuple(FoundControl)[1:]


@dataclass(frozen=True, slots=True, eq=False)
class FoundView(PageView):
    """Patients of which one may be meant.

    Attributes
    ----------
    typed
        What their identifiers begin with.
    matches
        The patients.
    frozen
        A picture is held.
    """

    page: ClassVar[PageName] = PageName.FOUND
    typed: str
    matches: Matches
    frozen: bool = False


class FoundPage(Page):
    """Chooses one of several patients, or adds a new one."""

    parent: ClassVar[PageName | None] = PageName.START

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, and two columns of patients."""
        return {
            Control.SHUTTER: layout.row[0],
            FoundControl.ADD: layout.row[1].union(layout.row[2]),
            Control.BACK: layout.row[3],
            **dict(zip(_PLACES, eight_choices(layout), strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then the patients."""
        return (Control.SHUTTER, FoundControl.ADD, Control.BACK, *_PLACES)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Open one of them, or add a patient of the identifier that was typed."""
        desk = context.desk
        if target == FoundControl.ADD:
            form = new_details(desk.unknown, context.listed, state.names)
            return replace(with_page(state, PageName.DETAILS), page_state=form), None
        place, found = _PLACES.index(FoundControl(target)), desk.matches.patients
        if place >= len(found):
            return state, None
        return state, FindPatient(found[place].identifier)

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the patients."""
        desk = snapshot.desk
        return FoundView(desk.unknown, desk.matches, snapshot.state.frozen)

    def draw(self, view: FoundView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        found = view.matches.patients
        buttons: dict[Target, Button] = {
            FoundControl.ADD: Button(wording.translate("Add patient")),
            **{
                control: Button(_line(found[place], wording) if place < len(found) else "",
                                False if place < len(found) else None)
                for place, control in enumerate(_PLACES)
            },
        }  # fmt: skip
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        above = heading_area(self.canvas.layout)
        said = wording.translate("Which patient is meant?")
        if view.matches.more:
            said = wording.translate("There are more than these: type more of the identifier.")
        self.canvas.part(
            above, (f"{view.typed} …", said),
            lambda shown: draw_heading(self.canvas, above, *shown, self.palette.quiet),
        )  # fmt: skip


def _line(patient: Patient, wording: Wording) -> str:
    known = about(patient, wording)
    return f"{patient.identifier}: {known}" if known else patient.identifier


PAGE = FoundPage
