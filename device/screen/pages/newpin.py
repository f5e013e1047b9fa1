"""The page on which a new PIN is entered, twice; of one's own, after the old one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from pygame import Rect

from device.faults import Fault
from device.records.keyring import SHORTEST_PIN
from device.runtime.requests import ChangePin, SetPin
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.forms import LONGEST_PIN, NewPinForm, after_pin
from device.screen.keypad import PadKey, after_key, draw_secret, pad_buttons, pad_places
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.pages.keyboard import Field, KeyboardState
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page
from device.screen.view import LiveView, PageView, Snapshot
from device.screen.wording import Wording


class NewPinControl(StrEnum):
    """The page's own targets, beside the figures."""

    NEXT = "next"


@dataclass(frozen=True, slots=True, eq=False)
class NewPinView(PageView):
    """A PIN that is being entered; never the PIN itself.

    Attributes
    ----------
    beside
        The skin.
    whose
        Who is given it; empty for one's own.
    figures
        How many were entered.
    old
        The old one is being entered.
    again
        It is being entered for the second time.
    unlike
        The second was not the first.
    waiting
        It is being kept.
    fault
        Why it was not taken, or None.
    """

    page: ClassVar[PageName] = PageName.NEW_PIN
    beside: LiveView
    whose: str = ""
    figures: int = 0
    old: bool = False
    again: bool = False
    unlike: bool = False
    waiting: bool = False
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """The slice of a view that stands above the figures."""

    heading: str
    figures: int
    said: str
    warned: bool


class NewPinPage(Page):
    """Enters a new PIN."""

    parent: ClassVar[PageName | None] = PageName.HOLDERS
    text_field: ClassVar[bool] = True
    keys: ClassVar[Mapping[str, Target]] = {
        "return": NewPinControl.NEXT,
        "enter": NewPinControl.NEXT,
        "backspace": PadKey.DELETE,
    }

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row and the figures."""
        return {
            Control.SHUTTER: layout.row[0],
            NewPinControl.NEXT: layout.row[1].union(layout.row[2]),
            Control.BACK: layout.row[3],
            **pad_places(layout),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then the figures."""
        return (Control.SHUTTER, NewPinControl.NEXT, Control.BACK, *PadKey)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Enter a figure, or go on."""
        form = _form(state)
        if form.waiting:
            return state, None
        if target == NewPinControl.NEXT:
            if not form.asks_old and len(form.entered) < SHORTEST_PIN:
                return state, None
            form = after_pin(form)
            if not form.waiting:
                return replace(state, page_state=form), None
            request = (
                ChangePin(form.old, form.new)
                if form.holder is None
                else SetPin(form.holder, form.new)
            )
            return replace(state, page_state=form), request
        if target == PadKey.LETTERS:
            typing = KeyboardState(Field.NEW_PIN, form.entered, form)
            return replace(with_page(state, PageName.KEYBOARD), page_state=typing), None
        entered = after_key(form.entered, PadKey(target), LONGEST_PIN)
        return replace(state, page_state=replace(form, entered=entered, unlike=False)), None

    @classmethod
    def typed(cls, state: State, text: str) -> Step:
        """Add to the PIN."""
        form = _form(state)
        if form.waiting:
            return state, None
        entered = (form.entered + text)[:LONGEST_PIN]
        return replace(state, page_state=replace(form, entered=entered, unlike=False)), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return how far it was entered."""
        form, fault = _form(snapshot.state), snapshot.desk.fault
        return NewPinView(
            snapshot.live,
            form.holder.name if form.holder else "",
            len(form.entered),
            form.asks_old,
            bool(form.new),
            form.unlike,
            form.waiting,
            None if form.waiting else fault,
        )

    def draw(self, view: NewPinView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.field_view.draw(view.beside, wording)
        ready = view.figures >= (1 if view.old else SHORTEST_PIN) and not view.waiting
        label = wording.translate("Keep") if view.again else wording.translate("Next")
        buttons: dict[Target, Button] = {
            NewPinControl.NEXT: Button(label, True if ready else None),
            **pad_buttons(wording),
        }
        self.draw_buttons(view, wording, buttons, frozen=view.beside.frozen is not None)
        panel = self.canvas.layout.panel
        top = self.places(self.canvas.layout)[PadKey.SEVEN].top
        above = Rect(panel.left, panel.top, panel.width, top - panel.top - self.canvas.layout.px(8))
        said, warned = _said(view, wording)
        heading = wording.translate("PIN")
        shown = _Entry(f"{heading}: {view.whose}" if view.whose else heading,
                       view.figures, said, warned)  # fmt: skip
        self.canvas.part(
            above, shown,
            lambda shown: draw_secret(
                self.canvas, above, shown.heading, shown.figures, shown.said, warned=shown.warned
            ),
        )  # fmt: skip


def _said(view: NewPinView, wording: Wording) -> tuple[str, bool]:
    """Return what is to be entered or is wrong, and whether it is wrong."""
    if view.waiting:
        return wording.translate("Wait: this takes some seconds."), False
    if view.fault is not None:
        return wording.sentence(view.fault), True
    if view.unlike:
        return wording.translate("The second was not the first. Enter it anew."), True
    if view.old:
        return wording.translate("Your PIN as it is."), False
    if view.again:
        return wording.translate("The same again."), False
    return wording.translate("A new PIN: {count} figures or more.", count=SHORTEST_PIN), False


def _form(state: State) -> NewPinForm:
    return state.page_state if isinstance(state.page_state, NewPinForm) else NewPinForm()


PAGE = NewPinPage
