"""The live page: the skin, the finding, seven bars, quality, four targets."""

from typing import Final

import pygame
from pygame import Rect

from device.diagnoses import MALIGNANT, SCREEN_ORDER, Code
from device.inference.finding import Finding
from device.language import translatable
from device.models.manifest import Manifest
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.field_view import STALE_SECONDS, FieldView
from device.screen.view import LiveView
from device.screen.wording import INSTRUCTIONS, MARKS, Wording, codes_listed, percent

_UNSURE_BAND: Final = (88, 88, 88)
"""A neutral grey between a bar's ground and its words."""

_LISTING_LINES: Final = 2


class LivePage:
    """Draws the live page.

    Parameters
    ----------
    manifest
        Of the model in use: its operating points are ticks on the bars.
    """

    def __init__(self, sheet: Canvas, skin: FieldView, manifest: Manifest) -> None:
        self._sheet = sheet
        self._skin = skin
        self._ticks = {
            "mel": sorted(p.threshold for p in manifest.operating_points if p.score == "mel")
        }

    def draw(self, view: LiveView, speech: Wording) -> None:
        """Draw the page, but for its status line."""
        self._skin.draw(view, speech, slider_focused=view.focus == "opacity")
        self.draw_row(view, speech)
        finding = view.finding
        faded = finding is not None and (view.finding_age > STALE_SECONDS or bool(view.lost))
        self._draw_finding(finding, speech, faded)
        # Of a picture unlike any that the model knows, or of a poor one, a ranking would mislead.
        withheld = finding is None or finding.no_call in ("quality", "unfamiliar")
        for code in SCREEN_ORDER:
            self._draw_bar(code, None if withheld else finding, faded, view, speech)
        if self._sheet.part(self._sheet.layout.rule):
            pygame.draw.rect(self._sheet.screen, theme.SURFACE, self._sheet.layout.rule)
        self._draw_quality(view, speech)

    def draw_row(self, view: LiveView, speech: Wording) -> None:
        """Draw the four targets."""
        frozen = view.frozen is not None
        shutter = speech.translate("Live") if frozen else speech.translate("Freeze")
        self._sheet.row(
            "live",
            view.focus,
            ("shutter", shutter, frozen),
            ("overlay", speech.translate("Overlay"), view.overlay_wanted),
            ("compare", speech.translate("Compare"), False),
            ("more", speech.translate("More"), False),
        )

    def _draw_finding(self, finding: Finding | None, speech: Wording, faded: bool) -> None:
        area = self._sheet.layout.finding
        if finding is None:
            if self._sheet.part(area, speech):
                self.headline(speech.translate("Waiting for a picture"), theme.QUIET)
            return
        code = finding.leading
        call = (code, percent(finding.probability(code)), percent(finding.malignancy))
        cause = (finding.no_call, finding.prediction_set, finding.quality.shortcomings)
        if not self._sheet.part(area, speech, faded, call, cause):
            return
        if finding.no_call is not None:
            self.headline(speech.translate("No call"), theme.QUIET if faded else theme.WARNING)
            self._below_headline(self._reason(finding, speech))
            return
        colour = theme.MALIGNANT if code in MALIGNANT else theme.TEXT
        self.headline(f"{speech.names[code]}  {call[1]}", theme.QUIET if faded else colour)
        detail = [speech.translate("Malignant group {percent}", percent=call[2])]
        others = tuple(c for c in finding.prediction_set if c != code)
        if others:
            detail.append(self._listing(translatable("Not excluded: {diagnoses}"), others, speech))
        self._below_headline(detail)

    def _reason(self, finding: Finding, speech: Wording) -> list[str]:
        """Return why no call is made, and what to do next."""
        if finding.no_call == "quality":
            return [
                speech.translate("The picture is not good enough."),
                speech.translate("{instruction}, then look again.", instruction=speech.translate(
                    INSTRUCTIONS[finding.quality.shortcomings[0]])),
            ]  # fmt: skip
        if finding.no_call == "unfamiliar":
            return [
                speech.translate("Unlike any lesion the model knows."),
                speech.translate("Judge without it, or refer."),
            ]
        open_ = finding.prediction_set
        undecided = (
            self._listing(translatable("Undecided between: {diagnoses}"), open_, speech)
            if len(open_) > 1
            else speech.translate("{diagnosis} is likeliest, but not likely enough.",
                            diagnosis=speech.names[finding.leading])
        )  # fmt: skip
        return [undecided, speech.translate("Take another picture, or refer.")]

    def _listing(self, words: str, codes: tuple[Code, ...], speech: Wording) -> str:
        """Name diagnoses, or list their codes where the names take more lines than there are."""
        size, width = self._sheet.layout.px(theme.BODY), self._sheet.layout.finding.width
        named = speech.translate(words, diagnoses=speech.listed(codes))
        if len(self._sheet.type.lines(named, size, width)) <= _LISTING_LINES:
            return named
        return speech.translate(words, diagnoses=codes_listed(codes))

    def headline(self, words: str, colour: theme.Colour) -> None:
        """Draw the largest words of the page."""
        area = self._sheet.layout.finding
        self._sheet.words(words, theme.HEADLINE, area.topleft, area.width, colour, bold=True)

    def _below_headline(self, paragraphs: list[str]) -> None:
        area, px = self._sheet.layout.finding, self._sheet.layout.px
        top = area.top + px(40)
        for words in paragraphs:
            room = Rect(area.left, top, area.width, area.bottom - top)
            top = self._sheet.paragraph(words, theme.BODY, room)

    def _draw_bar(
        self, code: Code, finding: Finding | None, faded: bool, view: LiveView, speech: Wording
    ) -> None:
        sheet, px = self._sheet, self._sheet.layout.px
        area, screen = sheet.layout.bars[code], sheet.screen
        inset = px(4)
        bar = Rect(area.left + inset, area.bottom - px(9), area.width - 2 * inset, px(7))
        leading = finding is not None and finding.no_call is None and finding.leading == code
        number = percent(finding.probability(code)) if finding else "–"
        length = round(bar.width * finding.probability(code)) if finding else None
        explained = view.overlay_wanted and view.explained == code
        focused = view.focus == code
        if not sheet.part(area, speech, number, length, leading, faded, explained, focused):
            return
        malignant = code in MALIGNANT
        colour = theme.QUIET if faded or finding is None else theme.TEXT
        middle = (area.top + bar.top) // 2 - px(1)
        left = bar.left
        pygame.draw.rect(screen, theme.SURFACE, bar)
        if malignant:
            sheet.malignant_sign(left, middle)
        left += px(22)
        figure = sheet.words(
            number, 20, (bar.right, middle), area.width, colour,
            bold=leading, anchor="midright",
        )  # fmt: skip
        if leading:
            tip, side = figure.left - px(8), px(7)
            points = [(tip - side, middle - side), (tip - side, middle + side), (tip, middle)]
            pygame.draw.polygon(screen, colour, points)
        short = sheet.type.text(code, px(theme.SMALL - 1), theme.QUIET)
        room = bar.right - left - px(96) - short.get_width() - px(8)
        name = sheet.words(
            speech.names[code], 20, (left, middle), room, colour,
            bold=leading, anchor="midleft",
        )  # fmt: skip
        screen.blit(short, short.get_rect(midleft=(name.right + px(8), middle + px(1))))
        if explained:
            line = bar.top - px(2)
            pygame.draw.line(screen, theme.TOUCH, (left, line), (name.right, line), px(3))
        ticks = [bar.left + round(t * bar.width) for t in self._ticks.get(code, [])]
        if len(ticks) > 1:
            band = Rect(ticks[0], bar.top, ticks[-1] - ticks[0], bar.height)
            pygame.draw.rect(screen, _UNSURE_BAND, band)
        if length is not None:
            full = theme.MALIGNANT if malignant else theme.BENIGN
            filled = Rect(bar.left, bar.top, length, bar.height)
            pygame.draw.rect(screen, theme.QUIET if faded else full, filled)
            if leading:
                pygame.draw.rect(screen, theme.TEXT, filled, px(2))
        for tick in ticks:
            ends = (tick, bar.top - px(3)), (tick, bar.bottom + px(1))
            pygame.draw.line(screen, theme.TEXT, *ends, px(2))
        sheet.focus(area, focused=focused)

    def _draw_quality(self, view: LiveView, speech: Wording) -> None:
        sheet, finding = self._sheet, view.finding
        area, px = sheet.layout.quality, sheet.layout.px
        failed = finding.quality.shortcomings if finding else None
        measured = view.measures if view.frozen and not failed else None
        if not sheet.part(area, speech, failed, measured, view.progress):
            return
        step = area.width / len(MARKS)
        for i, (name, shortcomings) in enumerate(MARKS):
            left, middle = area.left + round(i * step), area.top + px(14)
            bad = failed is not None and bool(shortcomings.intersection(failed))
            self._draw_mark((left + px(9), middle), bad, failed is None)
            sheet.words(
                speech.translate(name), 20, (left + px(23), middle), round(step) - px(26),
                theme.WARNING if bad else theme.TEXT, anchor="midleft",
            )  # fmt: skip
        below = Rect(area.left, area.top + px(32), area.width, area.height - px(32))
        if view.progress is not None:
            self._draw_progress(below, *view.progress, speech)
        elif measured:
            self._draw_measures(below, speech.measured(measured))
        elif failed is not None:
            words = speech.translate(INSTRUCTIONS[failed[0]] if failed else "The picture is good")
            sheet.words(
                words, 24, (area.left, below.centery), area.width,
                theme.WARNING if failed else theme.QUIET, bold=bool(failed), anchor="midleft",
            )  # fmt: skip

    def _draw_progress(self, area: Rect, done: int, of: int, speech: Wording) -> None:
        px = self._sheet.layout.px
        words = speech.translate("Analyzing {done} of {of}", done=done, of=of)
        self._sheet.words(
            words if of else speech.translate("Taking the picture: hold still"),
            theme.BODY, area.topleft, area.width,
        )  # fmt: skip
        bar = Rect(area.left, area.bottom - px(14), area.width, px(10))
        pygame.draw.rect(self._sheet.screen, theme.SURFACE, bar)
        bar.width = round(bar.width * done / of) if of else 0
        pygame.draw.rect(self._sheet.screen, theme.TEXT, bar)

    def _draw_measures(self, area: Rect, measures: tuple[tuple[str, str], ...]) -> None:
        px = self._sheet.layout.px
        step = area.width / len(MARKS)
        for i, (label, value) in enumerate(measures[: len(MARKS)]):
            left, room = area.left + round(i * step), round(step) - px(8)
            self._sheet.words(
                label, theme.SMALL, (left, area.top + px(9)), room, theme.QUIET, anchor="midleft"
            )
            self._sheet.words(
                value, theme.BODY, (left, area.top + px(31)), room, bold=True, anchor="midleft"
            )

    def _draw_mark(self, centre: tuple[int, int], bad: bool, empty: bool) -> None:
        """Draw a hook for good, a filled triangle for bad, a ring for not known."""
        px, screen = self._sheet.layout.px, self._sheet.screen
        x, y = centre
        if empty:
            pygame.draw.circle(screen, theme.QUIET, centre, px(8), px(2))
        elif bad:
            points = [(x - px(9), y + px(8)), (x + px(9), y + px(8)), (x, y - px(9))]
            pygame.draw.polygon(screen, theme.WARNING, points)
        else:
            hook = [(x - px(8), y), (x - px(2), y + px(6)), (x + px(8), y - px(7))]
            pygame.draw.lines(screen, theme.TEXT, False, hook, px(3))
