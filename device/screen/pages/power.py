"""The page that asks before the instrument is restarted or switched off, beside the skin."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pygame import Rect

from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step
from device.screen.view import LiveView, PageView, Snapshot
from device.screen.wording import Wording


class PowerControl(StrEnum):
    """The page's own targets."""

    RESTART = "restart"
    POWER_OFF = "off"


@dataclass(frozen=True, slots=True, eq=False)
class PowerView(PageView):
    """The question whether the instrument is to be restarted or switched off.

    Attributes
    ----------
    beside
        The skin, as the live page would show it.
    """

    page: ClassVar[PageName] = PageName.POWER
    beside: LiveView


class PowerPage(Page):
    """Asks before the instrument is restarted or switched off."""

    parent: ClassVar[PageName | None] = PageName.SETTINGS

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the two answers in the panel.

        Nothing is where the finger was that came here: it may come down twice.
        """
        panel = layout.panel
        top = panel.top + round(150 * layout.unit)
        restart, off = layout.columns(Rect(panel.left, top, panel.width, layout.target_height), 2)
        return {
            Control.SHUTTER: layout.row[0],
            Control.BACK: layout.row[-1],
            PowerControl.RESTART: restart,
            PowerControl.POWER_OFF: off,
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the buttons of the row, then the two answers."""
        return (Control.SHUTTER, Control.BACK, *PowerControl)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Restart or switch off."""
        match target:
            case PowerControl.RESTART:
                return state, Command.RESTART
            case PowerControl.POWER_OFF:
                return state, Command.POWER_OFF
        return state, None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the skin that the question stands beside."""
        return PowerView(snapshot.live)

    def draw(self, view: PowerView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.field_view.draw(view.beside, wording)
        buttons: dict[Target, Button] = {
            PowerControl.RESTART: Button(wording.translate("Restart")),
            PowerControl.POWER_OFF: Button(wording.translate("Switch off")),
        }
        self.draw_buttons(view, wording, buttons, frozen=view.beside.frozen is not None)
        panel = self.canvas.layout.panel
        height = self.places(self.canvas.layout)[PowerControl.POWER_OFF].top - panel.top
        above = Rect(panel.left, panel.top, panel.width, height)
        self.canvas.part(above, None, lambda _: self._draw_question(above, wording))

    def _draw_question(self, area: Rect, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        question = wording.translate("Switch off?")
        canvas.draw_text(question, theme.HEADLINE, area.topleft, area.width, bold=True)
        below = Rect(area.left, area.top + px(50), area.width, area.height - px(50))
        canvas.draw_paragraph(wording.translate("Kept examinations stay."), theme.BODY, below)


PAGE = PowerPage
