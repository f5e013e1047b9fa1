"""The scale of the optics, read off a ruler before the lens, beside the skin."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.language import translatable
from device.runtime.messages import CalibrationResult
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step
from device.screen.view import LiveView, PageView, Snapshot
from device.screen.wording import Wording

_SIZES: Final = (theme.BODY, 20, theme.SMALL, 16)

STEPS: Final = (
    translatable("1. Lay a ruler with millimetre ticks under the lens, across the whole field."),
    translatable("2. Focus on its ticks, and hold still."),
    translatable("3. Read the scale off it, and compare the bar in the picture with the ruler."),
)


class CalibrationControl(StrEnum):
    """The page's own target."""

    READ = "read-scale"


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationView(PageView):
    """A ruler, as the live page would show the skin, and what was read off it.

    Attributes
    ----------
    beside
        The picture.
    mm_per_pixel
        What the optics are calibrated to, or None.
    result
        What came of the last try since the start, or None.
    """

    page: ClassVar[PageName] = PageName.CALIBRATION
    beside: LiveView
    mm_per_pixel: float | None = None
    result: CalibrationResult | None = None


@dataclass(frozen=True, slots=True)
class _Said:
    """The slice of a view that the words show."""

    mm_per_pixel: float | None
    result: CalibrationResult | None


class CalibrationPage(Page):
    """How to calibrate, the target that does it, and what came of it."""

    parent: ClassVar[PageName | None] = PageName.SETTINGS
    menu_label: ClassVar[str] = translatable("Scale")
    takes_pictures: ClassVar[bool] = False

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the last of the row, and the page's own target left of it."""
        return {
            CalibrationControl.READ: layout.row[0].union(layout.row[2]),
            Control.BACK: layout.row[-1],
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return both; nothing is read off a picture that is held."""
        return (CalibrationControl.READ, Control.BACK)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Read the scale off the newest frame."""
        return state, Command.CALIBRATE

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the picture and what was read off it."""
        return CalibrationView(snapshot.live, snapshot.mm_per_pixel, snapshot.calibration)

    def draw(self, view: CalibrationView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.field_view.draw(view.beside, wording)
        buttons: dict[Target, Button] = {
            CalibrationControl.READ: Button(wording.translate("Read the scale"))
        }
        self.draw_buttons(view, wording, buttons, frozen=view.beside.frozen is not None)
        panel = self.canvas.layout.panel
        self.canvas.part(
            panel,
            _Said(view.mm_per_pixel, view.result),
            lambda shown: self._draw_words(panel, shown, wording),
        )

    def _draw_words(self, area: Rect, shown: _Said, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        heading = wording.translate("Scale of the pictures")
        canvas.draw_text(heading, theme.HEADLINE, area.topleft, area.width, bold=True)
        steps = [wording.translate(step) for step in STEPS]
        colour, outcome = self.palette.text, wording.scale(shown.mm_per_pixel)
        if shown.result is not None and shown.result.fault is not None:
            colour, outcome = self.palette.warning, wording.sentence(shown.result.fault)
        top = area.top + px(52)
        room = Rect(area.left, top, area.width, area.bottom - top - px(30))
        _, size = canvas.fitting(([*steps, outcome],), _SIZES, room)
        for words in steps:
            rest = Rect(area.left, top, area.width, area.bottom - top)
            top = canvas.draw_paragraph(words, size, rest) + px(6)
        rest = Rect(area.left, top + px(10), area.width, area.bottom - top - px(10))
        canvas.draw_paragraph(outcome, size, rest, colour, bold=shown.result is not None)


PAGE = CalibrationPage
