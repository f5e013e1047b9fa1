"""Figures to be touched, with gloves too: for identifiers and for PINs."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pygame import Rect

from device.language import translatable
from device.screen import theme
from device.screen.canvas import Button, Canvas
from device.screen.events import Target
from device.screen.grid import rows_of_targets, tiled
from device.screen.layout import Layout
from device.screen.wording import Wording


class PadKey(StrEnum):
    """A key of the pad."""

    SEVEN = "7"
    EIGHT = "8"
    NINE = "9"
    FOUR = "4"
    FIVE = "5"
    SIX = "6"
    ONE = "1"
    TWO = "2"
    THREE = "3"
    LETTERS = "letters"
    ZERO = "0"
    DELETE = "delete"


_ROWS: Final = 4
_MOST_DOTS: Final = 16
_SIZES: Final = (theme.BODY, 20, theme.SMALL, 16)


def pad_places(layout: Layout) -> Mapping[Target, Rect]:
    """Return the keys, at the bottom of the panel."""
    panel = layout.panel
    area = rows_of_targets(layout, panel.topleft, panel.width, _ROWS)
    area.bottom = panel.bottom
    return dict(zip(PadKey, tiled(layout, area, _ROWS, 3), strict=True))


def pad_buttons(wording: Wording) -> dict[Target, Button]:
    """Return what is written on the keys."""
    labels = {
        PadKey.LETTERS: "ABC",
        PadKey.DELETE: wording.translate(translatable("Delete")),
    }
    return {key: Button(labels.get(key, key.value)) for key in PadKey}


def after_key(text: str, key: PadKey, longest: int) -> str:
    """Return a text after a key of figures, or the one that deletes, was touched."""
    if key == PadKey.DELETE:
        return text[:-1]
    return (text + key.value)[:longest] if key != PadKey.LETTERS else text


def draw_secret(
    canvas: Canvas, area: Rect, heading: str, figures: int, said: str, *, warned: bool
) -> None:
    """Draw above the figures how many were entered, and what is said of it."""
    px, palette = canvas.layout.px, canvas.palette
    canvas.draw_text(heading, 24, area.topleft, area.width, palette.quiet, bold=True)
    dots = "•" * min(figures, _MOST_DOTS)
    canvas.draw_text(dots, theme.HEADLINE, (area.left, area.top + px(30)), area.width)
    top = area.top + px(74)
    room = Rect(area.left, top, area.width, area.bottom - top)
    words, size = canvas.fitting(([said],), _SIZES, room)
    canvas.draw_paragraph(words[0], size, room, palette.warning if warned else palette.text)
