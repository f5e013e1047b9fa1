"""The page on which the records are opened with a PIN, and locked again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from pygame import Rect

from device.faults import Fault
from device.language import translatable
from device.records.access import Access, Protection
from device.runtime.requests import ListHolders, Lock, Unlock
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.forms import LONGEST_PIN
from device.screen.keypad import PadKey, after_key, draw_secret, pad_buttons, pad_places
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.pages.keyboard import Field, KeyboardState
from device.screen.records_wording import ROLES
from device.screen.registry import PageName
from device.screen.state import Context, State, Step, with_page
from device.screen.view import LiveView, PageView, Snapshot
from device.screen.wording import Wording


class PinControl(StrEnum):
    """The page's own targets, beside the figures."""

    LOCK = "lock"
    OPEN = "open"


@dataclass(frozen=True, slots=True, eq=False)
class PinView(PageView):
    """A PIN that is being entered; never the PIN itself.

    Attributes
    ----------
    beside
        The skin: without a PIN it is seen, and what is taken is kept, sealed.
    figures
        How many were entered.
    access
        What opens the records, and who did.
    wait
        Seconds until the next PIN is taken.
    fault
        Why the last one was not taken, or None.
    """

    page: ClassVar[PageName] = PageName.PIN
    beside: LiveView
    figures: int = 0
    access: Access | None = None
    wait: int = 0
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """The slice of a view that stands above the figures."""

    figures: int
    access: Access | None
    wait: int
    fault: Fault | None


class PinPage(Page):
    """Opens the records, and locks them."""

    menu_label: ClassVar[str] = translatable("Lock")
    text_field: ClassVar[bool] = True
    keys: ClassVar[Mapping[str, Target]] = {
        "return": PinControl.OPEN,
        "enter": PinControl.OPEN,
        "backspace": PadKey.DELETE,
    }

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row and the figures."""
        row = (Control.SHUTTER, *PinControl, Control.BACK)
        return {**dict(zip(row, layout.row, strict=True)), **pad_places(layout)}

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then the figures."""
        return (Control.SHUTTER, *PinControl, Control.BACK, *PadKey)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Enter a figure, open the records, or lock them."""
        pin = _pin(state)
        if target == PinControl.LOCK:
            return replace(state, page_state=None), Lock()
        if target == PinControl.OPEN:
            if pin:
                return replace(state, page_state=None), Unlock(pin)
            access = context.desk.access
            if access is None or access.locked:
                return state, None
            return with_page(state, PageName.HOLDERS), ListHolders()
        if target == PadKey.LETTERS:
            typing = KeyboardState(Field.PIN, pin)
            return replace(with_page(state, PageName.KEYBOARD), page_state=typing), None
        return replace(state, page_state=after_key(pin, PadKey(target), LONGEST_PIN)), None

    @classmethod
    def typed(cls, state: State, text: str) -> Step:
        """Add to the PIN."""
        return replace(state, page_state=(_pin(state) + text)[:LONGEST_PIN]), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return how many figures were entered, and who opened the records."""
        desk = snapshot.desk
        wait = max(0, round(desk.pin_wait - snapshot.seconds)) if desk.locked else 0
        return PinView(snapshot.live, len(_pin(snapshot.state)), desk.access, wait, desk.fault)

    def draw(self, view: PinView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.field_view.draw(view.beside, wording)
        access = view.access
        lockable = access is not None and access.protection is Protection.PIN and not access.locked
        open_label, opens = wording.translate("Open"), True if view.figures else None
        if not view.figures and access is not None and not access.locked:
            # Whoever is in comes from here to the PINs of others, and to the own one.
            open_label, opens = wording.translate("PINs"), access.protection is Protection.NOTHING
        buttons: dict[Target, Button] = {
            PinControl.LOCK: Button(wording.translate("Lock"), False if lockable else None),
            PinControl.OPEN: Button(open_label, opens),
            **pad_buttons(wording),
        }
        self.draw_buttons(view, wording, buttons, frozen=view.beside.frozen is not None)
        panel = self.canvas.layout.panel
        top = self.places(self.canvas.layout)[PadKey.SEVEN].top
        above = Rect(panel.left, panel.top, panel.width, top - panel.top - self.canvas.layout.px(8))
        shown = _Entry(view.figures, access, view.wait, view.fault)
        self.canvas.part(above, shown, lambda shown: self._draw_entry(above, shown, wording))

    def _draw_entry(self, area: Rect, shown: _Entry, wording: Wording) -> None:
        said, warned = self._said(shown, wording)
        heading = wording.translate("PIN")
        draw_secret(self.canvas, area, heading, shown.figures, said, warned=warned)

    @staticmethod
    def _said(shown: _Entry, wording: Wording) -> tuple[str, bool]:
        """Return who opened the records or what is wrong, and whether something is."""
        access = shown.access
        if shown.wait:
            words = wording.translate("Wrong PIN: wait {seconds} s.", seconds=shown.wait)
            return words, True
        if shown.fault is not None:
            return wording.sentence(shown.fault), True
        if access is None:
            return wording.translate("No records of patients are kept here."), False
        if access.protection is Protection.NOTHING:
            return wording.translate("Records are not locked: no PIN is set."), True
        if access.protection is Protection.UNKNOWN:
            return wording.translate("The records could not be opened so far."), True
        if access.holder is None:
            words = wording.translate(
                "Locked. Pictures are kept, and seen again once it is opened."
            )
            return words, True
        role = wording.translate(ROLES[access.holder.role])
        words = wording.translate("Opened by {name} ({role}).", name=access.holder.name, role=role)
        return words, False


def _pin(state: State) -> str:
    return state.page_state if isinstance(state.page_state, str) else ""


PAGE = PinPage
