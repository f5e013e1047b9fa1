"""Figures to be touched, with gloves too: for identifiers and for PINs."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pygame import Rect

from device.language import translatable
from device.screen.canvas import Button
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
