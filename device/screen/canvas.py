"""The surface that is drawn on, part by part, and what pages are made of: words, targets, marks."""

from collections.abc import Hashable
from typing import Literal

import pygame
from pygame import Rect, Surface

from device.screen import theme
from device.screen.layout import Layout
from device.screen.navigation import Control, Page, Target

Anchor = Literal["topleft", "midleft", "midright", "midtop", "center"]


class Canvas:
    """Draws on one screen, each part only when what it shows has changed.

    Parameters
    ----------
    layout
        Of the screen.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.type = theme.Fonts()
        self.screen = Surface((1, 1))
        self._page: Hashable = None
        self._stands: dict[tuple[int, int, int, int], Hashable] = {}

    def open(self, screen: Surface, page: Hashable) -> None:
        """Begin a picture; another surface or another page is drawn from nothing."""
        if screen is not self.screen or page != self._page:
            self.screen, self._page = screen, page
            self._stands.clear()
            screen.set_clip(None)
            screen.fill(theme.BACKGROUND)

    def close(self) -> None:
        """End a picture."""
        self.screen.set_clip(None)

    def part(self, area: Rect, *shows: Hashable) -> bool:
        """Return whether a part must be drawn, and if so clear it and draw nowhere else.

        Parameters
        ----------
        area
            The part; parts of one page do not overlap.
        shows
            Everything that what is drawn depends on.
        """
        place = (area.x, area.y, area.w, area.h)
        if self._stands.get(place) == shows:
            return False
        self._stands[place] = shows
        self.screen.set_clip(area)
        self.screen.fill(theme.BACKGROUND)
        return True

    def words(
        self,
        words: str,
        size: int,
        at: tuple[int, int],
        width: int,
        colour: theme.Colour = theme.TEXT,
        *,
        bold: bool = False,
        anchor: Anchor = "topleft",
    ) -> Rect:
        """Draw words on one line no wider than `width`; `size` is that at a short side of 600."""
        picture = self.type.fitted(words, self.layout.px(size), width, colour, bold)
        return self.screen.blit(picture, picture.get_rect(**{anchor: at}))

    def paragraph(
        self,
        words: str,
        size: int,
        area: Rect,
        colour: theme.Colour = theme.TEXT,
        *,
        bold: bool = False,
    ) -> int:
        """Draw words on as many lines as `area` has room for; return where the next line begins."""
        step = self.line(size)
        broken = self.type.lines(words, self.layout.px(size), area.width, bold)
        room = max(1, area.height // step)
        if len(broken) > room:
            broken = [*broken[: room - 1], f"{broken[room - 1]}…"]
        for i, line in enumerate(broken):
            self.words(line, size, (area.left, area.top + i * step), area.width, colour, bold=bold)
        return area.top + len(broken) * step

    def line(self, size: int) -> int:
        """Return how far apart lines of a size stand, in pixels."""
        return self.layout.px(size * 1.25)

    def target(self, area: Rect, words: str, *, on: bool | None, focused: bool) -> None:
        """Draw what can be touched: outlined, filled where it is on, framed where in focus.

        In grey where `on` is None: a touch would change nothing.
        """
        if not self.part(area, words, on, focused):
            return
        px = self.layout.px
        edge = theme.SURFACE if on is None else theme.TOUCH
        pygame.draw.rect(self.screen, edge, area, 0 if on else px(2), border_radius=px(8))
        colour = theme.BACKGROUND if on else theme.QUIET if on is None else theme.TOUCH
        room = area.width - px(10)
        self.words(words, 20, area.center, room, colour, bold=True, anchor="center")
        if focused:
            inner = area.inflate(-px(8), -px(8))
            pygame.draw.rect(
                self.screen, theme.BACKGROUND if on else theme.TEXT, inner, px(3),
                border_radius=px(5),
            )  # fmt: skip

    def row(
        self, page: Page, focus: Target | None, *labels: tuple[Control, str, bool | None]
    ) -> None:
        """Draw large targets of a page: what each is called, and whether it is on."""
        for name, words, on in labels:
            area = self.layout.targets[page][name]
            self.target(area, words, on=on, focused=focus == name)

    def focus(self, area: Rect, *, focused: bool) -> None:
        """Frame a part that the keyboard would press."""
        if focused:
            pygame.draw.rect(
                self.screen, theme.TEXT, area, self.layout.px(2), border_radius=self.layout.px(4)
            )

    def slider(self, area: Rect, words: str, value: float, *, focused: bool) -> None:
        """Draw a slider that fills `area`, inside a part that was begun."""
        px, track = self.layout.px, self.layout.slider_track(area)
        self.words(
            words, 20, (area.centerx, area.top + px(6)), area.width - px(28), anchor="midtop"
        )
        pygame.draw.rect(self.screen, theme.SURFACE, track, border_radius=px(4))
        knob = (track.left + round(value * track.width), track.centery)
        done = Rect(track.left, track.top, knob[0] - track.left, track.height)
        pygame.draw.rect(self.screen, theme.TOUCH, done, border_radius=px(4))
        pygame.draw.circle(self.screen, theme.TOUCH, knob, px(15))
        self.focus(area.inflate(-px(14), -px(14)), focused=focused)

    def malignant_sign(self, left: int, middle: int) -> None:
        """Draw the triangle that stands before every malignant diagnosis."""
        side = self.layout.px(7)
        points = [
            (left, middle + side),
            (left + 2 * side, middle + side),
            (left + side, middle - side),
        ]
        pygame.draw.polygon(self.screen, theme.MALIGNANT, points)
