"""The seven bars: each diagnosis's name and probability, in its fixed place."""

from dataclasses import dataclass

import pygame
from pygame import Rect

from device.diagnoses import MALIGNANT, Code
from device.inference.finding import Finding
from device.models.manifest import Manifest
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.layout import Layout
from device.screen.view import LiveView
from device.screen.wording import Wording, percent


@dataclass(frozen=True, slots=True)
class Bar:
    """The slice of a view that a diagnosis's bar shows.

    Attributes
    ----------
    code, figure
        The diagnosis, and its probability as it is written.
    length
        Of what is filled, in pixels; None where nothing is known.
    leading
        It is what is called.
    faded
        It is not to be acted upon.
    explained, focused
        The overlay is about it; the keyboard is on it.
    ticks
        Thresholds on its probability.
    """

    code: Code
    figure: str
    length: int | None
    leading: bool
    faded: bool
    explained: bool
    focused: bool
    ticks: tuple[float, ...]


def bar_of(
    code: Code,
    finding: Finding | None,
    faded: bool,
    view: LiveView,
    layout: Layout,
    manifest: Manifest,
) -> Bar:
    """Return what a diagnosis's bar is to show.

    Parameters
    ----------
    finding
        None where no diagnosis is ranked.
    faded
        It is too old or too poor to be acted upon.
    manifest
        Its operating points on melanoma are ticks.
    """
    leading = finding is not None and finding.no_call is None and finding.leading == code
    width = _track(layout, code).width
    return Bar(
        code=code,
        figure=percent(finding.probability(code)) if finding else "–",
        length=round(width * finding.probability(code)) if finding else None,
        leading=leading,
        faded=faded,
        explained=view.overlay_wanted and view.explained == code,
        focused=view.focus == code,
        ticks=_ticks(finding, manifest) if code == Code.MEL else (),
    )


def draw_bar(canvas: Canvas, shown: Bar, wording: Wording) -> None:
    """Draw a diagnosis's name, probability and bar in its place."""
    px, code, palette = canvas.layout.px, shown.code, canvas.palette
    area, screen, bar = canvas.layout.bars[code], canvas.screen, _track(canvas.layout, code)
    malignant = code in MALIGNANT
    colour = palette.quiet if shown.faded or shown.length is None else palette.text
    middle = (area.top + bar.top) // 2 - px(1)
    left = bar.left
    pygame.draw.rect(screen, palette.surface, bar)
    if malignant:
        canvas.draw_malignant_sign(left, middle)
    left += px(22)
    figure = canvas.draw_text(
        shown.figure, 20, (bar.right, middle), area.width, colour,
        bold=shown.leading, anchor="midright",
    )  # fmt: skip
    if shown.leading:
        tip, side = figure.left - px(8), px(7)
        points = [(tip - side, middle - side), (tip - side, middle + side), (tip, middle)]
        pygame.draw.polygon(screen, colour, points)
    short = canvas.fonts.text(code, px(theme.SMALL - 1), palette.quiet)
    room = bar.right - left - px(96) - short.get_width() - px(8)
    name = canvas.draw_text(
        wording.names[code], 20, (left, middle), room, colour,
        bold=shown.leading, anchor="midleft",
    )  # fmt: skip
    screen.blit(short, short.get_rect(midleft=(name.right + px(8), middle + px(1))))
    if shown.explained:
        line = bar.top - px(2)
        pygame.draw.line(screen, palette.touch, (left, line), (name.right, line), px(3))
    ticks = [bar.left + round(t * bar.width) for t in shown.ticks]
    if len(ticks) > 1:
        band = Rect(ticks[0], bar.top, ticks[-1] - ticks[0], bar.height)
        pygame.draw.rect(screen, palette.unsure, band)
    if shown.length is not None:
        full = palette.malignant if malignant else palette.benign
        filled = Rect(bar.left, bar.top, shown.length, bar.height)
        pygame.draw.rect(screen, palette.quiet if shown.faded else full, filled)
        if shown.leading:
            pygame.draw.rect(screen, palette.text, filled, px(2))
    for tick in ticks:
        ends = (tick, bar.top - px(3)), (tick, bar.bottom + px(1))
        pygame.draw.line(screen, palette.text, *ends, px(2))
    canvas.draw_focus(area, focused=shown.focused)


def _track(layout: Layout, code: Code) -> Rect:
    area, px = layout.bars[code], layout.px
    inset = px(4)
    return Rect(area.left + inset, area.bottom - px(9), area.width - 2 * inset, px(7))


def _ticks(finding: Finding | None, manifest: Manifest) -> tuple[float, ...]:
    """Return the thresholds on melanoma's probability of the network that answered."""
    as_captured = finding is not None and finding.as_captured
    points = manifest.network_for(as_captured=as_captured).operating_points
    return tuple(sorted(p.threshold for p in points if p.score == "mel"))
