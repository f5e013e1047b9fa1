"""The page of a lesion, beside the skin: its pictures, and the next one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.anatomy import BodyView
from device.faults import Fault
from device.inference.recommendation import Recommendation
from device.language import translatable
from device.records.model import PictureKind, Polarization
from device.records.patients import Lesion
from device.records.words import ACTIONS, site_line
from device.runtime.desk import Visit
from device.runtime.requests import CompareVisits, OpenLesion, OpenPicture
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.grid import below, rows_of_targets, tiled
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.pages.followup import FollowUpState, dermoscopic
from device.screen.pages.patient import PatientState
from device.screen.pages.picture import PictureState
from device.screen.records_wording import lesion_name, urgent
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page, without_lesion
from device.screen.view import ByIdentity, Case, LiveView, PageView, Snapshot
from device.screen.widgets import Card, draw_card, draw_empty, draw_fault
from device.screen.wording import Wording

_LIGHTS: Final[Mapping[Polarization | None, str]] = {
    None: translatable("Light?"),
    Polarization.POLARIZED: translatable("Polarized"),
    Polarization.UNPOLARIZED: translatable("Not polarized"),
}


class LesionControl(StrEnum):
    """The page's own targets, beside the pictures."""

    COMPARE = "compare"
    FOLLOW_UP = "follow up"
    LIVE = "live"
    REGION = "region"
    POLARIZED = "polarized"
    MOVE = "move"


class PictureSlot(StrEnum):
    """The newest pictures, the newest first."""

    FIRST = "picture 1"
    SECOND = "picture 2"
    THIRD = "picture 3"
    FOURTH = "picture 4"
    FIFTH = "picture 5"
    SIXTH = "picture 6"


@dataclass(frozen=True, slots=True, eq=False)
class LesionView(PageView):
    """A lesion.

    Attributes
    ----------
    beside
        The skin: the shutter takes what is seen there.
    visits
        The lesion's pictures, the newest first.
    region
        The next picture shows the region.
    polarization
        The light of the next picture.
    fault
        Why what was asked for last was not done, or None.
    kept
        It is kept: a new one is moved by going back and pointing elsewhere.
    """

    page: ClassVar[PageName] = PageName.LESION
    beside: LiveView
    visits: tuple[Visit, ...] = ()
    region: bool = False
    polarization: Polarization | None = None
    fault: Fault | None = None
    kept: bool = True


class LesionPage(Page):
    """Shows the pictures of a lesion, and takes the next one."""

    parent: ClassVar[PageName | None] = PageName.PATIENT

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, a button beside the name, three below, and the pictures below these."""
        row = (Control.SHUTTER, LesionControl.COMPARE, LesionControl.FOLLOW_UP, Control.BACK)
        panel, top = layout.panel, _top(layout)
        buttons = below(layout, top, panel)
        buttons.height = layout.target_height
        light = (LesionControl.LIVE, LesionControl.REGION, LesionControl.POLARIZED)
        pictures = tiled(layout, below(layout, buttons, panel), 2, 3)
        return {
            **dict(zip(row, layout.row, strict=True)),
            LesionControl.MOVE: layout.columns(top, 4)[-1],
            **dict(zip(light, layout.columns(buttons, 3), strict=True)),
            **dict(zip(PictureSlot, pictures, strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, the buttons, the pictures."""
        row = (Control.SHUTTER, LesionControl.COMPARE, LesionControl.FOLLOW_UP, Control.BACK)
        light = (LesionControl.LIVE, LesionControl.REGION, LesionControl.POLARIZED)
        return (*row, LesionControl.MOVE, *light, *PictureSlot)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Open a picture, compare, or say where the lesion lies or how the next one is taken."""
        visits = context.desk.visits_of(state.lesion)
        match target:
            case LesionControl.LIVE:
                return with_page(state, PageName.LIVE), None
            case LesionControl.COMPARE:
                return with_page(state, PageName.COMPARE), None
            case LesionControl.FOLLOW_UP:
                pair = dermoscopic(visits)
                if len(pair) < 2:
                    return state, None
                opened = with_page(state, PageName.FOLLOW_UP)
                return replace(opened, page_state=FollowUpState()), CompareVisits(
                    pair[1].record.identifier, pair[0].record.identifier
                )
            case LesionControl.MOVE:
                return _moved(state, context.desk.opened_as(state.lesion)), None
            case LesionControl.REGION:
                return replace(state, region=not state.region), None
            case LesionControl.POLARIZED:
                return replace(state, polarization=_next(state.polarization)), None
        place = list(PictureSlot).index(PictureSlot(target))
        if place >= len(visits):
            return state, None
        identifier = visits[place].record.identifier
        opened = with_page(state, PageName.PICTURE)
        return replace(opened, page_state=PictureState(identifier, PageName.LESION)), OpenPicture(
            identifier
        )

    @classmethod
    def left(cls, state: State) -> Step:
        """Go back to the patient, and close the lesion: the next picture is not of it."""
        return with_page(without_lesion(state), PageName.PATIENT), OpenLesion(None)

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the lesion's pictures, beside the skin."""
        state = snapshot.state
        desk = snapshot.desk
        return LesionView(
            snapshot.live,
            desk.visits_of(state.lesion),
            state.region,
            state.polarization,
            desk.fault,
            desk.opened_as(state.lesion) is not None,
        )

    def draw(self, view: LesionView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.field_view.draw(view.beside, wording)
        canvas, layout = self.canvas, self.canvas.layout
        places = self.places(layout)
        two = len(dermoscopic(view.visits)) > 1
        buttons: dict[Target, Button] = {
            LesionControl.COMPARE: Button(wording.translate("Compare")),
            LesionControl.FOLLOW_UP: Button(wording.translate("Changes"), False if two else None),
            LesionControl.MOVE: Button(wording.translate("Move"), False if view.kept else None),
            LesionControl.LIVE: Button(wording.translate("Live")),
            LesionControl.REGION: Button(wording.translate("Region"), view.region),
            LesionControl.POLARIZED: Button(
                wording.translate(_LIGHTS[view.polarization]), view.polarization is not None
            ),
        }
        self.draw_buttons(view, wording, buttons, frozen=view.beside.frozen is not None)
        columns = layout.columns(_top(layout), 4)
        header = columns[0].unionall(columns[1:3])
        canvas.part(
            header, (view.case, len(view.visits), view.fault),
            lambda shown: self._draw_header(header, *shown, wording),
        )  # fmt: skip
        for place, slot in enumerate(PictureSlot):
            self._draw_visit(places[slot], place, slot, view, wording)

    def _draw_header(
        self,
        area: Rect,
        case: Case | None,
        pictures: int,
        fault: Fault | None,
        wording: Wording,
    ) -> None:
        if fault is not None:
            draw_fault(self.canvas, area, fault, wording)
            return
        if case is None:
            return
        canvas, px = self.canvas, self.canvas.layout.px
        quiet = self.palette.quiet
        name = canvas.draw_text(
            lesion_name(case.lesion or 0, wording), 24, area.topleft, area.width, bold=True
        )
        said, colour = site_line(case.spot, wording), self.palette.text
        if pictures:
            counted = wording.translate("Pictures: {count}", count=pictures)
            at = (name.right + px(14), name.centery)
            canvas.draw_text(counted, theme.SMALL, at, area.right - at[0], quiet, anchor="midleft")
        else:
            said, colour = wording.translate("No picture yet: the shutter takes one."), quiet
        room = Rect(area.left, area.top + px(30), area.width, area.height - px(30))
        _, size = canvas.fitting(([said],), (20, theme.SMALL, 15, 13), room)
        canvas.draw_paragraph(said, size, room, colour)

    def _draw_visit(
        self, area: Rect, place: int, slot: Target, view: LesionView, wording: Wording
    ) -> None:
        canvas = self.canvas
        if place >= len(view.visits):
            canvas.part(area, None, lambda _: draw_empty(canvas, area))
            return
        visit = view.visits[place]
        record = visit.record
        asked = urgent(record)
        said = wording.translate("Not decided")
        if record.decision is not None:
            said = wording.translate(ACTIONS[record.decision.action])
        if record.kind is PictureKind.REGION:
            said = wording.translate("Region")
        card = Card(
            ByIdentity(visit.thumbnail),
            (f"{record.taken.astimezone():%Y-%m-%d}", said),
            warned=asked == Recommendation.REFER,
            focused=view.focus == slot,
            asked=asked,
        )
        canvas.part(area, card, lambda card: draw_card(canvas, area, card, beside=False))


def _top(layout: Layout) -> Rect:
    """Return where the lesion's name stands, and a button beside it."""
    panel = layout.panel
    return rows_of_targets(layout, panel.topleft, panel.width, 1)


def _moved(state: State, lesion: Lesion | None) -> State:
    """Return where a lesion that is kept is moved; a new one is pointed at anew."""
    if lesion is None:
        return state
    view = lesion.spot.view if lesion.spot is not None else BodyView.FRONT
    return replace(with_page(state, PageName.SPOT), page_state=PatientState(view))


def _next(light: Polarization | None) -> Polarization | None:
    """Return what a touch of the light's button leads to."""
    return {
        None: Polarization.POLARIZED,
        Polarization.POLARIZED: Polarization.UNPOLARIZED,
        Polarization.UNPOLARIZED: None,
    }[light]


PAGE = LesionPage
