"""The marks of a picture's quality, and what stands below them."""

from dataclasses import dataclass

import pygame
from pygame import Rect

from device.imaging.abcd import AbcdMeasures
from device.imaging.quality import Remark, Shortcoming
from device.inference.finding import NoCallReason
from device.language import translatable
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.view import LiveView
from device.screen.wording import INSTRUCTIONS, MARKS, REMARKS, Wording


@dataclass(frozen=True, slots=True)
class QualityShown:
    """The slice of a view that marks, instruction, progress and measures show."""

    shortcomings: tuple[Shortcoming, ...] | None
    measured: bool
    remark: Remark | None
    measures: AbcdMeasures | None
    progress: tuple[int, int] | None


def quality_of(view: LiveView) -> QualityShown:
    """Return what is to be shown of a picture's quality, or of progress and measures instead."""
    finding = view.finding
    # Of what no dermatoscope took nobody is told that it is good.
    if finding is None or finding.no_call == NoCallReason.NOT_DERMOSCOPIC:
        return QualityShown(None, False, None, None, view.progress)
    quality = finding.quality
    remark = quality.remarks[0] if quality.remarks else None
    # What is cut off, or beside another, is not what would be measured.
    measures = view.measures if view.frozen and quality.sufficient and not remark else None
    return QualityShown(quality.shortcomings, quality.measured, remark, measures, view.progress)


def draw_quality(canvas: Canvas, shown: QualityShown, wording: Wording) -> None:
    """Draw the marks, and below them what to do, the progress or the measures."""
    failed = shown.shortcomings
    area, px = canvas.layout.quality, canvas.layout.px
    step = area.width / len(MARKS)
    for i, (name, shortcomings) in enumerate(MARKS):
        left, middle = area.left + round(i * step), area.top + px(14)
        bad = failed is not None and bool(shortcomings.intersection(failed))
        _draw_mark(canvas, (left + px(9), middle), bad, not (bad or shown.measured))
        canvas.draw_text(
            wording.translate(name), 20, (left + px(23), middle), round(step) - px(26),
            canvas.palette.warning if bad else canvas.palette.text, anchor="midleft",
        )  # fmt: skip
    below = Rect(area.left, area.top + px(32), area.width, area.height - px(32))
    if shown.progress is not None:
        _draw_progress(canvas, below, *shown.progress, wording)
    elif shown.measures:
        _draw_measures(canvas, below, wording.measured(shown.measures))
    elif failed is not None:
        said = INSTRUCTIONS[failed[0]] if failed else translatable("The picture is good")
        if shown.remark is not None and not failed:
            said = REMARKS[shown.remark]
        told = bool(failed or shown.remark)
        canvas.draw_text(
            wording.translate(said), 24, (area.left, below.centery), area.width,
            canvas.palette.warning if told else canvas.palette.quiet,
            bold=bool(failed), anchor="midleft",
        )  # fmt: skip


def _draw_progress(canvas: Canvas, area: Rect, done: int, of: int, wording: Wording) -> None:
    px = canvas.layout.px
    words = wording.translate("Analyzing {done} of {of}", done=done, of=of)
    canvas.draw_text(
        words if of else wording.translate("Taking the picture: hold still"),
        theme.BODY, area.topleft, area.width,
    )  # fmt: skip
    bar = Rect(area.left, area.bottom - px(14), area.width, px(10))
    pygame.draw.rect(canvas.screen, canvas.palette.surface, bar)
    bar.width = round(bar.width * done / of) if of else 0
    pygame.draw.rect(canvas.screen, canvas.palette.text, bar)


def _draw_measures(canvas: Canvas, area: Rect, measures: tuple[tuple[str, str], ...]) -> None:
    px = canvas.layout.px
    step = area.width / len(MARKS)
    for i, (label, value) in enumerate(measures[: len(MARKS)]):
        left, room = area.left + round(i * step), round(step) - px(8)
        canvas.draw_text(
            label,
            theme.SMALL,
            (left, area.top + px(9)),
            room,
            canvas.palette.quiet,
            anchor="midleft",
        )
        canvas.draw_text(
            value, theme.BODY, (left, area.top + px(31)), room, bold=True, anchor="midleft"
        )


def _draw_mark(canvas: Canvas, centre: tuple[int, int], bad: bool, empty: bool) -> None:
    """Draw a hook for good, a filled triangle for bad, a ring for not known."""
    px, screen = canvas.layout.px, canvas.screen
    x, y = centre
    if empty:
        pygame.draw.circle(screen, canvas.palette.quiet, centre, px(8), px(2))
    elif bad:
        points = [(x - px(9), y + px(8)), (x + px(9), y + px(8)), (x, y - px(9))]
        pygame.draw.polygon(screen, canvas.palette.warning, points)
    else:
        draw_hook(canvas, centre)


def draw_hook(canvas: Canvas, centre: tuple[int, int]) -> None:
    """Draw the hook that says that something is good, or done."""
    px, (x, y) = canvas.layout.px, centre
    hook = [(x - px(8), y), (x - px(2), y + px(6)), (x + px(8), y - px(7))]
    pygame.draw.lines(canvas.screen, canvas.palette.text, False, hook, px(3))
