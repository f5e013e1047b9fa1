"""The compare page: an earlier picture and the present one, and between them what changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

import numpy as np
import pygame
from numpy.typing import NDArray
from pygame import Rect

from device.diagnoses import MALIGNANT, SCREEN_ORDER, Code
from device.inference.recommendation import Recommendation
from device.language import translatable
from device.models.manifest import Manifest
from device.runtime.messages import Picture
from device.screen import theme
from device.screen.canvas import Button, Canvas
from device.screen.events import Target
from device.screen.field_view import FieldView, PictureBox, dim, lighten
from device.screen.layout import MALIGNANT_ROWS, Layout
from device.screen.pages.base import Control, Page
from device.screen.registry import PageName
from device.screen.state import Context, State, Step
from device.screen.view import ByIdentity, PageView, Snapshot
from device.screen.wording import Wording, day_or_moment, moment, percent

_TABLE_WIDTH: Final = 270
_CAPTION: Final = 36
_BELOW: Final = 98
"""Below a picture: what its finding asks for, and three lines of notes."""


class CompareControl(StrEnum):
    """The page's own targets."""

    OLDER = "older"
    NEWER = "newer"


@dataclass(frozen=True, slots=True, eq=False)
class CompareView(PageView):
    """Two pictures side by side.

    Attributes
    ----------
    earlier, present
        Either may be missing.
    number, count
        Which of the earlier pictures this is, 1 for the newest, and how many there are.
    lost
        When the present picture was taken, where the camera gives no more.
    flash
        The shutter was pressed just now.
    unfiled
        No lesion is open: nobody knows whether both pictures are of one.
    """

    page: ClassVar[PageName] = PageName.COMPARE
    earlier: Picture | None
    present: Picture | None
    number: int = 0
    count: int = 0
    lost: datetime | None = None
    flash: bool = False
    unfiled: bool = False


@dataclass(frozen=True, slots=True)
class _Caption:
    """The slice of a view that stands above a picture."""

    text: str
    lost: bool


@dataclass(frozen=True, slots=True)
class _Picture:
    """The slice of a view that a picture's square shows."""

    field: ByIdentity[NDArray[np.uint8]]
    lost: bool
    flash: bool


@dataclass(frozen=True, slots=True)
class _Conclusion:
    """The slice of a view that stands below a picture."""

    text: str
    colour: theme.Colour
    notes: tuple[str, ...]
    recommendation: Recommendation | None


@dataclass(frozen=True, slots=True)
class _Bars:
    """The slice of a view that a diagnosis's pair of bars shows, the earlier one first."""

    code: Code
    figures: tuple[str, ...]
    lengths: tuple[int, ...]


class ComparePage(Page):
    """Pictures at the sides and the bars of both between them.

    In portrait the bars stand below the pictures.
    """

    menu_label: ClassVar[str] = translatable("Compare")
    shows_capture: ClassVar[bool] = True

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return the four buttons."""
        return dict(zip(cls.targets(State()), layout.row, strict=True))

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the four buttons."""
        return (Control.SHUTTER, *CompareControl, Control.BACK)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Turn to an older picture or a newer one."""
        by = 1 if target == CompareControl.OLDER else -1
        place = max(0, min(_place(state) + by, context.recent - 1))
        return replace(state, page_state=place), None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the earlier picture that was turned to, and the present one."""
        recent, live, place = snapshot.recent, snapshot.live, _place(snapshot.state)
        present = None
        if live.field is not None:
            finding = live.finding
            # What was analyzed before this page was opened may differ with the skin the same.
            if finding is not None and not finding.as_captured:
                finding = None
            present = Picture(live.frozen, live.field, finding)
        return CompareView(
            earlier=recent[place] if place < len(recent) else None,
            present=present,
            number=place + 1 if recent else 0,
            count=len(recent),
            lost=live.lost,
            flash=live.flash,
            unfiled=snapshot.lesion is None,
        )

    def __init__(self, canvas: Canvas, field_view: FieldView, manifest: Manifest) -> None:
        super().__init__(canvas, field_view, manifest)
        page, px = canvas.layout.page, canvas.layout.px
        gap = px(14)
        if canvas.layout.portrait:
            side = (page.width - gap) // 2
            top = page.top + px(_CAPTION)
            table_top = top + side + px(_BELOW + 8)
            self._table = Rect(page.left, table_top, page.width, page.bottom - px(12) - table_top)
        else:
            side = min(
                (page.width - px(_TABLE_WIDTH) - 2 * gap) // 2,
                page.height - px(_CAPTION) - px(_BELOW + 8),
            )
            top = page.top + px(_CAPTION)
            left = page.left + side + gap
            self._table = Rect(left, top, page.right - side - gap - left, side + px(70))
        self._squares = (
            Rect(page.left, top, side, side),
            Rect(page.right - side, top, side, side),
        )
        self._boxes = (PictureBox(side), PictureBox(side))

    def draw(self, view: CompareView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        held = view.present is not None and view.present.time is not None
        older, newer = view.number < view.count, view.number > 1
        buttons: dict[Target, Button] = {
            CompareControl.OLDER: Button(wording.translate("Older"), False if older else None),
            CompareControl.NEWER: Button(wording.translate("Newer"), False if newer else None),
        }
        self.draw_buttons(view, wording, buttons, frozen=held)
        for i, picture in enumerate((view.earlier, view.present)):
            self._draw_side(i, picture, view, wording)
        for place, code in enumerate(SCREEN_ORDER):
            self._draw_row(place, code, view, wording)

    def _draw_side(
        self, i: int, picture: Picture | None, view: CompareView, wording: Wording
    ) -> None:
        canvas, area, px = self.canvas, self._squares[i], self.canvas.layout.px
        caption = Rect(area.left, area.top - px(_CAPTION), area.width, px(_CAPTION) - px(2))
        finding = picture.finding if picture else None
        lost = i == 1 and view.lost is not None
        text = _present(view, wording) if i else _earlier(view, wording)
        canvas.part(caption, _Caption(text, lost), lambda shown: self._draw_caption(caption, shown))
        canvas.part(
            area,
            _Picture(ByIdentity(picture.field if picture else None), lost, i == 1 and view.flash),
            lambda shown: self._draw_picture(i, shown, wording),
        )
        colour = self.palette.text
        if finding is not None and finding.no_call is not None:
            colour = self.palette.warning
        elif finding is not None and finding.leading in MALIGNANT:
            colour = self.palette.malignant
        line = wording.in_one_line(finding) if picture else ""
        notes = _notes(view, wording) if i == 0 else ()
        recommendation = finding.headlined if finding is not None else None
        if recommendation is not None:
            notes = (line, *notes)
            line = wording.recommended(recommendation)
            colour = self.canvas.recommendation_colour(recommendation)
        below = Rect(area.left, area.bottom + px(6), area.width, px(_BELOW))
        canvas.part(
            below,
            _Conclusion(line, colour, notes, recommendation),
            lambda shown: self._draw_conclusion(below, shown),
        )

    def _draw_caption(self, area: Rect, shown: _Caption) -> None:
        colour = self.palette.warning if shown.lost else self.palette.text
        self.canvas.draw_text(shown.text, 20, area.midleft, area.width, colour, anchor="midleft")

    def _draw_picture(self, i: int, shown: _Picture, wording: Wording) -> None:
        canvas, area, px = self.canvas, self._squares[i], self.canvas.layout.px
        if shown.field.value is not None:
            canvas.screen.blit(self._boxes[i].picture(shown.field.value), area)
            if shown.lost:
                dim(canvas.screen, area)
                pygame.draw.rect(canvas.screen, self.palette.warning, area, px(4))
            elif shown.flash:
                lighten(canvas.screen, area)
            return
        pygame.draw.rect(canvas.screen, self.palette.surface, area, px(2))
        if i == 0:
            inner = area.inflate(-px(40), -px(40))
            text = wording.translate("No earlier picture yet: capture one, then go live again.")
            canvas.draw_paragraph(text, theme.BODY, inner, self.palette.quiet)

    def _draw_conclusion(self, area: Rect, shown: _Conclusion) -> None:
        canvas, px = self.canvas, self.canvas.layout.px
        left = area.left
        if shown.recommendation is not None:
            canvas.draw_recommendation_sign(
                shown.recommendation, left, area.top + px(15), px(8), shown.colour
            )
            left += px(24)
        elif shown.colour == self.palette.malignant:
            canvas.draw_malignant_sign(left, area.top + px(16))
            left += px(22)
        room = Rect(left, area.top, area.right - left, area.height)
        top = canvas.draw_paragraph(shown.text, 20, room, shown.colour, bold=True)
        for note in shown.notes:
            if top + canvas.line_height(theme.SMALL) > area.bottom:
                # Rather none than a part of it; what matters most comes first.
                return
            canvas.draw_text(note, theme.SMALL, (area.left, top), area.width, self.palette.quiet)
            top += canvas.line_height(theme.SMALL)

    def _draw_row(self, place: int, code: Code, view: CompareView, wording: Wording) -> None:
        px, table = self.canvas.layout.px, self._table
        gap = px(12)
        height = (table.height - gap) / len(SCREEN_ORDER)
        top = table.top + round(place * height) + (gap if place >= MALIGNANT_ROWS else 0)
        area = Rect(table.left, top, table.width, int(height))
        earlier = None if _another_model(view) else view.earlier
        pair = tuple(_probability(picture, code) for picture in (earlier, view.present))
        half = self._half(area)
        shown = _Bars(
            code=code,
            figures=tuple("–" if p is None else percent(p) for p in pair),
            lengths=tuple(round((p or 0.0) * half) for p in pair),
        )
        self.canvas.part(
            area,
            shown,
            lambda shown: self._draw_bars(area, shown, wording, place == MALIGNANT_ROWS),
        )

    def _half(self, area: Rect) -> int:
        px = self.canvas.layout.px
        return area.width // 2 - px(66) - px(2)

    def _draw_bars(self, area: Rect, shown: _Bars, wording: Wording, ruled: bool) -> None:
        """Draw a diagnosis: the earlier bar left of its middle, the present one right.

        The earlier bar grows leftwards, so that what has grown is longer away from the middle.
        """
        canvas, px, half = self.canvas, self.canvas.layout.px, self._half(area)
        if ruled:
            pygame.draw.line(canvas.screen, self.palette.surface, area.topleft, area.topright)
        malignant = shown.code in MALIGNANT
        bar_height = px(12)
        middle = area.bottom - bar_height // 2 - px(7)
        name_middle = (area.top + middle - bar_height // 2) // 2
        room = area.width - (px(40) if malignant else 0)
        name = canvas.draw_text(
            wording.names[shown.code], 20, (area.centerx, name_middle), room,
            anchor="center",
        )  # fmt: skip
        if malignant:
            canvas.draw_malignant_sign(name.left - px(20), name_middle)
        full = self.palette.malignant if malignant else self.palette.benign
        bar_top = middle - bar_height // 2
        for side, length in enumerate(shown.lengths):
            left = area.centerx - half - px(2) if side == 0 else area.centerx + px(2)
            ground = Rect(left, bar_top, half, bar_height)
            pygame.draw.rect(canvas.screen, self.palette.surface, ground)
            start = ground.right - length if side == 0 else ground.left
            pygame.draw.rect(canvas.screen, full, Rect(start, bar_top, length, bar_height))
        earlier, present = shown.figures
        canvas.draw_text(earlier, 20, (area.left, middle), px(66), anchor="midleft")
        canvas.draw_text(present, 20, (area.right, middle), px(66), anchor="midright")


def _place(state: State) -> int:
    """Return which of the earlier pictures was turned to: 0 is the newest."""
    return state.page_state if isinstance(state.page_state, int) else 0


def _earlier(view: CompareView, wording: Wording) -> str:
    """Return the caption of the earlier picture."""
    if view.earlier is None:
        return wording.translate("Earlier")
    return wording.translate(
        "Earlier {time}  ({number} of {count})",
        time=day_or_moment(view.earlier.time, view.clock) if view.earlier.time else "–",
        number=view.number,
        count=view.count,
    )


def _notes(view: CompareView, wording: Wording) -> tuple[str, ...]:
    """Return what else is to be known of the earlier picture, what matters most first."""
    notes = []
    if model := _another_model(view):
        notes.append(wording.translate("Not comparable: judged by {model}", model=model))
    if view.earlier and view.unfiled:
        notes.append(wording.translate("Without a code: perhaps another lesion"))
    if view.earlier and view.earlier.time and view.clock:
        days = (view.clock.date() - view.earlier.time.astimezone().date()).days
        if days > 0:
            time = f"{view.earlier.time.astimezone():%H:%M}"
            notes.append(wording.translate("Days ago: {days}, at {time}", days=days, time=time))
    return tuple(notes)


def _present(view: CompareView, wording: Wording) -> str:
    """Return the caption of the present picture."""
    if view.present and view.present.time:
        return wording.translate("Captured {time}", time=moment(view.present.time))
    if view.lost:
        return wording.translate("Not live: last picture {time}", time=moment(view.lost))
    return wording.translate("Live now")


def _another_model(view: CompareView) -> str:
    """Return the earlier picture's model where it is not the present one's, else empty.

    Read for another practice, a model is another one: its probabilities differ for the same skin.
    """
    before, now = (p.finding if p else None for p in (view.earlier, view.present))
    if before is None or now is None:
        return ""
    alike = (before.model, before.case_mix) == (now.model, now.case_mix)
    return "" if alike else f"{before.model} {before.case_mix}".strip()


def _probability(picture: Picture | None, code: Code) -> float | None:
    """Return what may be compared: nothing of a poor picture or one that the model cannot know."""
    finding = picture.finding if picture else None
    return finding.probability(code) if finding and finding.rankable else None


PAGE = ComparePage
