"""The page that asks before a patient is deleted for good."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.faults import Fault
from device.records.roles import Permission, may
from device.runtime.requests import DeletePatient
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.grid import gap
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import Context, State, Step
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording

_SIZES: Final = (24, theme.BODY, 20, theme.SMALL, 15, 13)


class DeletionControl(StrEnum):
    """The page's own target."""

    DELETE = "delete for good"


@dataclass(frozen=True, slots=True, eq=False)
class DeletionView(PageView):
    """The question whether a patient is to be deleted.

    Attributes
    ----------
    patient
        The identifier.
    lesions, pictures
        How many go too.
    waiting
        It is being done.
    fault
        Why it was not, or None.
    frozen
        A picture is held.
    """

    page: ClassVar[PageName] = PageName.DELETION
    patient: str = ""
    lesions: int = 0
    pictures: int = 0
    waiting: bool = False
    fault: Fault | None = None
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class _Question:
    """The slice of a view that is asked."""

    patient: str
    lesions: int
    pictures: int
    fault: Fault | None


class DeletionPage(Page):
    """Says what goes when a patient is deleted, and asks once more."""

    parent: ClassVar[PageName | None] = PageName.PATIENT

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the ends of the row, and the answer on the page.

        Nothing is where the finger was that came here: it may come down twice.
        """
        page, height = layout.page, layout.target_height
        top = page.bottom - 2 * (height + gap(layout))
        return {
            Control.SHUTTER: layout.row[0],
            Control.BACK: layout.row[-1],
            DeletionControl.DELETE: Rect(page.centerx, top, page.width // 2, height),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the buttons of the row, then the answer."""
        return (Control.SHUTTER, Control.BACK, DeletionControl.DELETE)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Delete the patient."""
        patient, allowed = context.desk.patient, may(context.desk.role, Permission.DELETE)
        if patient is None or not allowed or state.frozen or state.page_state is True:
            return state, None
        return replace(state, page_state=True), DeletePatient(patient.key)

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return what would be deleted."""
        desk, state = snapshot.desk, snapshot.state
        return DeletionView(
            desk.patient.identifier if desk.patient else "",
            len(desk.lesions),
            sum(entry.pictures for entry in desk.lesions),
            state.page_state is True,
            desk.fault,
            state.frozen,
        )

    def draw(self, view: DeletionView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        answer = Button(wording.translate("Delete for good"))
        if view.waiting:
            answer = Button(wording.translate("Deleting"), None)
        self.draw_buttons(view, wording, {DeletionControl.DELETE: answer}, frozen=view.frozen)
        layout = self.canvas.layout
        page = layout.page
        bottom = self.places(layout)[DeletionControl.DELETE].top - gap(layout)
        above = Rect(page.left, page.top, page.width, bottom - page.top)
        shown = _Question(view.patient, view.lesions, view.pictures, view.fault)
        self.canvas.part(above, shown, lambda shown: self._draw_question(above, shown, wording))

    def _draw_question(self, area: Rect, shown: _Question, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        question = wording.translate("Delete {patient}?", patient=shown.patient)
        canvas.draw_text(question, theme.HEADLINE, area.topleft, area.width, bold=True)
        room = Rect(area.left, area.top + px(52), area.width, area.height - px(52))
        said = _said(shown, wording)
        if shown.fault is not None:
            said = ["", wording.sentence(shown.fault)]
        _, size = canvas.fitting((said,), _SIZES, room)
        top = room.top
        for words, colour in zip(said, (self.palette.text, self.palette.warning), strict=True):
            below = Rect(room.left, top, room.width, room.bottom - top)
            top = canvas.draw_paragraph(words, size, below, colour)


def _said(shown: _Question, wording: Wording) -> list[str]:
    """Return what goes, and that it does not come back."""
    return [
        wording.translate(
            "The patient goes, with every lesion ({lesions}) and picture ({pictures}), what the "
            "model said of them, and every decision and note.",
            lesions=shown.lesions,
            pictures=shown.pictures,
        ),
        wording.translate(
            "This cannot be undone. Backups keep them until they are brought up to date; what was "
            "sent to other systems stays there."
        ),
    ]


PAGE = DeletionPage
