"""The page on which a kept picture fills the screen, as large as wanted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.faults import Fault
from device.records.model import PictureKind, finding_of
from device.runtime.desk import OpenedPicture
from device.screen import theme
from device.screen.canvas import Button
from device.screen.conclusion import conclusion_of, draw_conclusion
from device.screen.events import Place, Target
from device.screen.forms import form_of
from device.screen.grid import second_row, work_area
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.records_wording import decided
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page
from device.screen.view import PageView, Snapshot
from device.screen.widgets import surface_of
from device.screen.wording import Wording
from device.screen.zoom import STEP, WHOLE, Zoom

_PAN: Final = 0.3
_DIRECTIONS: Final[Mapping[str, tuple[float, float]]] = {
    "pan left": (-_PAN, 0),
    "pan right": (_PAN, 0),
    "pan up": (0, -_PAN),
    "pan down": (0, _PAN),
}


class PictureControl(StrEnum):
    """The page's own targets; the last four are keys, and on no button."""

    SMALLER = "smaller"
    LARGER = "larger"
    DECIDE = "decide"
    FILE = "file"
    PICTURE = "picture"
    LEFT = "pan left"
    RIGHT = "pan right"
    UP = "pan up"
    DOWN = "pan down"


@dataclass(frozen=True, slots=True)
class PictureState:
    """What is shown, and how.

    Attributes
    ----------
    identifier
        Of the examination.
    before
        The page that it was opened on.
    zoom
        Which part of it.
    """

    identifier: str = ""
    before: PageName = PageName.LESION
    zoom: Zoom = WHOLE


@dataclass(frozen=True, slots=True, eq=False)
class PictureView(PageView):
    """A picture.

    Attributes
    ----------
    picture
        None until it is read.
    zoom
        Which part of it.
    fault
        Why it cannot be read, or None.
    frozen
        A picture is held.
    """

    page: ClassVar[PageName] = PageName.PICTURE
    picture: OpenedPicture | None
    zoom: Zoom = WHOLE
    fault: Fault | None = None
    frozen: bool = False


class PicturePage(Page):
    """Shows a kept picture, and what is to be done with it."""

    parent: ClassVar[PageName | None] = PageName.LESION
    keys: ClassVar[Mapping[str, Target]] = {
        "=": PictureControl.LARGER,
        "-": PictureControl.SMALLER,
        "home": PictureControl.LEFT,
        "end": PictureControl.RIGHT,
        "insert": PictureControl.UP,
        "delete": PictureControl.DOWN,
    }

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, two buttons in the second row, and the picture."""
        row = (Control.SHUTTER, PictureControl.SMALLER, PictureControl.LARGER, Control.BACK)
        second = second_row(layout)
        return {
            **dict(zip(row, layout.row, strict=True)),
            PictureControl.DECIDE: second[2],
            PictureControl.FILE: second[3],
            PictureControl.PICTURE: work_area(layout),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, the second row, the picture."""
        row = (Control.SHUTTER, PictureControl.SMALLER, PictureControl.LARGER, Control.BACK)
        return (*row, PictureControl.DECIDE, PictureControl.FILE, PictureControl.PICTURE)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Show it larger or smaller, decide, or file it."""
        shown = _shown(state)
        picture, zoom = context.desk.picture_of(shown.identifier), shown.zoom
        match target:
            case PictureControl.LARGER:
                zoom = zoom.larger(STEP)
            case PictureControl.SMALLER:
                zoom = zoom.larger(1 / STEP)
            case PictureControl.DECIDE if picture is not None and _decidable(picture):
                form = form_of(shown.identifier, picture.record.decision)
                return replace(with_page(state, PageName.DECISION), page_state=form), None
            case PictureControl.FILE if shown.identifier:
                page = PageName.PATIENT if context.desk.patient else PageName.START
                return replace(with_page(state, page), filing=shown.identifier), None
        if target in _DIRECTIONS:
            zoom = zoom.moved(*_DIRECTIONS[target])
        return replace(state, page_state=replace(shown, zoom=zoom)), None

    @classmethod
    def touched(cls, state: State, target: Target, place: Place, context: Context) -> Step:
        """Move what was touched into the middle."""
        shown = _shown(state)
        picture = context.desk.picture_of(shown.identifier)
        if target != PictureControl.PICTURE or picture is None:
            return cls.pressed(state, target, context)
        height, width = picture.field.shape[:2]
        zoom = shown.zoom.centred(place, (height, width))
        return replace(state, page_state=replace(shown, zoom=zoom)), None

    @classmethod
    def pinched(cls, state: State, by: float) -> State:
        """Show it larger or smaller."""
        shown = _shown(state)
        return replace(state, page_state=replace(shown, zoom=shown.zoom.larger(by)))

    @classmethod
    def left(cls, state: State) -> Step:
        """Go back to where it was opened."""
        return with_page(state, _shown(state).before), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the picture, once it is read."""
        shown, desk = _shown(snapshot.state), snapshot.desk
        picture = desk.picture_of(shown.identifier)
        return PictureView(picture, shown.zoom, desk.fault, snapshot.state.frozen)

    def draw(self, view: PictureView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        canvas, layout = self.canvas, self.canvas.layout
        picture = view.picture
        filed = picture is not None and picture.record.lesion is not None
        buttons: dict[Target, Button] = {
            PictureControl.SMALLER: Button("−", False if view.zoom.by > 1 else None),
            PictureControl.LARGER: Button("+"),
            PictureControl.DECIDE: Button(
                wording.translate("Decide"), False if picture and _decidable(picture) else None
            ),
            PictureControl.FILE: Button(
                wording.translate("File elsewhere") if filed else wording.translate("File"),
                not filed if picture else None,
            ),
        }
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        area = self.places(layout)[PictureControl.PICTURE]
        canvas.part(
            area,
            (picture, view.zoom, view.fault, view.focus == PictureControl.PICTURE),
            lambda shown: self._draw_picture(area, view, wording),
        )
        first, second = second_row(layout)[:2]
        caption = first.union(second)
        canvas.part(caption, picture, lambda picture: self._draw_caption(caption, picture, wording))

    def _draw_picture(self, area: Rect, view: PictureView, wording: Wording) -> None:
        canvas = self.canvas
        if view.picture is None:
            words = wording.sentence(view.fault) if view.fault else wording.translate("Opening")
            colour = self.palette.warning if view.fault else self.palette.quiet
            canvas.draw_paragraph(words, theme.BODY, area, colour)
            return
        part = surface_of(view.zoom.part(view.picture.field, area.width, area.height))
        canvas.screen.blit(part, part.get_rect(center=area.center))
        focused = view.focus == PictureControl.PICTURE
        canvas.draw_focus(area.inflate(-canvas.layout.px(6), -canvas.layout.px(6)), focused=focused)

    def _draw_caption(self, area: Rect, picture: OpenedPicture | None, wording: Wording) -> None:
        if picture is None:
            return
        canvas, record = self.canvas, picture.record
        step = canvas.line_height(theme.SMALL)
        state = decided(record.decision, wording)
        if record.lesion is None and record.decision is None:
            state = wording.translate("Without a code")
        finding = finding_of(record)
        top = area.centery - (step * (3 if finding else 1)) // 2
        line = f"{record.taken.astimezone():%Y-%m-%d %H:%M}   {state}"
        canvas.draw_text(line, theme.SMALL, (area.left, top), area.width)
        if finding is not None:
            below = Rect(area.left, top + step, area.width, area.bottom - top - step)
            draw_conclusion(canvas, below, conclusion_of(finding, wording))


def _decidable(picture: OpenedPicture) -> bool:
    """Return whether a picture is judged: one of the region only tells where the lesion lies."""
    return picture.record.kind is not PictureKind.REGION


def _shown(state: State) -> PictureState:
    return state.page_state if isinstance(state.page_state, PictureState) else PictureState()


PAGE = PicturePage
