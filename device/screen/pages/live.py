"""The live page: the skin, the finding, seven bars, quality, four buttons."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

import pygame
from pygame import Rect

from device.diagnoses import CODES, MALIGNANT, SCREEN_ORDER, Code
from device.imaging.quality import Shortcoming
from device.inference.finding import Finding, NoCallReason
from device.inference.recommendation import Recommendation
from device.records.words import NO_CALLS
from device.screen import theme
from device.screen.bars import bar_of, draw_bar
from device.screen.canvas import Button, Canvas
from device.screen.events import Target
from device.screen.field_view import STALE_SECONDS
from device.screen.forms import DecisionForm
from device.screen.layout import Layout
from device.screen.legend import Legend, draw_legend, evidence
from device.screen.pages.base import Control, Page
from device.screen.quality_marks import QualityShown, draw_quality, quality_of
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step, with_page
from device.screen.view import LiveView, PageView, Snapshot
from device.screen.wording import INSTRUCTIONS, Wording, percent

_CALLED: Final = 24
_CAVEAT_SIZES: Final = (_CALLED, 20, theme.SMALL, 16)
"""What is not excluded stands beside the diagnosis, as large where there is room."""

_DETAIL_SIZES: Final = (theme.BODY, 20, theme.SMALL, 16)


class LiveControl(StrEnum):
    """The live page's own targets, beside the diagnoses."""

    OVERLAY = "overlay"
    CASE = "case"
    MORE = "more"


class LegendControl(StrEnum):
    """What can be touched in the overlay's legend, beside the slider."""

    NEXT = "next"


@dataclass(frozen=True, slots=True)
class _Finding:
    """The slice of a view that the finding in words shows."""

    leading: Code
    probability: str
    malignancy: str
    no_call: NoCallReason | None
    prediction_set: tuple[Code, ...]
    shortcomings: tuple[Shortcoming, ...]
    recommendation: Recommendation | None
    headlined: Recommendation | None
    preview: bool
    parted: str
    faded: bool


class LivePage(Page):
    """The live page. The manifest's operating points are ticks on the bars."""

    parent: ClassVar[PageName | None] = None
    shows_capture: ClassVar[bool] = True
    keys: ClassVar[Mapping[str, Target]] = {"o": LiveControl.OVERLAY}

    @classmethod
    def places(cls, layout: Layout) -> Mapping[Target, Rect]:
        """Return where the buttons, the bars and what can be touched in the legend are.

        A bar is too low for a gloved finger: the legend, which is not, goes from one diagnosis to
        the next.
        """
        bars: dict[Target, Rect] = dict(layout.bars.items())
        buttons = zip((Control.SHUTTER, *LiveControl), layout.row, strict=True)
        return {
            **dict(buttons),
            **bars,
            LegendControl.NEXT: layout.legend_next,
            Control.OPACITY: layout.legend_slider,
        }

    @classmethod
    def targets(cls, state: State) -> tuple[Target, ...]:
        """Return the buttons, then the bars, then the legend's targets where it is shown."""
        legend = (LegendControl.NEXT, Control.OPACITY) if state.overlay else ()
        return (Control.SHUTTER, *LiveControl, *SCREEN_ORDER, *legend)

    @classmethod
    def pressed(cls, state: State, target: Target, context: Context) -> Step:
        """Explain a diagnosis, switch the overlay, or open another page."""
        match target:
            case LiveControl.OVERLAY:
                return replace(state, overlay=not state.overlay), Command.EXPLAIN
            case LiveControl.CASE:
                return _case(state, context), None
            case LiveControl.MORE:
                return with_page(state, PageName.SETTINGS), None
            case LegendControl.NEXT:
                code = _following(state.code or context.explained)
                return replace(state, code=code), Command.EXPLAIN
        if target in CODES:
            return replace(state, overlay=True, code=Code(target)), Command.EXPLAIN
        return state, None

    @classmethod
    def view(cls, snapshot: Snapshot) -> PageView:
        """Return the skin and its finding."""
        return snapshot.live

    def draw(self, view: LiveView, wording: Wording) -> None:
        """Draw the page, but for its status line."""
        self.field_view.draw(view, wording)
        buttons = own_buttons(view, wording)
        self.draw_buttons(view, wording, buttons, frozen=view.frozen is not None)
        layout, finding = self.canvas.layout, view.finding
        faded = finding is not None and (view.finding_age > STALE_SECONDS or bool(view.lost))
        self.canvas.part(
            layout.finding,
            self._finding(finding, faded, wording.parted(finding, view.live_before))
            if finding
            else None,
            lambda shown: self._draw_finding(shown, wording),
        )
        doubted = finding is not None and _to_be_seen_all_the_same(finding)
        ranked = finding if finding and (finding.rankable or doubted) else None
        for code in SCREEN_ORDER:
            self.canvas.part(
                layout.bars[code],
                bar_of(code, ranked, faded or doubted, view, layout, self.manifest),
                lambda shown: draw_bar(self.canvas, shown, wording),
            )
        self.canvas.part(layout.rule, None, lambda _: self._draw_rule())
        self.canvas.part(
            layout.quality,
            self._legend(view) or quality_of(view),
            lambda shown: self._draw_quality_or_legend(shown, wording),
        )

    def _legend(self, view: LiveView) -> Legend | None:
        """Return the overlay's legend, which takes the quality's place; None where it is off."""
        if not view.overlay_wanted or view.explained is None or view.progress is not None:
            return None
        return Legend(
            code=view.explained,
            evidence=evidence(view, view.explained),
            estimate=self.manifest.captured is not None and not view.frozen,
            opacity=view.opacity,
            next_focused=view.focus == LegendControl.NEXT,
            slider_focused=view.focus == Control.OPACITY,
        )

    def _draw_quality_or_legend(self, shown: Legend | QualityShown, wording: Wording) -> None:
        if isinstance(shown, Legend):
            draw_legend(self.canvas, shown, wording)
        else:
            draw_quality(self.canvas, shown, wording)

    def _finding(self, finding: Finding, faded: bool, parted: str) -> _Finding:
        code = finding.leading
        return _Finding(
            leading=code,
            probability=percent(finding.probability(code)),
            malignancy=percent(finding.malignancy),
            no_call=finding.no_call,
            prediction_set=finding.prediction_set,
            shortcomings=finding.quality.shortcomings,
            recommendation=finding.recommendation,
            headlined=finding.headlined,
            parted=parted,
            preview=self.manifest.captured is not None and not finding.as_captured,
            faded=faded,
        )

    def _draw_finding(self, shown: _Finding | None, wording: Wording) -> None:
        if shown is None:
            headline(self.canvas, wording.translate("Waiting for a picture"), self.palette.quiet)
            return
        called = f"{wording.names[shown.leading]}  {shown.probability}"
        colour = self.palette.malignant if shown.leading in MALIGNANT else self.palette.text
        tell = self._detail
        if shown.no_call is not None:
            called = wording.translate("No call")
            colour, tell = self.palette.warning, self._no_call
        if shown.headlined:
            if shown.no_call is not None:
                called = wording.translate(NO_CALLS[shown.no_call])
            top = self._draw_recommendation(shown, wording)
            room = self.canvas.layout.finding
            below = Rect(room.left, top, room.width, room.bottom - top)
            top = self.canvas.draw_paragraph(called, _CALLED, below, bold=True)
        else:
            top = headline(self.canvas, called, self.palette.quiet if shown.faded else colour)
        if shown.no_call is None:
            top = self._draw_caveat(shown, wording, top)
        versions = tuple(tell(shown, wording, short=short) for short in (False, True))
        self._below_headline(versions, top)

    def _draw_recommendation(self, shown: _Finding, wording: Wording) -> int:
        """Draw what the finding asks for; return where what stands below it begins."""
        recommendation, px = shown.headlined, self.canvas.layout.px
        assert recommendation is not None
        colour = self.canvas.recommendation_colour(recommendation)
        colour = self.palette.quiet if shown.faded else colour
        area = self.canvas.layout.finding
        self.canvas.draw_recommendation_sign(
            recommendation, area.left, area.top + px(21), px(12), colour
        )
        return headline(self.canvas, wording.recommended(recommendation), colour, indent=px(34))

    def _draw_caveat(self, shown: _Finding, wording: Wording, top: int) -> int:
        """Draw what is not excluded beside the diagnosis; return where what is below it begins."""
        told = wording.not_excluded(shown.leading, shown.prediction_set, shown.recommendation)
        if not told:
            return top
        canvas, area = self.canvas, self.canvas.layout.finding
        bottom = area.bottom - canvas.line_height(_DETAIL_SIZES[-1])
        room = Rect(area.left, top, area.width, bottom - top)
        _, size = canvas.fitting([[told]], _CAVEAT_SIZES, room, bold=True)
        return canvas.draw_paragraph(told, size, room, bold=True)

    def _detail(self, shown: _Finding, wording: Wording, *, short: bool) -> list[str]:
        """Return what is to be known beside the leading diagnosis and what is not excluded."""
        detail = [
            wording.translate("Malignant or pre-malignant {percent}", percent=shown.malignancy)
        ]
        if shown.preview and short:
            estimated = wording.translate("Live estimate")
            detail = [f"{detail[0]}  ·  {estimated}"]
        elif shown.preview:
            detail.append(wording.translate("Live estimate: capture for the finding."))
        elif shown.parted:
            detail.append(shown.parted)
        return detail

    def _no_call(self, shown: _Finding, wording: Wording, *, short: bool) -> list[str]:
        """Return why no call is made, and that it may be malignant where the numbers say so."""
        said = self._reason(shown, wording, short=short)
        if shown.headlined:
            # What to do is said above.
            del said[-1]
        else:
            assert shown.no_call is not None
            caveat = wording.not_excluded_uncalled(shown.no_call, shown.recommendation)
            if caveat:
                return [*said, caveat]
        if shown.parted:
            said.append(shown.parted)
        return said

    def _reason(self, shown: _Finding, wording: Wording, *, short: bool) -> list[str]:
        """Return why no call is made, and what to do next."""
        if shown.no_call == NoCallReason.QUALITY:
            instruction = wording.translate(INSTRUCTIONS[shown.shortcomings[0]])
            return [
                wording.translate("The picture is not good enough."),
                wording.translate("{instruction}, then look again.", instruction=instruction),
            ]
        if shown.no_call == NoCallReason.UNFAMILIAR:
            return [
                wording.translate("Unlike any lesion the model knows."),
                wording.translate("Judge without it, or refer."),
            ]
        if shown.no_call == NoCallReason.NOT_DERMOSCOPIC:
            return [
                wording.translate("Not taken through a dermatoscope, it seems."),
                wording.translate("Place the lens on the skin, look again."),
            ]
        if shown.no_call == NoCallReason.UNSTABLE:
            return [
                wording.translate("Turned or mirrored, this picture would be called otherwise."),
                wording.translate("Take another picture, or refer."),
            ]
        if len(shown.prediction_set) > 1:
            names = wording.listed(shown.prediction_set, short=short)
            undecided = wording.translate("Undecided between: {diagnoses}", diagnoses=names)
        else:
            undecided = wording.translate(
                "{diagnosis} is likeliest, but not likely enough.",
                diagnosis=wording.names[shown.leading],
            )
        return [undecided, wording.translate("Take another picture, or refer.")]

    def _below_headline(self, versions: tuple[list[str], ...], top: int) -> None:
        """Draw the first version of what is said below the headline that has room."""
        canvas, area = self.canvas, self.canvas.layout.finding
        # The last line's descenders reach below it.
        room = Rect(area.left, top, area.width, area.bottom - top - canvas.layout.px(2))
        paragraphs, size = canvas.fitting(versions, _DETAIL_SIZES, room)
        for words in paragraphs:
            below = Rect(area.left, top, area.width, area.bottom - top)
            top = canvas.draw_paragraph(words, size, below)

    def _draw_rule(self) -> None:
        pygame.draw.rect(self.canvas.screen, self.palette.surface, self.canvas.layout.rule)


def own_buttons(view: LiveView, wording: Wording) -> Mapping[Target, Button]:
    """Return the live page's own buttons, which the fault page shows too."""
    return {
        LiveControl.OVERLAY: Button(wording.translate("Overlay"), view.overlay_wanted),
        LiveControl.CASE: Button(
            wording.translate("Decide") if view.frozen else wording.translate("Patient"),
            view.case is not None and not view.frozen,
        ),
        LiveControl.MORE: Button(wording.translate("More")),
    }


def _case(state: State, context: Context) -> State:
    """Return where the third button leads: to a decision about the picture that is held."""
    if state.frozen:
        if context.shot is None:
            # It is still being taken.
            return state
        form = DecisionForm(context.shot)
        return replace(with_page(state, PageName.DECISION), page_state=form)
    if state.lesion is not None:
        return with_page(state, PageName.LESION)
    return with_page(state, PageName.PATIENT if context.desk.patient else PageName.START)


def headline(canvas: Canvas, words: str, colour: theme.Colour, indent: int = 0) -> int:
    """Draw the largest words of the page, on two lines of smaller letters where one has no room.

    Returns where what stands below them begins.
    """
    px, whole = canvas.layout.px, canvas.layout.finding
    area = Rect(whole.left + indent, whole.top, whole.width - indent, whole.height)
    if canvas.fonts.width(words, px(theme.HEADLINE * 3 / 4), bold=True) <= area.width:
        canvas.draw_text(words, theme.HEADLINE, area.topleft, area.width, colour, bold=True)
        return area.top + px(40)
    room = Rect(area.left, area.top + px(4), area.width, px(60))
    return canvas.draw_paragraph(words, 24, room, colour, bold=True)


def _to_be_seen_all_the_same(finding: Finding) -> bool:
    """Return whether a poor picture reaches a threshold: what the numbers say is not kept back."""
    return finding.no_call == NoCallReason.QUALITY and finding.recommendation is not None


def _following(code: Code | None) -> Code:
    """Return the diagnosis below another on the screen; below the last or none, the first."""
    place = SCREEN_ORDER.index(code) if code else -1
    return SCREEN_ORDER[(place + 1) % len(SCREEN_ORDER)]


PAGE = LivePage
