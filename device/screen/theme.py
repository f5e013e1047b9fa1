"""Colours with one meaning each, and fonts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import pygame

from device.appearance import Theme
from device.text import printable

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a theme.

    Attributes
    ----------
    background
        Neutral: a tint would shift the eye's white point beside the skin. So are all greys.
    surface
        Of what lies on the background: the ground of a bar, lines.
    text, quiet
        Of words, and of those that stand back.
    benign
        A bar's filling.
    unsure
        A band on a bar, between its ground and its words.
    touch, malignant, warning
        One meaning each, repeated by text and shape; told apart in deuteranopia and protanopia.
    """

    background: Colour
    surface: Colour
    text: Colour
    quiet: Colour
    benign: Colour
    unsure: Colour
    touch: Colour
    malignant: Colour
    warning: Colour


# Okabe & Ito's palette, distinguishable in deuteranopia and protanopia.
DARK: Final = Palette(
    background=(34, 34, 34),
    surface=(58, 58, 58),
    text=(240, 240, 240),
    quiet=(176, 176, 176),
    benign=(190, 190, 190),
    unsure=(88, 88, 88),
    touch=(86, 180, 233),
    malignant=(235, 125, 50),
    warning=(240, 228, 66),
)

# For the sun. On white no yellow can be read, so that what warns is plum.
LIGHT: Final = Palette(
    background=(255, 255, 255),
    surface=(214, 214, 214),
    text=(16, 16, 16),
    quiet=(80, 80, 80),
    benign=(110, 110, 110),
    unsure=(176, 176, 176),
    touch=(0, 72, 200),
    malignant=(192, 60, 0),
    warning=(120, 24, 96),
)

PALETTES: Final[Mapping[Theme, Palette]] = {Theme.DARK: DARK, Theme.LIGHT: LIGHT}

# Heights of letters' boxes at a short side of 600 pixels, on a 7-inch screen at an arm's length.
HEADLINE: Final = 32
BODY: Final = 22
SMALL: Final = 18

_FONTS: Final = Path(__file__).parent / "fonts"


class Fonts:
    """Open Sans (its figures are of equal width), each text drawn once while it is in use.

    Made after the screen is opened, and of no use after it is closed.
    """

    def __init__(self) -> None:
        self._font = lru_cache(maxsize=32)(_load_font)
        self._drawn = lru_cache(maxsize=512)(self._draw)

    def text(
        self, words: str, size: int, colour: Colour = DARK.text, bold: bool = False
    ) -> pygame.Surface:
        """Return words as a picture; `size` is in pixels."""
        return self._drawn(printable(words), size, colour, bold)

    def width(self, words: str, size: int, bold: bool = False) -> int:
        """Return how wide words are drawn, in pixels."""
        return self._font(size, bold).size(printable(words))[0]

    def fitted(
        self, words: str, size: int, width: int, colour: Colour = DARK.text, bold: bool = False
    ) -> pygame.Surface:
        """Return words no wider than `width`: up to a quarter smaller, then cut short."""
        words = printable(words)
        smallest = max(1, size * 3 // 4)
        for step in range(size, smallest - 1, -1):
            if self._font(step, bold).size(words)[0] <= width:
                return self.text(words, step, colour, bold)
        while len(words) > 1 and self._font(smallest, bold).size(words + "…")[0] > width:
            words = words[:-1].rstrip()
        return self.text(words + "…", smallest, colour, bold)

    def lines(self, words: str, size: int, width: int, bold: bool = False) -> list[str]:
        """Break words into lines no wider than `width`."""
        broken: list[str] = []
        current = ""
        for word in map(printable, words.split()):
            longer = f"{current} {word}".strip()
            if current and self._font(size, bold).size(longer)[0] > width:
                broken.append(current)
                current = word
            else:
                current = longer
        return [*broken, current] if current else broken

    def _draw(self, words: str, size: int, colour: Colour, bold: bool) -> pygame.Surface:
        return self._font(size, bold).render(words, True, colour).convert_alpha()


def _load_font(size: int, bold: bool) -> pygame.font.Font:
    name = "OpenSans-Bold.ttf" if bold else "OpenSans-Regular.ttf"
    return pygame.font.Font(_FONTS / name, size)
