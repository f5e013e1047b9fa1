"""What stands above choices: a page's heading with a sentence, and the label of a group of them."""

from typing import Final

from pygame import Rect

from device.screen import theme
from device.screen.canvas import Canvas
from device.screen.grid import rows_of_targets, tiled
from device.screen.layout import Layout

_HEADING: Final = 96
_ROWS: Final = 4


def heading_area(layout: Layout) -> Rect:
    """Return where a page's heading stands, above `eight_choices`."""
    page = layout.page
    return Rect(page.left, page.top, page.width, layout.px(_HEADING - 8))


def eight_choices(layout: Layout) -> list[Rect]:
    """Return eight targets in two columns below the heading."""
    page = layout.page
    top = (page.left, page.top + layout.px(_HEADING))
    return tiled(layout, rows_of_targets(layout, top, page.width, _ROWS), _ROWS, 2)


def draw_heading(canvas: Canvas, area: Rect, heading: str, said: str, colour: theme.Colour) -> None:
    """Draw a heading, and a sentence below it as large as there is room for."""
    px = canvas.layout.px
    canvas.draw_text(heading, theme.HEADLINE, area.topleft, area.width, bold=True)
    room = Rect(area.left, area.top + px(44), area.width, area.height - px(44))
    _, size = canvas.fitting(([said],), (20, theme.SMALL, 15), room)
    canvas.draw_paragraph(said, size, room, colour)


def draw_label(canvas: Canvas, area: Rect, words: str) -> None:
    """Draw what the choices below are about, in small quiet letters."""
    canvas.part(
        area, words,
        lambda words: canvas.draw_text(
            words, theme.SMALL, area.midleft, area.width, canvas.palette.quiet, anchor="midleft"
        ),
    )  # fmt: skip
