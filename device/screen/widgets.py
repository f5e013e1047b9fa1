"""What the pages of the consultation are made of: pictures with words, and the map of the body."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pygame
from numpy.typing import NDArray
from pygame import Rect, Surface

from device.anatomy import BodySpot, BodyView
from device.body.atlas import DRAWINGS
from device.body.drawing import Drawing
from device.faults import Fault
from device.inference.recommendation import Recommendation
from device.records.words import SIDE_LETTERS
from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.events import Place
from device.screen.view import ByIdentity
from device.screen.wording import Wording

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Card:
    """A picture with words beside or below it, which can be touched.

    Attributes
    ----------
    picture
        In small; None where there is none.
    lines
        The first is the most important.
    warned
        The first line warns.
    focused
        The keyboard would press it.
    asked
        What stands as a sign in the picture's corner, or None.
    """

    picture: ByIdentity[Pixels]
    lines: tuple[str, ...]
    warned: bool = False
    focused: bool = False
    asked: Recommendation | None = None


@dataclass(frozen=True, slots=True)
class Dot:
    """A lesion on the map of the body.

    Attributes
    ----------
    spot
        Where it lies.
    label
        Its number.
    """

    spot: BodySpot
    label: str


@dataclass(frozen=True, slots=True)
class MapSlice:
    """The slice of a view that the map of the body shows.

    Attributes
    ----------
    view
        Of the body.
    dots
        Of this view.
    cursor
        What the keyboard points at, and its name; None while a finger does.
    """

    view: BodyView
    dots: tuple[Dot, ...]
    cursor: tuple[BodySpot, str] | None = None
    focused: bool = False


def draw_card(canvas: Canvas, area: Rect, card: Card, *, beside: bool) -> None:
    """Draw a card; its words beside the picture, or below it."""
    px = canvas.layout.px
    inner = area.inflate(-px(8), -px(8))
    step = canvas.line_height(theme.SMALL)
    if beside:
        side = inner.height
        picture = Rect(inner.left, inner.top, side, side)
        words = Rect(picture.right + px(10), inner.top, inner.right - picture.right - px(10), side)
        top = words.centery - len(card.lines) * step // 2
    else:
        height = inner.height - len(card.lines) * step
        side = min(inner.width, height)
        picture = Rect(inner.centerx - side // 2, inner.top, side, side)
        words = Rect(inner.left, inner.bottom - len(card.lines) * step, inner.width, inner.height)
        top = words.top
    pygame.draw.rect(canvas.screen, canvas.palette.touch, area, px(2), border_radius=px(8))
    draw_picture(canvas, picture, card.picture.value)
    if card.asked is not None:
        _draw_asked(canvas, picture, card.asked)
    for i, line in enumerate(card.lines):
        colour = canvas.palette.text if i == 0 else canvas.palette.quiet
        if i == 0 and card.warned:
            colour = canvas.palette.warning
        canvas.draw_text(line, theme.SMALL, (words.left, top), words.width, colour, bold=i == 0)
        top += step
    canvas.draw_focus(area.inflate(-px(6), -px(6)), focused=card.focused)


def _draw_asked(canvas: Canvas, picture: Rect, asked: Recommendation) -> None:
    """Draw a recommendation's sign where it stands out from any skin."""
    px = canvas.layout.px
    ground = Rect(picture.left, picture.top, px(26), px(24))
    pygame.draw.rect(canvas.screen, canvas.palette.background, ground)
    colour = canvas.recommendation_colour(asked)
    canvas.draw_recommendation_sign(asked, ground.left + px(4), ground.centery, px(9), colour)


def draw_empty(canvas: Canvas, area: Rect) -> None:
    """Draw the place of a card that there is none of."""
    px = canvas.layout.px
    pygame.draw.rect(canvas.screen, canvas.palette.surface, area, px(1), border_radius=px(8))


def draw_fault(canvas: Canvas, area: Rect, fault: Fault, wording: Wording) -> None:
    """Draw what is wrong, and what to do, as large as there is room for."""
    words = wording.sentence(fault)
    _, size = canvas.fitting(([words],), (20, theme.SMALL, 15, 13), area)
    canvas.draw_paragraph(words, size, area, canvas.palette.warning)


def draw_picture(canvas: Canvas, area: Rect, pixels: Pixels | None) -> None:
    """Draw a picture as large as an area holds it whole; a frame where there is none."""
    if pixels is None or min(area.size) < 2:
        pygame.draw.rect(canvas.screen, canvas.palette.surface, area, 1)
        return
    height, width = pixels.shape[:2]
    scale = min(area.width / width, area.height / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    shown = surface_of(np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8))
    canvas.screen.blit(shown, shown.get_rect(center=area.center))


def surface_of(pixels: Pixels) -> Surface:
    """Return pixels, uint8 (height, width, 3) RGB, as a surface."""
    height, width = pixels.shape[:2]
    return pygame.image.frombuffer(np.ascontiguousarray(pixels).tobytes(), (width, height), "RGB")


def draw_body(canvas: Canvas, area: Rect, shown: MapSlice, wording: Wording) -> None:
    """Draw a view of the body with the lesions that lie there."""
    px, palette, drawing = canvas.layout.px, canvas.palette, DRAWINGS[shown.view]
    scale, left, top = fitted(drawing, area.width, area.height)
    # Twice as large and then halved, so that slanted lines are smooth.
    size = (round(drawing.width * scale * 2), round(drawing.height * scale * 2))
    large = Surface(size)
    large.fill(palette.background)
    double = scale * 2
    for part in drawing.areas:
        pygame.draw.polygon(large, palette.surface, _scaled(part.outline, double))
    for part in drawing.areas:
        pygame.draw.aalines(large, palette.unsure, True, _scaled(part.outline, double))
    for line in drawing.details:
        pygame.draw.lines(large, palette.unsure, False, _scaled(line, double), px(2))
    for line in drawing.contours:
        pygame.draw.lines(large, palette.text, False, _scaled(line, double), px(4))
    small = pygame.transform.smoothscale(large, (size[0] // 2, size[1] // 2))
    canvas.screen.blit(small, (area.left + left, area.top + top))
    for letter in drawing.letters:
        at = _at(area, drawing, letter.at[0] / drawing.width, letter.at[1] / drawing.height)
        words = wording.translate(SIDE_LETTERS[letter.laterality])
        canvas.draw_text(words, 24, at, px(60), palette.quiet, bold=True, anchor="center")
    for dot in shown.dots:
        _draw_dot(canvas, _at(area, drawing, dot.spot.x, dot.spot.y), dot.label)
    if shown.cursor is not None:
        spot, name = shown.cursor
        at = _at(area, drawing, spot.x, spot.y)
        pygame.draw.circle(canvas.screen, palette.background, at, px(15), px(6))
        pygame.draw.circle(canvas.screen, palette.touch, at, px(14), px(3))
        canvas.draw_text(
            name, theme.BODY, (area.left + px(10), area.top + px(8)), area.width - px(20),
            palette.touch, bold=True,
        )  # fmt: skip
    canvas.draw_focus(area.inflate(-px(6), -px(6)), focused=shown.focused)


def spot_touched(view: BodyView, place: Place) -> BodySpot | None:
    """Return the spot that a finger means on a map that fills a target."""
    drawing = DRAWINGS[view]
    scale, left, top = fitted(drawing, place.width, place.height)
    return drawing.spot_at(
        (place.x - left) / (drawing.width * scale), (place.y - top) / (drawing.height * scale)
    )


def nearest(spot: BodySpot, others: Sequence[BodySpot], within: float) -> int | None:
    """Return which of some spots lies nearest to another one on the same drawing.

    Parameters
    ----------
    within
        How far it may be, in parts of the drawing's height; None is returned where none is so near.
    """
    drawing = DRAWINGS[spot.view]
    found = [
        (
            np.hypot((spot.x - other.x) * drawing.width, (spot.y - other.y) * drawing.height),
            i,
        )
        for i, other in enumerate(others)
        if other.view == spot.view
    ]
    if not found:
        return None
    distance, place = min(found)
    return place if distance <= within * drawing.height else None


def fitted(drawing: Drawing, width: float, height: float) -> tuple[float, float, float]:
    """Return scale, left and top of a drawing that lies whole in the middle of an area."""
    scale = 0.96 * min(width / drawing.width, height / drawing.height)
    return scale, (width - drawing.width * scale) / 2, (height - drawing.height * scale) / 2


def _at(area: Rect, drawing: Drawing, x: float, y: float) -> tuple[int, int]:
    scale, left, top = fitted(drawing, area.width, area.height)
    return (
        round(area.left + left + x * drawing.width * scale),
        round(area.top + top + y * drawing.height * scale),
    )


def _scaled(line: Sequence[tuple[float, float]], scale: float) -> list[tuple[float, float]]:
    return [(x * scale, y * scale) for x, y in line]


def _draw_dot(canvas: Canvas, at: tuple[int, int], label: str) -> None:
    px, palette = canvas.layout.px, canvas.palette
    pygame.draw.circle(canvas.screen, palette.background, at, px(14))
    pygame.draw.circle(canvas.screen, palette.touch, at, px(12))
    canvas.draw_text(label, 16, at, px(22), palette.background, bold=True, anchor="center")
