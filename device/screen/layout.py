"""Where everything stands, from the size of the screen alone."""

from dataclasses import dataclass
from typing import Final, Literal

from pygame import Rect

from device.diagnoses import SCREEN_ORDER, Code

Target = Literal["shutter", "overlay", "diagnosis", "quit"]

TARGETS: Final[tuple[Target, ...]] = ("shutter", "overlay", "diagnosis", "quit")
"""The four large targets, in their fixed places."""

MALIGNANT_ROWS: Final = 3

_PANEL_HEIGHT: Final = 540
"""What the panel needs below the field in portrait, with rows of 36, at a short side of 600."""


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
    finding, quality, status
        The finding in words, the quality marks, the line at the bottom.
    bars
        A row for each diagnosis.
    rule
        The line between the malignant and the benign group.
    targets
        What can be touched.
    """

    size: tuple[int, int]
    unit: float
    field: Rect
    finding: Rect
    bars: dict[Code, Rect]
    rule: Rect
    quality: Rect
    targets: dict[Target, Rect]
    status: Rect

    def px(self, at_600: float) -> int:
        """Return a length given for a short side of 600 pixels."""
        return max(1, round(at_600 * self.unit))


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
    gap = round(8 * unit)
    target_height = round(66 * unit)
    quality_height = round(72 * unit)
    finding_height = round(104 * unit)
    targets_top = panel.bottom - target_height
    quality_top = targets_top - gap - quality_height
    bars_top = panel.top + finding_height
    rule_height = round(14 * unit)
    row = (quality_top - gap - bars_top - rule_height) / len(SCREEN_ORDER)
    bars: dict[Code, Rect] = {}
    for i, code in enumerate(SCREEN_ORDER):
        below_rule = rule_height if i >= MALIGNANT_ROWS else 0
        top = bars_top + round(i * row) + below_rule
        bars[code] = Rect(panel.left, top, panel.width, int(row))
    rule_top = bars_top + round(MALIGNANT_ROWS * row) + rule_height // 2
    target_width = (panel.width - gap * (len(TARGETS) - 1)) / len(TARGETS)
    targets = {
        name: Rect(
            panel.left + round(i * (target_width + gap)),
            targets_top,
            round(target_width),
            target_height,
        )
        for i, name in enumerate(TARGETS)
    }
    return Layout(
        size=(width, height),
        unit=unit,
        field=field,
        finding=Rect(panel.left, panel.top, panel.width, finding_height),
        bars=bars,
        rule=Rect(panel.left, rule_top, panel.width, max(1, round(unit))),
        quality=Rect(panel.left, quality_top, panel.width, quality_height),
        targets=targets,
        status=status,
    )
