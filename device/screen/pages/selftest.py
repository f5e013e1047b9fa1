"""The self-test's page: what was checked of the instrument, and what is to be done."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.faults import joined
from device.language import translatable
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step
from device.screen.view import PageView, Snapshot
from device.screen.wording import Wording
from device.selftest.check import NAMES, Check, Checks, CheckState

STATES: Final[Mapping[CheckState, str]] = {
    CheckState.PASSED: translatable("good"),
    CheckState.WARNING: translatable("look at it"),
    CheckState.FAILED: translatable("does not work"),
    CheckState.UNTESTED: translatable("not tested"),
}
_WORST_FIRST: Final = (CheckState.FAILED, CheckState.WARNING)
_SIZES: Final = (20, theme.SMALL, 16, 14)


class SelftestControl(StrEnum):
    """The page's own targets."""

    AGAIN = "again"


@dataclass(frozen=True, slots=True, eq=False)
class SelftestView(PageView):
    """What the last self-test found.

    Attributes
    ----------
    checks
        What was found; None before the first has ended.
    running
        One is under way.
    frozen
        A picture is held: the shutter would let it go.
    """

    page: ClassVar[PageName] = PageName.SELFTEST
    checks: Checks | None = None
    running: bool = False
    frozen: bool = False


class SelftestPage(Page):
    """What was checked, how it is, and what is to be done about the rest."""

    parent: ClassVar[PageName | None] = PageName.ABOUT

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row."""
        return {
            Control.SHUTTER: layout.row[0],
            SelftestControl.AGAIN: layout.row[2],
            Control.BACK: layout.row[-1],
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the three buttons."""
        return (Control.SHUTTER, SelftestControl.AGAIN, Control.BACK)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Test again."""
        return state, Command.SELF_TEST

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return what was found."""
        return SelftestView(snapshot.checks, snapshot.testing, snapshot.state.frozen)

    def draw(self, view: SelftestView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        own: dict[Target, Button] = {
            SelftestControl.AGAIN: Button(wording.translate("Test again"), view.running)
        }
        self.draw_buttons(view, wording, own, frozen=view.frozen)
        self.canvas.part(
            self.canvas.layout.page,
            (view.checks, view.running),
            lambda shown: self._draw_page(*shown, wording),
        )

    def _draw_page(self, checks: Checks | None, running: bool, wording: Wording) -> None:
        canvas, page, px = self.canvas, self.canvas.layout.page, self.canvas.layout.px
        title = wording.translate("Self-test")
        canvas.draw_text(title, theme.HEADLINE, page.topleft, page.width, bold=True)
        below = Rect(page.left, page.top + px(50), page.width, page.height - px(50))
        if running or checks is None:
            canvas.draw_paragraph(wording.translate("The instrument is being tested."), 24, below)
            return
        gap = px(24)
        if canvas.layout.portrait:
            height = min(len(checks) * px(30), below.height * 3 // 5)
            listed = Rect(below.left, below.top, below.width, height)
            top = listed.bottom + gap
            rest = Rect(below.left, top, below.width, below.bottom - top)
        else:
            width = round((below.width - gap) * 0.45)
            listed = Rect(below.left, below.top, width, below.height)
            rest = Rect(listed.right + gap, below.top, below.right - listed.right - gap, below.h)
        self._draw_list(listed, checks, wording)
        self._draw_rest(rest, checks, wording)

    def _draw_list(self, area: Rect, checks: Checks, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        step = min(px(34), area.height // max(1, len(checks)))
        for number, check in enumerate(checks):
            middle = area.top + number * step + step // 2
            drawn = canvas.draw_text(
                wording.translate(STATES[check.state]), 18, (area.right, middle), area.width // 2,
                self._colour(check), bold=check.state in _WORST_FIRST, anchor="midright",
            )  # fmt: skip
            room = drawn.left - area.left - px(10)
            name = wording.translate(NAMES[check.item])
            canvas.draw_text(name, 18, (area.left, middle), room, anchor="midleft")

    def _draw_rest(self, area: Rect, checks: Checks, wording: Wording) -> None:
        """Draw what is to be done first, then what was measured."""
        canvas, px = self.canvas, self.canvas.layout.px
        ordered = [c for state in _WORST_FIRST for c in checks if c.state is state]
        well = [c for c in checks if c.state is CheckState.PASSED and c.found.values]
        said = [_sentence(check, wording) for check in (*ordered, *well)]
        fewer = said[: len(ordered)] or said
        shown, size = canvas.fitting((said, fewer), _SIZES, area)
        top = area.top
        for check, words in zip((*ordered, *well), shown, strict=False):
            room = Rect(area.left, top, area.width, area.bottom - top)
            if room.height < canvas.line_height(size):
                return
            top = canvas.draw_paragraph(words, size, room, self._colour(check)) + px(2)

    def _colour(self, check: Check) -> theme.Colour:
        if check.state in _WORST_FIRST:
            return self.palette.warning
        return self.palette.text if check.state is CheckState.PASSED else self.palette.quiet


def _sentence(check: Check, wording: Wording) -> str:
    found = check.found
    parts = wording.translate(found.message), wording.translate(found.action)
    return f"{wording.translate(NAMES[check.item])}: {joined(*parts, found.values)}"


PAGE = SelftestPage
