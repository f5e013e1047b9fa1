"""Colours with one meaning each, and type."""

from functools import lru_cache
from pathlib import Path
from typing import Final

import pygame

Colour = tuple[int, int, int]

BACKGROUND: Final[Colour] = (34, 34, 34)
"""Neutral: a tint would shift the eye's white point beside the skin."""

SURFACE: Final[Colour] = (58, 58, 58)
TEXT: Final[Colour] = (240, 240, 240)
QUIET: Final[Colour] = (176, 176, 176)
BENIGN: Final[Colour] = (190, 190, 190)

# Okabe & Ito's palette, told apart in deuteranopia and protanopia; text and shape say it too.
TOUCH: Final[Colour] = (86, 180, 233)
MALIGNANT: Final[Colour] = (235, 125, 50)
WARNING: Final[Colour] = (240, 228, 66)

_FONTS: Final = Path(__file__).parent / "fonts"


@lru_cache(maxsize=32)
def font(size: int, bold: bool) -> pygame.font.Font:
    """Return Open Sans at a size in pixels (its figures are of equal width)."""
    name = "OpenSans-Bold.ttf" if bold else "OpenSans-Regular.ttf"
    return pygame.font.Font(_FONTS / name, size)


@lru_cache(maxsize=512)
def text(words: str, size: int, colour: Colour = TEXT, bold: bool = False) -> pygame.Surface:
    """Return words as a picture, drawn once for as long as they are in use."""
    return font(size, bold).render(words, True, colour).convert_alpha()


def fitted(
    words: str, size: int, width: int, colour: Colour = TEXT, bold: bool = False
) -> pygame.Surface:
    """Return words no wider than `width`: smaller by up to a quarter, then cut with an ellipsis."""
    smallest = max(1, size * 3 // 4)
    for step in range(size, smallest - 1, -1):
        if font(step, bold).size(words)[0] <= width:
            return text(words, step, colour, bold)
    while len(words) > 1 and font(smallest, bold).size(words + "…")[0] > width:
        words = words[:-1].rstrip()
    return text(words + "…", smallest, colour, bold)


def lines(words: str, size: int, width: int, bold: bool = False) -> list[str]:
    """Break words into lines no wider than `width`."""
    broken: list[str] = []
    current = ""
    for word in words.split():
        longer = f"{current} {word}".strip()
        if current and font(size, bold).size(longer)[0] > width:
            broken.append(current)
            current = word
        else:
            current = longer
    return [*broken, current] if current else broken
