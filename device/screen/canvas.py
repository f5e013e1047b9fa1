"""The surface that is drawn on, part by part, and what pages are made of: text, buttons, marks."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import pygame
from pygame import Rect, Surface

from device.inference.recommendation import Recommendation
from device.screen import theme
from device.screen.events import Target
from device.screen.layout import Layout

Anchor = Literal["topleft", "midleft", "midright", "midtop", "center"]
Slice = TypeVar("Slice")


@dataclass(frozen=True, slots=True)
class Button:
    """What there is to be shown of something that can be touched.

    Attributes
    ----------
    label
        In the clinician's language.
    on
        Filled instead of outlined; None for grey: a touch would change nothing.
    focused
        The keyboard would press it.
    """

    label: str
    on: bool | None = False
    focused: bool = False


class Canvas:
    """Draws on one screen, each part only when what it shows has changed.

    Parameters
    ----------
    layout
        Of the screen.

    Attributes
    ----------
    palette
        The colours of the picture that is drawn.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.fonts = theme.Fonts()
        self.palette = theme.DARK
        self.screen = Surface((1, 1))
        self._page: Hashable = None
        self._shown: dict[tuple[int, int, int, int], object] = {}

    def begin(self, screen: Surface, page: Hashable, palette: theme.Palette = theme.DARK) -> None:
        """Begin a picture; another surface, page or palette is drawn from nothing."""
        if screen is not self.screen or page != self._page or palette is not self.palette:
            self.screen, self._page, self.palette = screen, page, palette
            self._shown.clear()
            screen.set_clip(None)
            screen.fill(self.palette.background)

    def end(self) -> None:
        """End a picture."""
        self.screen.set_clip(None)

    def part(
        self, area: Rect, shown: Slice, draw: Callable[[Slice], object], *, covered: bool = False
    ) -> None:
        """Draw a part of the page, unless it shows already what it is to show.

        Parameters
        ----------
        area
            The part; parts of one page do not overlap, and nothing is drawn outside.
        shown
            The slice of the view that the part shows, compared with that of the last picture.
        draw
            Draws the part from the slice, and from nothing else that changes.
        covered
            It leaves nothing of the background to be seen.
        """
        place = (area.x, area.y, area.w, area.h)
        if place in self._shown and self._shown[place] == shown:
            return
        self._shown[place] = shown
        self.screen.set_clip(area)
        if not covered:
            self.screen.fill(self.palette.background)
        draw(shown)

    def draw_text(
        self,
        text: str,
        size: int,
        at: tuple[int, int],
        width: int,
        colour: theme.Colour | None = None,
        *,
        bold: bool = False,
        anchor: Anchor = "topleft",
    ) -> Rect:
        """Draw text on one line no wider than `width`; `size` is that at a short side of 600."""
        colour = colour or self.palette.text
        picture = self.fonts.fitted(text, self.layout.px(size), width, colour, bold)
        return self.screen.blit(picture, picture.get_rect(**{anchor: at}))

    def draw_paragraph(
        self,
        text: str,
        size: int,
        area: Rect,
        colour: theme.Colour | None = None,
        *,
        bold: bool = False,
    ) -> int:
        """Draw text on as many lines as `area` has room for; return where the next line begins."""
        step = self.line_height(size)
        broken = self.fonts.lines(text, self.layout.px(size), area.width, bold)
        room = max(1, area.height // step)
        if len(broken) > room:
            broken = [*broken[: room - 1], f"{broken[room - 1]}…"]
        for i, line in enumerate(broken):
            at = (area.left, area.top + i * step)
            self.draw_text(line, size, at, area.width, colour, bold=bold)
        return area.top + len(broken) * step

    def fitting(
        self,
        versions: Sequence[list[str]],
        sizes: Sequence[int],
        room: Rect,
        *,
        bold: bool = False,
    ) -> tuple[list[str], int]:
        """Return which version of some paragraphs fits into a room, and at which size.

        Parameters
        ----------
        versions
            The same in fewer and fewer words; the last is taken where none fits.
        sizes
            Those at a short side of 600, the largest first; no version gives way to a shorter one
            for its size.
        room
            In which the paragraphs stand below one another.
        bold
            Whether they are drawn in bold letters.
        """
        for paragraphs in versions:
            for size in sizes:
                lines = sum(
                    len(self.fonts.lines(words, self.layout.px(size), room.width, bold))
                    for words in paragraphs
                )
                if lines * self.line_height(size) <= room.height:
                    return paragraphs, size
        return versions[-1], sizes[-1]

    def line_height(self, size: int) -> int:
        """Return how far apart lines of a size stand, in pixels."""
        return self.layout.px(size * 1.25)

    def draw_buttons(self, places: Mapping[Target, Rect], buttons: Mapping[Target, Button]) -> None:
        """Draw buttons, each a part of its own."""
        for target, button in buttons.items():
            self.part(places[target], button, partial(self._draw_button, places[target]))

    def draw_focus(self, area: Rect, *, focused: bool) -> None:
        """Frame a part that the keyboard would press."""
        if focused:
            pygame.draw.rect(
                self.screen,
                self.palette.text,
                area,
                self.layout.px(2),
                border_radius=self.layout.px(4),
            )

    def draw_slider(self, area: Rect, label: str, value: float, *, focused: bool) -> None:
        """Draw a slider that fills `area`, as a part or inside one."""
        px, track = self.layout.px, self.layout.slider_track(area)
        self.draw_text(
            label, 20, (area.centerx, area.top + px(6)), area.width - px(28), anchor="midtop"
        )
        pygame.draw.rect(self.screen, self.palette.surface, track, border_radius=px(4))
        knob = (track.left + round(value * track.width), track.centery)
        done = Rect(track.left, track.top, knob[0] - track.left, track.height)
        pygame.draw.rect(self.screen, self.palette.touch, done, border_radius=px(4))
        pygame.draw.circle(self.screen, self.palette.touch, knob, px(15))
        self.draw_focus(area.inflate(-px(14), -px(14)), focused=focused)

    def recommendation_colour(self, recommendation: Recommendation) -> theme.Colour:
        """Return the colour in which what a finding asks for is said."""
        return {
            Recommendation.REFER: self.palette.malignant,
            Recommendation.NOT_EXCLUDED: self.palette.warning,
            Recommendation.NO_SIGN: self.palette.text,
        }[recommendation]

    def draw_recommendation_sign(
        self,
        recommendation: Recommendation,
        left: int,
        middle: int,
        side: int,
        colour: theme.Colour,
    ) -> None:
        """Draw what tells recommendations apart by shape: a full triangle, an open one, a ring.

        Half of its width is `side`, in pixels.
        """
        width = 0 if recommendation == Recommendation.REFER else self.layout.px(3)
        if recommendation == Recommendation.NO_SIGN:
            pygame.draw.circle(self.screen, colour, (left + side, middle), side, width)
            return
        points = [
            (left, middle + side),
            (left + 2 * side, middle + side),
            (left + side, middle - side),
        ]
        pygame.draw.polygon(self.screen, colour, points, width)

    def draw_malignant_sign(self, left: int, middle: int) -> None:
        """Draw the triangle that stands before every malignant diagnosis."""
        side = self.layout.px(7)
        points = [
            (left, middle + side),
            (left + 2 * side, middle + side),
            (left + side, middle - side),
        ]
        pygame.draw.polygon(self.screen, self.palette.malignant, points)

    def _draw_button(self, area: Rect, button: Button) -> None:
        """Draw what can be touched: outlined, filled where it is on, framed where in focus."""
        px, on = self.layout.px, button.on
        edge = self.palette.surface if on is None else self.palette.touch
        pygame.draw.rect(self.screen, edge, area, 0 if on else px(2), border_radius=px(8))
        colour = (
            self.palette.background
            if on
            else self.palette.quiet
            if on is None
            else self.palette.touch
        )
        self._draw_label(area, button.label, colour)
        if button.focused:
            inner = area.inflate(-px(8), -px(8))
            pygame.draw.rect(
                self.screen, self.palette.background if on else self.palette.text, inner, px(3),
                border_radius=px(5),
            )  # fmt: skip

    def _draw_label(self, area: Rect, label: str, colour: theme.Colour) -> None:
        """Draw a button's words, one below the other where two have no room side by side."""
        px = self.layout.px
        room = area.width - px(10)
        size = 20 if self.fonts.width(label, px(20), bold=True) <= room else 18
        wide = self.fonts.width(label, px(size), bold=True) > room
        lines = label.split(maxsplit=1) if wide else [label]
        step = self.line_height(size)
        top = area.centery - (len(lines) - 1) * step // 2
        for i, line in enumerate(lines):
            at = (area.centerx, top + i * step)
            self.draw_text(line, size, at, room, colour, bold=True, anchor="center")
