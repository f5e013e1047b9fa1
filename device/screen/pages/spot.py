"""The page on which a lesion that was put on the wrong place is moved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pygame import Rect

from device.anatomy import BodySpot
from device.body.atlas import spots
from device.faults import Fault
from device.records.words import site_line
from device.runtime.desk import LesionEntry
from device.runtime.requests import MoveLesion
from device.screen import theme
from device.screen.events import Place, Target
from device.screen.grid import below
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.pages.patient import (
    PatientControl,
    PatientPage,
    PatientState,
    ViewControl,
    map_of,
    shown_of,
    turned,
    view_buttons,
    views_area,
)
from device.screen.records_wording import lesion_name
from device.screen.registry import PageName
from device.screen.state import Context, State, Step
from device.screen.view import Case, PageView, Snapshot
from device.screen.widgets import draw_body, draw_fault, spot_touched
from device.screen.wording import Wording


@dataclass(frozen=True, slots=True, eq=False)
class SpotView(PageView):
    """Where a lesion lies.

    Attributes
    ----------
    lesions
        All of the patient's, to find the way.
    shown
        View of the body.
    frozen
        A picture is held.
    fault
        Why it was not moved, or None.
    """

    page: ClassVar[PageName] = PageName.SPOT
    lesions: tuple[LesionEntry, ...] = ()
    shown: PatientState = field(default_factory=PatientState)
    frozen: bool = False
    fault: Fault | None = None


class SpotPage(Page):
    """Moves the lesion that is open to where the body is touched."""

    parent: ClassVar[PageName | None] = PageName.LESION
    keys: ClassVar[Mapping[str, Target]] = PatientPage.keys

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the ends of the row, the map in the place of the skin, and its views."""
        patient = PatientPage.places(layout)
        own = (Control.SHUTTER, Control.BACK, PatientControl.MAP, *ViewControl)
        return {target: patient[target] for target in own}

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the ends of the row, the map, the views."""
        return (Control.SHUTTER, Control.BACK, PatientControl.MAP, *ViewControl)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Turn the body, or move the lesion to where the keyboard points."""
        if target == PatientControl.MAP:
            shown = shown_of(state)
            if shown.cursor is None:
                return state, None
            return _moved(state, spots(shown.view)[shown.cursor], context)
        return turned(state, target) or state, None

    @classmethod
    def touched(cls, state: State, target: Target, place: Place, context: Context) -> Step:
        """Move the lesion to where a finger is on the body."""
        if target != PatientControl.MAP:
            return cls.pressed(state, target, context)
        return _moved(state, spot_touched(shown_of(state).view, place), context)

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the body with the patient's lesions."""
        desk, state = snapshot.desk, snapshot.state
        return SpotView(desk.lesions, shown_of(state), state.frozen, desk.fault)

    def draw(self, view: SpotView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        canvas, layout = self.canvas, self.canvas.layout
        self.draw_buttons(view, wording, view_buttons(view.shown.view, wording), frozen=view.frozen)
        panel, views = layout.panel, views_area(layout)
        header = Rect(panel.left, panel.top, panel.width, views.top - panel.top - layout.px(4))
        canvas.part(header, view.case, lambda case: self._draw_header(header, case, wording))
        foot = below(layout, views, panel)
        canvas.part(foot, view.fault, lambda fault: self._draw_foot(foot, fault, wording))
        area = self.places(layout)[PatientControl.MAP]
        shown = map_of(view.lesions, view.shown, view.focus, wording)
        canvas.part(area, shown, lambda shown: draw_body(canvas, area, shown, wording))

    def _draw_header(self, area: Rect, case: Case | None, wording: Wording) -> None:
        if case is None:
            return
        canvas, px = self.canvas, self.canvas.layout.px
        name = lesion_name(case.lesion or 0, wording)
        canvas.draw_text(name, 28, area.topleft, area.width, bold=True)
        at = (area.left, area.top + px(36))
        site = site_line(case.spot, wording)
        canvas.draw_text(site, theme.SMALL, at, area.width, self.palette.quiet)

    def _draw_foot(self, area: Rect, fault: Fault | None, wording: Wording) -> None:
        if fault is not None:
            draw_fault(self.canvas, area, fault, wording)
            return
        said = wording.translate("Touch where the lesion really lies.")
        self.canvas.draw_paragraph(said, theme.BODY, area, self.palette.touch)


def _moved(state: State, spot: BodySpot | None, context: Context) -> Step:
    lesion = context.desk.opened_as(state.lesion)
    if spot is None or lesion is None:
        return state, None
    return state, MoveLesion(lesion.key, spot)


PAGE = SpotPage
