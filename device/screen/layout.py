"""Where everything stands, from the size of the screen alone."""

from dataclasses import dataclass
from typing import Final

from pygame import Rect

from device.diagnoses import SCREEN_ORDER, Code

MALIGNANT_ROWS: Final = 3

_GAP: Final = 13
_PANEL_HEIGHT: Final = 572
"""What the panel needs below the field in portrait, with rows of 35, at a short side of 600."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Rectangles in pixels.

    Attributes
    ----------
    size
        Width and height of the screen.
    unit
        1 at a short side of 600 pixels; everything grows and shrinks with it.
    field
        The square in which the skin is shown.
    field_area
        The field, and in portrait what is left and right of it.
    finding, quality, status
        The finding in words, the quality marks, the line at the bottom.
    bars
        A row for each diagnosis.
    rule
        The line between the malignant and the benign group.
    row
        The four large targets, in their fixed places: the shutter first, the way back last.
    legend_next, legend_slider
        The overlay's legend, in the place of the quality marks; in it its words, which can be
        touched, and the slider.
    panel
        All that stands beside the field, above the row.
    page
        The whole screen above the row, for pages without the skin.
    """

    size: tuple[int, int]
    unit: float
    field: Rect
    field_area: Rect
    finding: Rect
    bars: dict[Code, Rect]
    rule: Rect
    quality: Rect
    row: tuple[Rect, Rect, Rect, Rect]
    legend_next: Rect
    legend_slider: Rect
    panel: Rect
    page: Rect
    status: Rect

    @property
    def portrait(self) -> bool:
        """Whether the panel stands below the field."""
        return self.size[1] > self.size[0]

    def px(self, at_600: float) -> int:
        """Return a length given for a short side of 600 pixels."""
        return max(1, round(at_600 * self.unit))

    @property
    def target_height(self) -> int:
        """Return how high a target is that a finger can hit."""
        return self.row[0].height

    def columns(self, area: Rect, count: int) -> list[Rect]:
        """Return an area divided into so many columns with a gap between them."""
        return _columns(area, count, self.px(_GAP))

    def slider_track(self, area: Rect) -> Rect:
        """Return the line along which the knob of a slider that fills `area` moves."""
        inset = self.px(22)
        height = self.px(8)
        return Rect(area.left + inset, area.bottom - self.px(28), area.width - 2 * inset, height)


def arrange(width: int, height: int) -> Layout:
    """Return the layout for a screen; landscape beside each other, portrait below."""
    portrait = height > width
    unit = min(min(width, height) / 600, max(width, height) / 1024)
    status_height = round(34 * unit)
    status = Rect(0, height - status_height, width, status_height)
    if portrait:
        side = min(width, height - status_height - round(_PANEL_HEIGHT * unit))
        field = Rect((width - side) // 2, 0, side, side)
        panel = Rect(0, side, width, height - status_height - side)
    else:
        side = min(height - status_height, round(width * 0.6))
        field = Rect(0, (height - status_height - side) // 2, side, side)
        panel = Rect(side, 0, width - side, height - status_height)
    margin = round(14 * unit)
    panel = panel.inflate(-2 * margin, -round(16 * unit))
    gap = round(_GAP * unit)
    target_height = round(66 * unit)
    quality_height = round(76 * unit)
    finding_height = round(132 * unit)
    targets_top = panel.bottom - target_height
    quality_top = targets_top - gap - quality_height
    bars_top = panel.top + finding_height
    rule_height = round(12 * unit)
    bar_height = (quality_top - round(6 * unit) - bars_top - rule_height) / len(SCREEN_ORDER)
    bars: dict[Code, Rect] = {}
    for i, code in enumerate(SCREEN_ORDER):
        below_rule = rule_height if i >= MALIGNANT_ROWS else 0
        top = bars_top + round(i * bar_height) + below_rule
        bars[code] = Rect(panel.left, top, panel.width, int(bar_height))
    rule_top = bars_top + round(MALIGNANT_ROWS * bar_height) + rule_height // 2
    field_area = Rect(0, 0, width, side) if portrait else field.copy()
    quality = Rect(panel.left, quality_top, panel.width, quality_height)
    content = Rect(panel.left, panel.top, panel.width, targets_top - gap - panel.top)
    one, two, three, four = _columns(
        Rect(panel.left, targets_top, panel.width, target_height), 4, gap
    )
    slider_width = round(quality.width * 0.4)
    return Layout(
        size=(width, height),
        unit=unit,
        field=field,
        field_area=field_area,
        finding=Rect(panel.left, panel.top, panel.width, finding_height),
        bars=bars,
        rule=Rect(panel.left, rule_top, panel.width, max(1, round(unit))),
        quality=quality,
        row=(one, two, three, four),
        legend_next=Rect(
            quality.left, quality_top, quality.width - slider_width - gap, quality_height
        ),
        legend_slider=Rect(quality.right - slider_width, quality_top, slider_width, quality_height),
        panel=content,
        page=Rect(
            margin,
            panel.top if not portrait else round(8 * unit),
            width - 2 * margin,
            targets_top - gap - (panel.top if not portrait else round(8 * unit)),
        ),
        status=status,
    )


def _columns(area: Rect, count: int, gap: int) -> list[Rect]:
    width = (area.width - gap * (count - 1)) / count
    return [
        Rect(area.left + round(i * (width + gap)), area.top, round(width), area.height)
        for i in range(count)
    ]
