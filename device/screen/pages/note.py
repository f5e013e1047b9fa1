"""The page on which a note is put together from phrases, or typed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.language import translatable, translations
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.forms import LONGEST_NOTE, DecisionForm
from device.screen.grid import rows_of_targets, tiled
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.pages.decision import form_in
from device.screen.pages.keyboard import Field, KeyboardState
from device.screen.records_wording import PHRASES
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording

_BETWEEN: Final = "; "


class NoteControl(StrEnum):
    """The page's own targets."""

    KEYBOARD = "keyboard"
    CLEAR = "clear"
    FIRST = "phrase 1"
    SECOND = "phrase 2"
    THIRD = "phrase 3"
    FOURTH = "phrase 4"
    FIFTH = "phrase 5"
    SIXTH = "phrase 6"


_PHRASES: Final = tuple(NoteControl)[2:]


@dataclass(frozen=True, slots=True, eq=False)
class NoteView(PageView):
    """A note.

    Attributes
    ----------
    form
        The decision that it is a part of.
    frozen
        A picture is held.
    """

    page: ClassVar[PageName] = PageName.NOTE
    form: DecisionForm
    frozen: bool = False


class NotePage(Page):
    """Puts a note together."""

    parent: ClassVar[PageName | None] = PageName.DECISION
    back_label: ClassVar[str] = translatable("Done")

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, and the phrases at the bottom of the page."""
        row = (Control.SHUTTER, NoteControl.CLEAR, NoteControl.KEYBOARD, Control.BACK)
        columns, rows = (2, 3)
        area = rows_of_targets(layout, layout.page.topleft, layout.page.width, rows)
        area.bottom = layout.page.bottom
        return {
            **dict(zip(row, layout.row, strict=True)),
            **dict(zip(_PHRASES, tiled(layout, area, rows, columns), strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then the phrases."""
        row = (Control.SHUTTER, NoteControl.CLEAR, NoteControl.KEYBOARD, Control.BACK)
        return (*row, *_PHRASES)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Add a phrase or take it away, or type."""
        form = form_in(state)
        if target == NoteControl.CLEAR:
            return replace(state, page_state=replace(form, note="")), None
        if target == NoteControl.KEYBOARD:
            typing = KeyboardState(Field.NOTE, form.note, form)
            return replace(with_page(state, PageName.KEYBOARD), page_state=typing), None
        phrase = PHRASES[_PHRASES.index(NoteControl(target))]
        words = translations(state.language).translate(phrase)
        said = [part for part in form.note.split(_BETWEEN) if part]
        said = [part for part in said if part != words] if words in said else [*said, words]
        note = _BETWEEN.join(said)[:LONGEST_NOTE]
        return replace(state, page_state=replace(form, note=note)), None

    @classmethod
    def left(cls, state: State) -> Step:
        """Go back to the decision with the note."""
        return replace(with_page(state, PageName.DECISION), page_state=form_in(state)), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the note."""
        return NoteView(form_in(snapshot.state), snapshot.state.frozen)

    def draw(self, view: NoteView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        said = view.form.note.split(_BETWEEN)
        words = [wording.translate(phrase) for phrase in PHRASES]
        buttons: dict[Target, Button] = {
            NoteControl.CLEAR: Button(
                wording.translate("Clear"), False if view.form.note else None
            ),
            NoteControl.KEYBOARD: Button(wording.translate("Keyboard")),
            **{
                control: Button(phrase, phrase in said)
                for control, phrase in zip(_PHRASES, words, strict=True)
            },
        }
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        page, places = self.canvas.layout.page, self.places(self.canvas.layout)
        above = Rect(page.left, page.top, page.width, places[_PHRASES[0]].top - page.top)
        self.canvas.part(above, view.form.note, lambda note: self._draw_note(above, note, wording))

    def _draw_note(self, area: Rect, note: str, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        canvas.draw_text(
            wording.translate("Note"), 24, area.topleft, area.width, self.palette.quiet, bold=True
        )
        room = Rect(area.left, area.top + px(36), area.width, area.height - px(44))
        _, size = canvas.fitting(([note],), (24, theme.BODY, theme.SMALL, 15), room)
        canvas.draw_paragraph(note, size, room)


PAGE = NotePage
