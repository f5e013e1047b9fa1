"""The page of a patient: the map of the body and the lesions on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.anatomy import BodySpot, BodyView
from device.body.atlas import spots
from device.faults import Fault
from device.inference.recommendation import Recommendation
from device.language import translatable
from device.records.orders import Scheduled
from device.records.patients import Action, Patient
from device.records.words import site_line
from device.runtime.desk import LesionEntry
from device.runtime.requests import (
    ClosePatient,
    FileExamination,
    LesionChoice,
    NewLesion,
    OpenLesion,
)
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Place, Target
from device.screen.forms import DetailsForm
from device.screen.grid import below, rows_of_targets, stacked, tiled
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.records_wording import (
    UNLIKE,
    VIEWS,
    about,
    asked_for,
    contradicted,
    decided,
    lesion_name,
    order_line,
    urgent,
)
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page, without_lesion
from device.screen.view import ByIdentity, PageView, Snapshot
from device.screen.widgets import (
    Card,
    Dot,
    MapSlice,
    draw_body,
    draw_card,
    draw_empty,
    draw_fault,
    nearest,
    spot_touched,
)
from device.screen.wording import Wording

_SLOTS: Final = 3
_NEAR: Final = 0.022
"""Of a drawing's height: a finger that comes down so near to a lesion means it."""

_HEADER: Final = 66


class ViewControl(StrEnum):
    """Views of the body that can be turned to."""

    FRONT = "front"
    BACK = "back-view"
    HANDS = "hands"
    FEET = "feet"
    HEAD = "head"
    SIDE = "side"


class PatientControl(StrEnum):
    """The page's own targets, beside the views.

    The last two are keys, and on no button: what the keyboard points at on the map.
    """

    DETAILS = "details"
    MORE = "more"
    MAP = "map"
    FIRST = "lesion 1"
    SECOND = "lesion 2"
    THIRD = "lesion 3"
    NEXT_SPOT = "next spot"
    LAST_SPOT = "last spot"


_LESIONS: Final = (PatientControl.FIRST, PatientControl.SECOND, PatientControl.THIRD)
_VIEW_OF: Final[Mapping[Target, BodyView]] = {
    ViewControl.FRONT: BodyView.FRONT,
    ViewControl.BACK: BodyView.BACK,
    ViewControl.HANDS: BodyView.HANDS,
    ViewControl.FEET: BodyView.FEET,
    ViewControl.HEAD: BodyView.HEAD_FRONT,
}


@dataclass(frozen=True, slots=True)
class PatientState:
    """What the page remembers.

    Attributes
    ----------
    view
        Of the body.
    first
        Which lesion stands first in the list.
    cursor
        Which spot the keyboard points at; None where it was not used.
    """

    view: BodyView = BodyView.FRONT
    first: int = 0
    cursor: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PatientView(PageView):
    """A patient.

    Attributes
    ----------
    patient
        Who; None until it is read.
    lesions
        The patient's.
    shown
        View of the body, and where the list begins.
    frozen
        A picture is held.
    filing
        A lesion is chosen for a picture that is kept already.
    fault
        Why what was asked for last was not done, or None.
    scheduled
        The entry of the clinic's worklist that pictures are taken for, or None.
    choices
        How many entries name the patient, where none of several was chosen.
    """

    page: ClassVar[PageName] = PageName.PATIENT
    patient: Patient | None
    lesions: tuple[LesionEntry, ...] = ()
    shown: PatientState = PatientState()
    frozen: bool = False
    filing: bool = False
    fault: Fault | None = None
    scheduled: Scheduled | None = None
    choices: int = 0


class PatientPage(Page):
    """Chooses a lesion: on the body, or from the list."""

    back_label: ClassVar[str] = translatable("Close")
    keys: ClassVar[Mapping[str, Target]] = {
        ".": PatientControl.NEXT_SPOT,
        ",": PatientControl.LAST_SPOT,
    }

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, the map in the place of the skin, views and lesions in the panel."""
        row = (Control.SHUTTER, PatientControl.DETAILS, PatientControl.MORE, Control.BACK)
        views = views_area(layout)
        lesions = stacked(layout, below(layout, views, layout.panel), _SLOTS)
        return {
            **dict(zip(row, layout.row, strict=True)),
            PatientControl.MAP: layout.field_area,
            **dict(zip(ViewControl, tiled(layout, views, 2, 3), strict=True)),
            **dict(zip(_LESIONS, lesions, strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, the map, the views, the lesions."""
        row = (Control.SHUTTER, PatientControl.DETAILS, PatientControl.MORE, Control.BACK)
        return (*row, PatientControl.MAP, *ViewControl, *_LESIONS)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Turn the body, or open a lesion or the patient's details."""
        shown, lesions = shown_of(state), context.desk.lesions
        match target:
            case PatientControl.DETAILS:
                form = details_of(context.desk.patient)
                return replace(with_page(state, PageName.DETAILS), page_state=form), None
            case PatientControl.MORE:
                first = shown.first + _SLOTS
                first = first if first < len(lesions) else 0
                return replace(state, page_state=replace(shown, first=first)), None
            case PatientControl.MAP:
                spot = spots(shown.view)[shown.cursor or 0]
                return _chosen(state, spot, context)
        if target in _LESIONS:
            place = shown.first + _LESIONS.index(PatientControl(target))
            if place < len(lesions):
                return open_lesion(state, lesions[place].lesion.key)
            return state, None
        return turned(state, target) or state, None

    @classmethod
    def touched(cls, state: State, target: Target, place: Place, context: Context) -> Step:
        """Open the lesion that a finger means on the body, or a new one there."""
        if target != PatientControl.MAP:
            return cls.pressed(state, target, context)
        spot = spot_touched(shown_of(state).view, place)
        return _chosen(state, spot, context) if spot else (state, None)

    @classmethod
    def left(cls, state: State) -> Step:
        """Close the patient."""
        closed = replace(with_page(without_lesion(state), PageName.LIVE), filing="")
        return closed, ClosePatient()

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the patient and the lesions."""
        desk, state = snapshot.desk, snapshot.state
        return PatientView(
            desk.patient,
            desk.lesions,
            shown_of(state),
            state.frozen,
            bool(state.filing),
            desk.fault,
            desk.scheduled,
            len(snapshot.listed),
        )

    def draw(self, view: PatientView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        canvas, layout = self.canvas, self.canvas.layout
        places, shown = self.places(layout), view.shown
        many = len(view.lesions) > _SLOTS
        buttons: dict[Target, Button] = {
            PatientControl.DETAILS: Button(wording.translate("Details")),
            PatientControl.MORE: Button(wording.translate("More lesions"), False if many else None),
            **view_buttons(shown.view, wording),
        }
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        header = Rect(layout.panel.left, layout.panel.top, layout.panel.width, layout.px(_HEADER))
        canvas.part(
            header,
            (view.patient, view.filing, view.fault, view.scheduled, view.choices),
            lambda shown: self._draw_header(header, *shown, wording),
        )
        area = places[PatientControl.MAP]
        canvas.part(
            area,
            map_of(view.lesions, view.shown, view.focus, wording),
            lambda shown: draw_body(canvas, area, shown, wording),
        )
        for i, target in enumerate(_LESIONS):
            self._draw_lesion(places[target], shown.first + i, target, view, wording)

    def _draw_header(
        self,
        area: Rect,
        patient: Patient | None,
        filing: bool,
        fault: Fault | None,
        scheduled: Scheduled | None,
        choices: int,
        wording: Wording,
    ) -> None:
        if patient is None:
            return
        canvas, px = self.canvas, self.canvas.layout.px
        if fault is not None:
            draw_fault(canvas, area, fault, wording)
            return
        canvas.draw_text(patient.identifier, 28, area.topleft, area.width, bold=True)
        said = about(patient, wording) or wording.translate("Touch where the lesion lies.")
        colour = self.palette.quiet
        if scheduled is not None:
            otherwise = contradicted(patient, scheduled, wording)
            known = about(patient, wording)
            said = " · ".join(word for word in (known, order_line(scheduled)) if word) or said
            if otherwise:
                said = wording.translate("Clinic's list: {said}", said=otherwise)
                said, colour = f"{said} · {known}", self.palette.warning
        elif choices > 1:
            said = wording.translate("Clinic's list: none of {count} chosen", count=choices)
            colour = self.palette.warning
        if filing:
            said = wording.translate("Which lesion is the picture of?")
            colour = self.palette.touch
        canvas.draw_text(said, theme.SMALL, (area.left, area.top + px(36)), area.width, colour)

    def _draw_lesion(
        self, area: Rect, place: int, target: Target, view: PatientView, wording: Wording
    ) -> None:
        canvas = self.canvas
        if place >= len(view.lesions):
            canvas.part(area, None, lambda _: draw_empty(canvas, area))
            return
        entry = view.lesions[place]
        newest = entry.newest
        name = lesion_name(entry.lesion.number, wording)
        where = site_line(entry.lesion.spot, wording)
        lines = [f"{name}  {where}".rstrip()]
        warned = False
        if newest is not None:
            day = f"{newest.record.taken.astimezone():%Y-%m-%d}"
            # What an earlier picture is to be excised for is not undone by a newer one.
            decision = newest.record.decision or entry.decision
            pending = decision is not None and decision.action in (Action.REFER, Action.EXCISE)
            said = decided(decision if pending else newest.record.decision, wording)
            lines.append(f"{day}  {said}")
            if not pending:
                lines += asked_for(newest.record, wording)
            warned = pending or urgent(newest.record) == Recommendation.REFER
        if entry.unlike:
            lines[2:] = [" · ".join((*lines[2:], wording.translate(UNLIKE)))]
            warned = True
        picture = ByIdentity(newest.thumbnail if newest else None)
        card = Card(picture, tuple(lines), warned, view.focus == target)
        canvas.part(area, card, lambda card: draw_card(canvas, area, card, beside=True))


def view_buttons(view: BodyView, wording: Wording) -> dict[Target, Button]:
    """Return the buttons that turn the body."""
    return {
        **{
            control: Button(wording.translate(VIEWS[body]), body == view)
            for control, body in _VIEW_OF.items()
        },
        ViewControl.SIDE: Button(
            wording.translate(VIEWS[_turned(view, ViewControl.SIDE)]),
            view in (BodyView.HEAD_LEFT, BodyView.HEAD_RIGHT),
        ),
    }


def map_of(
    lesions: Sequence[LesionEntry], shown: PatientState, focus: Target | None, wording: Wording
) -> MapSlice:
    """Return what the map of the body shows."""
    dots = tuple(
        Dot(entry.lesion.spot, str(entry.lesion.number))
        for entry in lesions
        if entry.lesion.spot is not None and entry.lesion.spot.view == shown.view
    )
    cursor = None
    if shown.cursor is not None:
        spot = spots(shown.view)[shown.cursor]
        cursor = spot, site_line(spot, wording)
    return MapSlice(shown.view, dots, cursor, focused=focus == PatientControl.MAP)


def turned(state: State, target: Target) -> State | None:
    """Return where turning the body leads, or pointing at it with keys; None for another target."""
    shown = shown_of(state)
    if target in (PatientControl.NEXT_SPOT, PatientControl.LAST_SPOT):
        by = 1 if target == PatientControl.NEXT_SPOT else -1
        count = len(spots(shown.view))
        cursor = 0 if shown.cursor is None else (shown.cursor + by) % count
        pointed = replace(shown, cursor=cursor)
        return replace(state, page_state=pointed, focus=PatientControl.MAP)
    if target in tuple(ViewControl):
        view = _turned(shown.view, target)
        return replace(state, page_state=replace(shown, view=view, cursor=None))
    return None


def details_of(patient: Patient | None) -> DetailsForm | None:
    """Return a patient as a form."""
    if patient is None:
        return None
    return DetailsForm(
        patient.identifier,
        patient.name,
        patient.birth_year,
        patient.sex,
        patient.phototype,
        patient,
    )


def open_lesion(state: State, choice: LesionChoice) -> Step:
    """Return where choosing a lesion leads: to its page, and with a picture for it, that is filed.

    It is the next one that is photographed.
    """
    opened = replace(with_page(state, PageName.LESION), filing="", region=False, lesion=choice)
    if state.filing:
        return opened, FileExamination(state.filing, choice)
    return opened, OpenLesion(choice)


def _chosen(state: State, spot: BodySpot, context: Context) -> Step:
    desk = context.desk
    if desk.patient is None:
        return state, None
    there = [(e.lesion.spot, e.lesion.key) for e in desk.lesions if e.lesion.spot is not None]
    near = nearest(spot, [known for known, _ in there], _NEAR)
    if near is not None:
        return open_lesion(state, there[near][1])
    return open_lesion(state, NewLesion(desk.patient.key, spot))


def _turned(view: BodyView, target: Target) -> BodyView:
    """Return the view that a button turns to: the one for the head's sides has two."""
    if target == ViewControl.SIDE:
        return BodyView.HEAD_RIGHT if view == BodyView.HEAD_LEFT else BodyView.HEAD_LEFT
    return _VIEW_OF[target]


def shown_of(state: State) -> PatientState:
    """Return what is shown of the body."""
    return state.page_state if isinstance(state.page_state, PatientState) else PatientState()


def views_area(layout: Layout) -> Rect:
    """Return where the views of the body are chosen."""
    panel = layout.panel
    return rows_of_targets(layout, (panel.left, panel.top + layout.px(_HEADER)), panel.width, 2)


PAGE = PatientPage
