"""The ABCD rule's figures of a captured lesion, in the rule's own units, beside the skin."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from pygame import Rect

from device.imaging.abcd import BENIGN_BELOW, MELANOMA_ABOVE, STRUCTURES, AbcdMeasures
from device.language import translatable
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import Context, State, Step
from device.screen.view import LiveView, PageView, Snapshot
from device.screen.wording import Wording

_SIZES: Final = (theme.BODY, 20, theme.SMALL, 16, 15)


class Structures(StrEnum):
    """How many kinds of structures the clinician sees."""

    ONE = "structures-1"
    TWO = "structures-2"
    THREE = "structures-3"
    FOUR = "structures-4"
    FIVE = "structures-5"


_COUNTS: Final[Mapping[Structures, int]] = dict(zip(Structures, STRUCTURES, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class MeasuresView(PageView):
    """What was measured of a captured lesion, beside the skin.

    Attributes
    ----------
    beside
        The skin, as the live page would show it.
    structures
        How many kinds of structures were counted, or None.
    """

    page: ClassVar[PageName] = PageName.MEASURES
    beside: LiveView
    structures: int | None = None


@dataclass(frozen=True, slots=True)
class _Figures:
    """The slice of a view that the figures show."""

    measures: AbcdMeasures | None


@dataclass(frozen=True, slots=True)
class _Total:
    """The slice of a view that the total score shows."""

    measures: AbcdMeasures | None
    structures: int | None


class MeasuresPage(Page):
    """The figures; the structures, which the clinician counts; and the rule's total score."""

    parent: ClassVar[PageName | None] = PageName.SETTINGS
    menu_label: ClassVar[str] = translatable("ABCD rule")

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the first and the last of the row, and the counts above the total."""
        panel, height = layout.panel, layout.target_height
        top = panel.bottom - height - layout.px(112)
        counts = layout.columns(Rect(panel.left, top, panel.width, height), len(Structures))
        return {
            Control.SHUTTER: layout.row[0],
            Control.BACK: layout.row[-1],
            **dict(zip(Structures, counts, strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then the counts."""
        return (Control.SHUTTER, Control.BACK, *Structures)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Count the structures; the same count once more takes it back."""
        count = _COUNTS[Structures(target)]
        return replace(state, page_state=None if state.page_state == count else count), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return what was measured."""
        count = snapshot.state.page_state
        return MeasuresView(snapshot.live, count if isinstance(count, int) else None)

    def draw(self, view: MeasuresView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.field_view.draw(view.beside, wording)
        frozen = view.beside.frozen is not None
        buttons: dict[Target, Button] = {
            target: Button(str(count), count == view.structures)
            for target, count in _COUNTS.items()
        }
        self.draw_buttons(view, wording, buttons, frozen=frozen)
        panel, counts = self.canvas.layout.panel, self.places(self.canvas.layout)[Structures.ONE]
        above = Rect(panel.left, panel.top, panel.width, counts.top - panel.top)
        below = Rect(panel.left, counts.bottom, panel.width, panel.bottom - counts.bottom)
        measures = view.beside.measures if frozen else None
        self.canvas.part(
            above, _Figures(measures), lambda shown: self._draw_figures(above, shown, wording)
        )
        self.canvas.part(
            below,
            _Total(measures, view.structures),
            lambda shown: self._draw_total(below, shown, wording),
        )

    def _draw_figures(self, area: Rect, shown: _Figures, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        heading = wording.translate("ABCD rule of dermoscopy")
        canvas.draw_text(heading, theme.HEADLINE, area.topleft, area.width, bold=True)
        room = Rect(area.left, area.top + px(48), area.width, area.height - px(52))
        if shown.measures is None:
            words = wording.translate("Capture a lesion to have it measured.")
            canvas.draw_paragraph(words, theme.BODY, room)
            return
        said = [
            *wording.abcd(shown.measures),
            wording.translate(
                "Count the structures: network, structureless areas, streaks, dots, globules"
            ),
        ]
        _, size = canvas.fitting((said,), _SIZES, room)
        for words in said:
            rest = Rect(room.left, room.top, room.width, room.bottom - room.top)
            room.top = canvas.draw_paragraph(words, size, rest)

    def _draw_total(self, area: Rect, shown: _Total, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        total = None
        if shown.measures is not None and shown.structures is not None:
            total = shown.measures.total_score(shown.structures)
        value = "–" if total is None else wording.number(total, 2)
        top = area.top + px(8)
        words = wording.translate("The rule's total score: {score}", score=value)
        canvas.draw_text(words, 24, (area.left, top), area.width, bold=True)
        limits = wording.translate(
            "Limits of the rule, not of this instrument: benign below {benign}, melanoma above "
            "{melanoma}.",
            benign=wording.number(BENIGN_BELOW, 2),
            melanoma=wording.number(MELANOMA_ABOVE, 2),
        )
        room = Rect(area.left, top + px(34), area.width, area.bottom - top - px(34))
        _, size = canvas.fitting(([limits],), _SIZES, room)
        canvas.draw_paragraph(limits, size, room, self.palette.quiet)


PAGE = MeasuresPage
