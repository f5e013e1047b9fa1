"""Where things stand on pages of many targets, all of them large enough for a glove."""

from pygame import Rect

from device.screen.layout import Layout

_GAP = 13


def gap(layout: Layout) -> int:
    """Return how far apart targets stand, in pixels."""
    return layout.px(_GAP)


def second_row(layout: Layout) -> list[Rect]:
    """Return four more targets: left of the row, or above it where the screen is upright."""
    first, last, space = layout.row[0], layout.row[-1], gap(layout)
    if layout.portrait:
        area = Rect(first.left, first.top - first.height - space, last.right - first.left,
                    first.height)  # fmt: skip
    else:
        left = layout.page.left
        area = Rect(left, first.top, first.left - space - left, first.height)
    return layout.columns(area, 4)


def work_area(layout: Layout) -> Rect:
    """Return the page above both rows."""
    page = layout.page
    if not layout.portrait:
        return page
    lower = layout.row[0].height + gap(layout)
    return Rect(page.left, page.top, page.width, page.height - lower)


def stacked(layout: Layout, area: Rect, count: int) -> list[Rect]:
    """Return an area divided into so many rows with a gap between them."""
    space = gap(layout)
    height = (area.height - space * (count - 1)) / count
    return [
        Rect(area.left, area.top + round(i * (height + space)), area.width, int(height))
        for i in range(count)
    ]


def tiled(layout: Layout, area: Rect, rows: int, columns: int) -> list[Rect]:
    """Return an area divided into tiles, row by row."""
    return [tile for row in stacked(layout, area, rows) for tile in layout.columns(row, columns)]


def rows_of_targets(layout: Layout, left_top: tuple[int, int], width: int, count: int) -> Rect:
    """Return an area as high as so many rows of targets."""
    height = count * layout.target_height + (count - 1) * gap(layout)
    return Rect(left_top, (width, height))


def below(layout: Layout, area: Rect, whole: Rect) -> Rect:
    """Return what is left of an area below a part of it and a gap."""
    top = area.bottom + gap(layout)
    return Rect(whole.left, top, whole.width, whole.bottom - top)
