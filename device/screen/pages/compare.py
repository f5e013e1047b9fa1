"""The compare page: an earlier picture and the present one, and between them what changed."""

from typing import Final

import pygame
from pygame import Rect

from device.diagnoses import MALIGNANT, SCREEN_ORDER, Code
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.field_view import PictureBox, dim
from device.screen.layout import MALIGNANT_ROWS
from device.screen.view import CompareView, Picture
from device.screen.wording import Wording, day_or_moment, moment, percent

_TABLE_WIDTH: Final = 270
_CAPTION: Final = 36


class ComparePage:
    """Draws the compare page: pictures at the sides and the bars of both between them.

    In portrait the bars stand below the pictures.
    """

    def __init__(self, sheet: Canvas) -> None:
        self._sheet = sheet
        page, px = sheet.layout.page, sheet.layout.px
        gap = px(14)
        if sheet.layout.portrait:
            side = (page.width - gap) // 2
            top = page.top + px(_CAPTION)
            self._pictures = (
                Rect(page.left, top, side, side),
                Rect(page.right - side, top, side, side),
            )
            table_top = top + side + px(84)
            self._table = Rect(page.left, table_top, page.width, page.bottom - px(12) - table_top)
        else:
            side = min(
                (page.width - px(_TABLE_WIDTH) - 2 * gap) // 2,
                page.height - px(_CAPTION) - px(84),
            )
            top = page.top + px(_CAPTION)
            self._pictures = (
                Rect(page.left, top, side, side),
                Rect(page.right - side, top, side, side),
            )
            left = page.left + side + gap
            self._table = Rect(left, top, page.right - side - gap - left, side + px(70))
        self._boxes = (PictureBox(side), PictureBox(side))
        self._shown: list[Picture | None] = [None, None]
        self._numbers = [0, 0]

    def draw(self, view: CompareView, speech: Wording) -> None:
        """Draw the page, but for its status line."""
        self._draw_row(view, speech)
        pair = (view.earlier, view.present)
        for i, picture in enumerate(pair):
            self._draw_picture(i, picture, view, speech)
        for place, code in enumerate(SCREEN_ORDER):
            self._draw_bars(place, code, view, speech)

    def _draw_row(self, view: CompareView, speech: Wording) -> None:
        held = view.present is not None and view.present.time is not None
        shutter = speech.translate("Live") if held else speech.translate("Freeze")
        self._sheet.row(
            "compare",
            view.focus,
            ("shutter", shutter, held),
            ("previous", speech.translate("Older"), False if view.number < view.count else None),
            ("next", speech.translate("Newer"), False if view.number > 1 else None),
            ("back", speech.translate("Back"), False),
        )

    def _draw_picture(
        self, i: int, picture: Picture | None, view: CompareView, speech: Wording
    ) -> None:
        sheet, area, px = self._sheet, self._pictures[i], self._sheet.layout.px
        caption = Rect(area.left, area.top - px(_CAPTION), area.width, px(_CAPTION) - px(2))
        finding = picture.finding if picture else None
        lost = i == 1 and view.lost is not None
        said = _present(view, speech) if i else _earlier(view, speech)
        if sheet.part(caption, said):
            colour = theme.WARNING if lost else theme.TEXT
            sheet.words(said, 20, caption.midleft, caption.width, colour, anchor="midleft")
        old = self._shown[i]
        if (old.field if old else None) is not (picture.field if picture else None):
            self._numbers[i] += 1
        self._shown[i] = picture
        if sheet.part(area, self._numbers[i], picture is None, speech, lost):
            if picture is not None:
                sheet.screen.blit(self._boxes[i].picture(picture.field), area)
                if lost:
                    dim(sheet.screen, area)
                    pygame.draw.rect(sheet.screen, theme.WARNING, area, px(4))
            else:
                pygame.draw.rect(sheet.screen, theme.SURFACE, area, px(2))
                inner = area.inflate(-px(40), -px(40))
                words = speech.translate("No earlier picture yet: freeze one, then go live again.")
                if i == 0:
                    sheet.paragraph(words, theme.BODY, inner, theme.QUIET)
        below = Rect(area.left, area.bottom + px(6), area.width, px(76))
        line = speech.in_one_line(finding) if picture else ""
        notes = _notes(view, speech) if i == 0 else ()
        call = finding is not None and finding.no_call is None
        if sheet.part(below, line, notes):
            colour = theme.TEXT
            if finding is not None and not call:
                colour = theme.WARNING
            elif finding is not None and finding.leading in MALIGNANT:
                colour = theme.MALIGNANT
            left = below.left
            if colour == theme.MALIGNANT:
                sheet.malignant_sign(left, below.top + px(16))
                left += px(22)
            room = below.right - left
            top = sheet.paragraph(
                line, 20, Rect(left, below.top, room, below.height), colour, bold=True
            )
            for note in notes:
                sheet.words(note, theme.SMALL, (below.left, top), below.width, theme.QUIET)
                top += sheet.line(theme.SMALL)

    def _draw_bars(self, place: int, code: Code, view: CompareView, speech: Wording) -> None:
        """Draw a diagnosis: the earlier bar left of its middle, the present one right.

        The earlier bar grows leftwards, so that what has grown is longer away from the middle.
        """
        sheet, px, table = self._sheet, self._sheet.layout.px, self._table
        gap = px(12)
        height = (table.height - gap) / len(SCREEN_ORDER)
        top = table.top + round(place * height) + (gap if place >= MALIGNANT_ROWS else 0)
        area = Rect(table.left, top, table.width, int(height))
        earlier = None if _another_model(view) else view.earlier
        pair = tuple(_probability(picture, code) for picture in (earlier, view.present))
        figures = tuple("–" if p is None else percent(p) for p in pair)
        room = px(66)
        half = area.width // 2 - room - px(2)
        lengths = tuple(round((p or 0.0) * half) for p in pair)
        if not sheet.part(area, speech, figures, lengths):
            return
        if place == MALIGNANT_ROWS:
            pygame.draw.line(sheet.screen, theme.SURFACE, area.topleft, area.topright)
        malignant = code in MALIGNANT
        bar_height = px(12)
        middle = area.bottom - bar_height // 2 - px(7)
        name_middle = (area.top + middle - bar_height // 2) // 2
        name = sheet.words(
            speech.names[code], 20, (area.centerx, name_middle), area.width - px(40),
            anchor="center",
        )  # fmt: skip
        if malignant:
            sheet.malignant_sign(name.left - px(20), name_middle)
        full = theme.MALIGNANT if malignant else theme.BENIGN
        bar_top = middle - bar_height // 2
        for side, length in enumerate(lengths):
            left = area.centerx - half - px(2) if side == 0 else area.centerx + px(2)
            ground = Rect(left, bar_top, half, bar_height)
            pygame.draw.rect(sheet.screen, theme.SURFACE, ground)
            start = ground.right - length if side == 0 else ground.left
            pygame.draw.rect(sheet.screen, full, Rect(start, bar_top, length, bar_height))
        for side, figure in enumerate(figures):
            if side == 0:
                sheet.words(figure, 20, (area.left, middle), room, anchor="midleft")
            else:
                sheet.words(figure, 20, (area.right, middle), room, anchor="midright")


def _earlier(view: CompareView, speech: Wording) -> str:
    """Return the caption of the earlier picture."""
    if view.earlier is None:
        return speech.translate("Earlier")
    return speech.translate(
        "Earlier {time}  ({number} of {count})",
        time=day_or_moment(view.earlier.time, view.clock) if view.earlier.time else "–",
        number=view.number,
        count=view.count,
    )


def _notes(view: CompareView, speech: Wording) -> tuple[str, ...]:
    """Return what else is to be known of the earlier picture."""
    notes = []
    if view.earlier and view.earlier.time and view.clock:
        days = (view.clock.date() - view.earlier.time.astimezone().date()).days
        if days > 0:
            time = f"{view.earlier.time.astimezone():%H:%M}"
            notes.append(speech.translate("Days ago: {days}, at {time}", days=days, time=time))
    if model := _another_model(view):
        notes.append(speech.translate("Not comparable: judged by {model}", model=model))
    return tuple(notes)


def _present(view: CompareView, speech: Wording) -> str:
    """Return the caption of the present picture."""
    if view.present and view.present.time:
        return speech.translate("Frozen {time}", time=moment(view.present.time))
    if view.lost:
        return speech.translate("Not live: last picture {time}", time=moment(view.lost))
    return speech.translate("Live now")


def _another_model(view: CompareView) -> str:
    """Return what judged the earlier picture, where that is not what judged the present one."""
    before, now = (p.finding if p else None for p in (view.earlier, view.present))
    return before.model if before and now and before.model != now.model else ""


def _probability(picture: Picture | None, code: Code) -> float | None:
    """Return what may be compared: nothing of a poor picture or one that the model cannot know."""
    finding = picture.finding if picture else None
    if finding is None or finding.no_call in ("quality", "unfamiliar"):
        return None
    return finding.probability(code)
