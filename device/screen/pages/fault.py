"""What is shown beside the skin where something of the instrument does not work."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from pygame import Rect

from device.faults import Fault
from device.screen import theme
from device.screen.events import Target
from device.screen.layout import Layout
from device.screen.pages.base import Page
from device.screen.pages.live import LivePage, headline, own_buttons
from device.screen.registry import PageName
from device.screen.state import State
from device.screen.view import LiveView, PageView, Snapshot
from device.screen.wording import Wording


@dataclass(frozen=True, slots=True, eq=False)
class FaultView(PageView):
    """Something of the instrument does not work.

    Attributes
    ----------
    fault
        What it is.
    beside
        The skin, as the live page would show it.
    """

    page: ClassVar[PageName] = PageName.FAULT
    fault: Fault
    beside: LiveView


class FaultPage(Page):
    """Stands in for the live page: what is wrong, whole, in the place of finding and bars."""

    parent: ClassVar[PageName | None] = None
    shows_capture: ClassVar[bool] = True

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the live page's, but for those of the legend, in whose place the fault stands."""
        places = dict(LivePage.places(layout))
        return {target: places[target] for target in cls.targets(State())}

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the live page's, but for those of the legend."""
        return LivePage.targets(replace(state, overlay=False))

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return what does not work, beside the skin."""
        return FaultView(snapshot.fault or Fault(""), snapshot.live)

    def draw(self, view: FaultView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.field_view.draw(view.beside, wording)
        buttons = own_buttons(view.beside, wording)
        self.draw_buttons(view, wording, buttons, frozen=view.beside.frozen is not None)
        text = wording.sentence(view.fault)
        self.canvas.part(
            self.canvas.layout.panel,
            (text, wording.technical(view.fault)),
            lambda shown: self._draw_fault(*shown, wording),
        )

    def _draw_fault(self, text: str, technical: str, wording: Wording) -> None:
        canvas, px, panel = self.canvas, self.canvas.layout.px, self.canvas.layout.panel
        headline(canvas, wording.translate("Not working"), self.palette.warning)
        top = panel.top + px(54)
        room = Rect(panel.left, top, panel.width, panel.bottom - top - px(60))
        end = canvas.draw_paragraph(text, 24, room)
        rest = Rect(panel.left, end + px(14), panel.width, panel.bottom - end - px(14))
        canvas.draw_paragraph(technical, theme.SMALL, rest, self.palette.quiet)


PAGE = FaultPage
