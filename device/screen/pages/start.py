"""The page on which a patient is opened: by a code before the camera, or by typing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.faults import Fault
from device.imaging.codes import LONGEST, clean_identifier
from device.language import translatable
from device.records.access import Access, Protection
from device.records.listing import WorkKind
from device.runtime.requests import FindPatient, OpenWork
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.keypad import PadKey, after_key, pad_buttons, pad_places
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.pages.keyboard import Field, KeyboardState
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step, with_page
from device.screen.view import LiveView, PageView, Snapshot
from device.screen.wording import Wording

_HINT_SIZES: Final = (theme.BODY, 20, theme.SMALL, 16)


class StartControl(StrEnum):
    """The page's own targets, beside the figures."""

    WORKLIST = "worklist"
    OPEN = "open"


@dataclass(frozen=True, slots=True, eq=False)
class StartView(PageView):
    """An identifier that is being entered, beside what the camera sees.

    Attributes
    ----------
    beside
        What the camera sees: a code is held before it.
    text
        As far as it was typed.
    fault
        Why the patient could not be opened, or None.
    unlocked
        Nothing locks the records.
    filing
        The patient is looked for to whom a kept picture belongs.
    """

    page: ClassVar[PageName] = PageName.START
    beside: LiveView
    text: str = ""
    fault: Fault | None = None
    unlocked: bool = False
    filing: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """The slice of a view that stands above the figures."""

    text: str
    fault: Fault | None
    unlocked: bool
    filing: bool


class StartPage(Page):
    """Opens a patient."""

    back_label: ClassVar[str] = translatable("Without a code")
    text_field: ClassVar[bool] = True
    keys: ClassVar[Mapping[str, Target]] = {
        "return": StartControl.OPEN,
        "enter": StartControl.OPEN,
        "backspace": PadKey.DELETE,
    }

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row and the figures."""
        row = (Control.SHUTTER, *StartControl, Control.BACK)
        return {**dict(zip(row, layout.row, strict=True)), **pad_places(layout)}

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then the figures."""
        return (Control.SHUTTER, *StartControl, Control.BACK, *PadKey)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Enter a figure, open the patient, or open another page."""
        text = _text(state)
        if target == StartControl.WORKLIST:
            if state.clinic_list:
                return with_page(state, PageName.SCHEDULED), Command.LOOK_AT_CLINIC_LIST
            return with_page(state, PageName.WORKLIST), OpenWork(WorkKind.OVERDUE)
        if target == StartControl.OPEN:
            identifier = clean_identifier(text)
            return state, FindPatient(identifier, beginning=True) if identifier else None
        if target == PadKey.LETTERS:
            opened = with_page(state, PageName.KEYBOARD)
            return replace(opened, page_state=KeyboardState(Field.IDENTIFIER, text)), None
        return replace(state, page_state=after_key(text, PadKey(target), LONGEST)), None

    @classmethod
    def typed(cls, state: State, text: str) -> Step:
        """Add to the identifier: of a keyboard, or of a reader that types what it has read."""
        return replace(state, page_state=(_text(state) + text)[:LONGEST]), None

    @classmethod
    def left(cls, state: State) -> Step:
        """Go on without a patient; a picture that was to be filed stays where it is."""
        return replace(with_page(state, PageName.LIVE), filing=""), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return what was typed, beside what the camera sees."""
        desk = snapshot.desk
        return StartView(
            # While a code is looked for, nothing is said of the skin.
            replace(snapshot.live, finding=None),
            _text(snapshot.state),
            desk.fault,
            unlocked(desk.access),
            bool(snapshot.state.filing),
        )

    def draw(self, view: StartView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.field_view.draw(view.beside, wording)
        buttons: dict[Target, Button] = {
            StartControl.WORKLIST: Button(wording.translate("Worklist")),
            StartControl.OPEN: Button(wording.translate("Open"), bool(view.text)),
            **pad_buttons(wording),
        }
        self.draw_buttons(view, wording, buttons, frozen=view.beside.frozen is not None)
        panel = self.canvas.layout.panel
        top = self.places(self.canvas.layout)[PadKey.SEVEN].top
        above = Rect(panel.left, panel.top, panel.width, top - panel.top - self.canvas.layout.px(8))
        shown = _Entry(view.text, view.fault, view.unlocked, view.filing)
        self.canvas.part(above, shown, lambda shown: self._draw_entry(above, shown, wording))

    def _draw_entry(self, area: Rect, shown: _Entry, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        heading = wording.translate("Patient")
        if shown.filing:
            heading = wording.translate("Whose picture is it?")
        canvas.draw_text(heading, 24, area.topleft, area.width, self.palette.quiet, bold=True)
        top = area.top + px(32)
        if shown.text:
            canvas.draw_text(shown.text, theme.HEADLINE, (area.left, top), area.width, bold=True)
            top += px(46)
        said = [wording.translate("Hold the code before the camera, or type it.")]
        colour = self.palette.text
        if shown.fault is not None:
            said, colour = [wording.sentence(shown.fault)], self.palette.warning
        elif shown.unlocked and not shown.text:
            said.append(wording.translate("Records are not locked: no PIN is set."))
        room = Rect(area.left, top, area.width, area.bottom - top)
        words, size = canvas.fitting((said, said[:1]), _HINT_SIZES, room)
        for i, line in enumerate(words):
            below = Rect(area.left, top, area.width, area.bottom - top)
            top = canvas.draw_paragraph(line, size, below, self.palette.warning if i else colour)


def unlocked(access: Access | None) -> bool:
    """Return whether nothing locks the records."""
    return access is not None and access.protection is Protection.NOTHING


def _text(state: State) -> str:
    return state.page_state if isinstance(state.page_state, str) else ""


PAGE = StartPage
