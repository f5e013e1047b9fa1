"""The overlay's legend, beside the picture: which diagnosis, on what scale, and how opaque."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pygame
from pygame import Rect

from device.diagnoses import Code
from device.imaging.overlay import CONTOUR_LEVEL, colour_scale
from device.language import translatable
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.view import LiveView
from device.screen.wording import Wording

Evidence = Literal["sought", "none", "some", "unlikely", "no call"]

_SIZES: Final = (20, theme.SMALL, 16, 15, 14)

_SAID: Final[dict[Evidence, str]] = {
    "sought": translatable("Calculating: {diagnosis}"),
    "none": translatable("Nothing here points to: {diagnosis}"),
    "some": translatable("Points to: {diagnosis}"),
    "unlikely": translatable("Too unlikely for an overlay: {diagnosis}"),
    "no call": translatable("No overlay where no call is made"),
}

_ESTIMATED: Final = translatable("Live estimate: {diagnosis}")


@dataclass(frozen=True, slots=True)
class Legend:
    """The slice of a live view that the legend shows.

    Attributes
    ----------
    code
        The diagnosis that the overlay is about.
    evidence
        Whether there is a map of it, and why not.
    estimate
        The map is made otherwise than that of a captured picture.
    opacity
        Of the overlay, 0 to 1.
    next_focused, slider_focused
        What the keyboard would press.
    """

    code: Code
    evidence: Evidence
    estimate: bool
    opacity: float
    next_focused: bool = False
    slider_focused: bool = False


def evidence(view: LiveView, code: Code) -> Evidence:
    """Return whether a view has a map of a diagnosis, and why not."""
    if view.finding is None:
        return "sought"
    if view.finding.no_call is not None:
        return "no call"
    if not view.finding.explainable(code):
        return "unlikely"
    if view.overlay is None:
        return "sought"
    return "some" if view.overlay.any() else "none"


def draw_legend(canvas: Canvas, shown: Legend, wording: Wording) -> None:
    """Draw the legend into its place, which is filled with the background."""
    _draw_words(canvas, shown, wording)
    px = canvas.layout.px
    area = canvas.layout.legend_next
    pygame.draw.rect(canvas.screen, canvas.palette.touch, area, px(2), border_radius=px(8))
    x, y, side = area.right - px(16), area.centery, px(9)
    arrow = [(x, y - side), (x, y + side), (x + side, y)]
    pygame.draw.polygon(canvas.screen, canvas.palette.touch, arrow)
    canvas.draw_focus(area.inflate(-px(6), -px(6)), focused=shown.next_focused)
    canvas.draw_slider(
        canvas.layout.legend_slider,
        wording.translate("Opacity {percent} %", percent=round(shown.opacity * 100)),
        shown.opacity,
        focused=shown.slider_focused,
    )


def _draw_words(canvas: Canvas, shown: Legend, wording: Wording) -> None:
    area, px = canvas.layout.legend_next, canvas.layout.px
    left, room = area.left + px(10), area.width - px(32)
    said = _SAID[shown.evidence]
    if shown.estimate and shown.evidence == "some":
        said = _ESTIMATED
    words = wording.translate(said, diagnosis=wording.names[shown.code])
    height = area.height - px(8)
    if shown.evidence == "some":
        # A scale of colours would else promise some of them in the picture.
        height -= px(24)
        _draw_scale(canvas, Rect(left, area.bottom - px(27), room, px(22)), wording)
    beside = Rect(left, area.top + px(4), room, height)
    _, size = canvas.fitting(([words],), _SIZES, beside)
    canvas.draw_paragraph(words, size, beside)


def _draw_scale(canvas: Canvas, area: Rect, wording: Wording) -> None:
    px = canvas.layout.px
    little = canvas.draw_text(
        wording.translate("little"), 16, area.midleft, area.width // 3, anchor="midleft"
    )
    much = canvas.draw_text(
        wording.translate("much"), 16, area.midright, area.width // 3, anchor="midright"
    )
    width = much.left - little.right - px(16)
    scale = Rect(little.right + px(8), area.centery - px(7), width, px(14))
    colours = colour_scale(scale.width)
    ramp = pygame.surfarray.make_surface(np.repeat(colours[:, None], scale.height, axis=1))
    canvas.screen.blit(ramp, scale)
    x = scale.left + round(CONTOUR_LEVEL * scale.width)
    for colour, width in (((0, 0, 0), px(6)), ((255, 255, 255), px(2))):
        ends = (x, scale.top - px(3)), (x, scale.bottom + px(2))
        pygame.draw.line(canvas.screen, colour, *ends, width)
