"""The page of two visits of one lesion: side by side, blended, by turns, and what has changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

import cv2
import numpy as np
from pygame import Rect

from device.faults import Fault
from device.imaging.registration import Refusal
from device.inference.change import Change
from device.language import translatable
from device.records.model import PictureKind
from device.runtime.desk import Comparison, Pixels, Visit
from device.runtime.requests import CompareVisits
from device.screen import theme
from device.screen.canvas import Button
from device.screen.events import Target
from device.screen.grid import second_row, work_area
from device.screen.layout import Layout
from device.screen.pages.base import Control, Page
from device.screen.records_wording import MEASURES, REFUSALS, change_words
from device.screen.registry import PageName
from device.screen.state import Context, State, Step
from device.screen.view import ByIdentity, PageView, Snapshot
from device.screen.widgets import surface_of
from device.screen.wording import Wording
from device.screen.zoom import STEP, WHOLE, Zoom

FLICKER_SECONDS: Final = 0.7
"""How long each picture is seen: a change of both is far below three flashes in a second
(WCAG 2.3.1)."""

_TABLE: Final = 300
_CAPTION: Final = 34


class FollowUpControl(StrEnum):
    """The page's own targets, beside the ways to show."""

    OLDER = "older"
    NEWER = "newer"
    ZOOM = "zoom"


class Mode(StrEnum):
    """How two pictures are shown."""

    BESIDE = "beside"
    BLENDED = "blended"
    FLICKER = "flicker"


MODES: Final[Mapping[Mode, str]] = {
    Mode.BESIDE: translatable("Side by side"),
    Mode.BLENDED: translatable("Blended"),
    Mode.FLICKER: translatable("By turns"),
}


@dataclass(frozen=True, slots=True)
class FollowUpState:
    """What is shown, and how.

    Attributes
    ----------
    earlier
        Which visit stands beside the newest: 1 for the one before it.
    mode
        How both are shown.
    zoom
        Which part of both.
    """

    earlier: int = 1
    mode: Mode = Mode.BESIDE
    zoom: Zoom = WHOLE


@dataclass(frozen=True, slots=True, eq=False)
class FollowUpView(PageView):
    """Two visits of one lesion.

    Attributes
    ----------
    comparison
        None until both are read.
    shown
        Which, and how.
    count
        How many visits there are to compare.
    second
        By turns, it is the later picture's turn.
    fault
        Why they cannot be compared, or None.
    frozen
        A picture is held.
    """

    page: ClassVar[PageName] = PageName.FOLLOW_UP
    comparison: Comparison | None
    shown: FollowUpState = FollowUpState()
    count: int = 0
    second: bool = False
    fault: Fault | None = None
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class _Picture:
    """The slice of a view that a place for a picture shows."""

    pixels: ByIdentity[Pixels]
    over: ByIdentity[Pixels]
    zoom: Zoom


@dataclass(frozen=True, slots=True)
class _Side:
    """A picture and what stands above it."""

    caption: str
    picture: _Picture


@dataclass(frozen=True, slots=True)
class _Table:
    """The slice of a view that the table shows."""

    changes: tuple[Change, ...]
    refused: Refusal | None
    fault: Fault | None
    ready: bool
    lit_alike: bool


class FollowUpPage(Page):
    """Compares two visits of one lesion."""

    parent: ClassVar[PageName | None] = PageName.LESION

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the row, and the ways to show in the second row."""
        row = (Control.SHUTTER, FollowUpControl.OLDER, FollowUpControl.NEWER, Control.BACK)
        second = (*Mode, FollowUpControl.ZOOM)
        return {
            **dict(zip(row, layout.row, strict=True)),
            **dict(zip(second, second_row(layout), strict=True)),
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the row, then the second row."""
        row = (Control.SHUTTER, FollowUpControl.OLDER, FollowUpControl.NEWER, Control.BACK)
        return (*row, *Mode, FollowUpControl.ZOOM)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Turn to another visit, or show both in another way."""
        shown, visits = _shown(state), dermoscopic(context.desk.visits_of(state.lesion))
        if target in tuple(Mode):
            return replace(state, page_state=replace(shown, mode=Mode(target))), None
        if target == FollowUpControl.ZOOM:
            zoom = shown.zoom.larger(STEP)
            # Beyond the largest it begins anew.
            zoom = WHOLE if zoom == shown.zoom else zoom
            return replace(state, page_state=replace(shown, zoom=zoom)), None
        by = 1 if target == FollowUpControl.OLDER else -1
        earlier = max(1, min(shown.earlier + by, len(visits) - 1))
        if earlier == shown.earlier or len(visits) < 2:
            return state, None
        return replace(state, page_state=replace(shown, earlier=earlier)), CompareVisits(
            visits[earlier].record.identifier, visits[0].record.identifier
        )

    @classmethod
    def pinched(cls, state: State, by: float) -> State:
        """Show both larger or smaller."""
        shown = _shown(state)
        return replace(state, page_state=replace(shown, zoom=shown.zoom.larger(by)))

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the two visits that were turned to, once they are compared."""
        state, desk = snapshot.state, snapshot.desk
        shown, comparison = _shown(state), desk.comparison
        visits = dermoscopic(desk.visits_of(state.lesion))
        wanted = tuple(visits[i].record.identifier for i in (shown.earlier, 0) if i < len(visits))
        if comparison is not None:
            pair = comparison.earlier.record.identifier, comparison.later.record.identifier
            comparison = comparison if pair == wanted else None
        turn = int(snapshot.seconds / FLICKER_SECONDS) % 2 == 1
        return FollowUpView(
            comparison,
            shown,
            len(visits),
            turn and shown.mode is Mode.FLICKER,
            desk.fault,
            snapshot.state.frozen,
        )

    def draw(self, view: FollowUpView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        shown = view.shown
        older, newer = shown.earlier + 1 < view.count, shown.earlier > 1
        buttons: dict[Target, Button] = {
            FollowUpControl.OLDER: Button(wording.translate("Older"), False if older else None),
            FollowUpControl.NEWER: Button(wording.translate("Newer"), False if newer else None),
            FollowUpControl.ZOOM: Button(
                f"{wording.number(shown.zoom.by, 1)} ×", shown.zoom.by > 1
            ),
            **{mode: Button(wording.translate(MODES[mode]), mode == shown.mode) for mode in Mode},
        }
        self.draw_buttons(view, wording, buttons, frozen=view.frozen)
        pictures, table = self._areas()
        sides = 2 if shown.mode is Mode.BESIDE else 1
        self.canvas.part(
            pictures,
            tuple(self._side(i, view, wording) for i in range(sides)),
            lambda drawn: self._draw_sides(pictures, drawn, wording),
        )
        compared = view.comparison
        refused = None
        if compared is not None and isinstance(compared.registered, Refusal):
            refused = compared.registered
        said = _Table(
            compared.changes if compared else (),
            refused,
            view.fault,
            compared is not None,
            compared is None or compared.lit_alike,
        )
        self.canvas.part(table, said, lambda said: self._draw_table(table, said, wording))

    def _areas(self) -> tuple[Rect, Rect]:
        """Return where the pictures stand, and the table."""
        canvas, px = self.canvas, self.canvas.layout.px
        area = work_area(canvas.layout)
        if canvas.layout.portrait:
            side = min(area.width, px(380))
            pictures = Rect(area.left, area.top, area.width, side + px(_CAPTION))
            table = Rect(area.left, pictures.bottom + px(10), area.width, 0)
            table.height = area.bottom - table.top
        else:
            width = area.width - px(_TABLE)
            pictures = Rect(area.left, area.top, width - px(14), area.height)
            table = Rect(pictures.right + px(14), area.top, px(_TABLE), area.height)
        return pictures, table

    def _side(self, i: int, view: FollowUpView, wording: Wording) -> _Side:
        compared, mode = view.comparison, view.shown.mode
        pixels = over = None
        if compared is not None:
            earlier = compared.earlier.field
            later = compared.laid if compared.laid is not None else compared.later.field
            first = i == 0 and not view.second
            pixels = earlier if first else later
            over = later if mode is Mode.BLENDED else None
        picture = _Picture(ByIdentity(pixels), ByIdentity(over), view.shown.zoom)
        return _Side(self._caption(i, view, wording), picture)

    def _draw_sides(self, area: Rect, sides: tuple[_Side, ...], wording: Wording) -> None:
        px = self.canvas.layout.px
        for side, column in zip(sides, self.canvas.layout.columns(area, len(sides)), strict=True):
            caption = Rect(column.left, column.top, column.width, px(_CAPTION) - px(2))
            self.canvas.draw_text(
                side.caption, 20, caption.midleft, caption.width, bold=True, anchor="midleft"
            )
            column.height -= px(_CAPTION)
            column.top += px(_CAPTION)
            self._draw_picture(column, side.picture)

    def _caption(self, i: int, view: FollowUpView, wording: Wording) -> str:
        if view.comparison is None:
            return ""
        days = [
            f"{one.record.taken.astimezone():%Y-%m-%d}"
            for one in (view.comparison.earlier, view.comparison.later)
        ]
        if view.shown.mode is Mode.BLENDED:
            return wording.translate("{earlier} and {later}", earlier=days[0], later=days[1])
        later = i == 1 or view.second
        return (
            wording.translate("Later {date}", date=days[1])
            if later
            else wording.translate("Earlier {date}", date=days[0])
        )

    def _draw_picture(self, area: Rect, shown: _Picture) -> None:
        if shown.pixels.value is None:
            return
        pixels = shown.pixels.value
        if shown.over.value is not None:
            height, width = pixels.shape[:2]
            over = cv2.resize(shown.over.value, (width, height), interpolation=cv2.INTER_AREA)
            pixels = np.asarray(cv2.addWeighted(pixels, 0.5, over, 0.5, 0.0), np.uint8)
        part = surface_of(shown.zoom.part(pixels, area.width, area.height))
        self.canvas.screen.blit(part, part.get_rect(center=area.center))

    def _draw_table(self, area: Rect, said: _Table, wording: Wording) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        if said.fault is not None or not said.ready:
            words = wording.translate("Comparing")
            if said.fault is not None:
                words = wording.sentence(said.fault)
            canvas.draw_paragraph(words, theme.BODY, area, self.palette.quiet)
            return
        top = area.top
        heading = wording.translate("Changes")
        canvas.draw_text(heading, 24, (area.left, top), area.width, bold=True)
        top += px(40)
        for change in said.changes:
            top = self._draw_change(Rect(area.left, top, area.width, px(52)), change, wording)
        notes = []
        if said.refused is not None:
            notes.append(wording.translate(REFUSALS[said.refused]))
        if not said.changes:
            notes.append(
                wording.translate("No change is measured: not both show one whole lesion.")
            )
        else:
            notes.append(
                wording.translate("Less than ± is no change: two shots differ by as much.")
            )
        if not said.lit_alike:
            notes.insert(
                0, wording.translate("Taken in different light: colours are not compared.")
            )
        for note in notes:
            room = Rect(area.left, top + px(4), area.width, max(area.bottom - top, px(20)))
            top = canvas.draw_paragraph(note, theme.SMALL, room, self.palette.quiet)

    def _draw_change(self, area: Rect, change: Change, wording: Wording) -> int:
        canvas, px = self.canvas, self.canvas.layout.px
        said, unsure = change_words(change, wording)
        changed = change.changed
        colour = self.palette.warning if changed else self.palette.text
        name = wording.translate(MEASURES[change.measure])
        half = area.width // 2
        canvas.draw_text(name, 20, area.topleft, half, self.palette.text, bold=changed)
        verdict = wording.translate("changed") if changed else wording.translate("no change")
        canvas.draw_text(
            verdict, 20, (area.right, area.top + px(12)), half, colour, bold=changed,
            anchor="midright",
        )  # fmt: skip
        figures = f"{said}   {unsure}"
        canvas.draw_text(
            figures, theme.SMALL, (area.left, area.top + px(25)), area.width, self.palette.quiet
        )
        return area.bottom


def dermoscopic(visits: Sequence[Visit]) -> tuple[Visit, ...]:
    """Return the pictures that can be compared."""
    return tuple(v for v in visits if v.record.kind is PictureKind.DERMOSCOPIC)


def _shown(state: State) -> FollowUpState:
    return state.page_state if isinstance(state.page_state, FollowUpState) else FollowUpState()


PAGE = FollowUpPage
