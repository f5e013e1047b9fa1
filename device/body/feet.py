"""The feet: from above, the toes downwards, and the soles, the toes upwards."""

from typing import Final

from device.anatomy import BodySite, BodyView, Laterality
from device.body.drawing import (
    Area,
    Curve,
    Drawing,
    Line,
    Point,
    SideLetter,
    curve,
    loop,
    mirrored,
    moved,
    upside_down,
)

_SHEET: Final = 260.0
"""Width of the sheet that one foot takes."""

_HEIGHT: Final = 520.0

# The sole of the right foot: its big toe is on the right, towards the other foot.
_TOES: Final[tuple[tuple[Point, ...], ...]] = (
    ((56, 172), (46, 156), (46, 138), (56, 128), (69, 134), (76, 150)),
    ((77, 148), (68, 130), (67, 110), (77, 98), (91, 104), (98, 124)),
    ((99, 122), (92, 104), (91, 82), (101, 70), (116, 76), (123, 102)),
    ((124, 101), (117, 80), (116, 60), (127, 48), (142, 54), (150, 84)),
    ((152, 92), (148, 66), (152, 40), (170, 24), (192, 30), (204, 56), (202, 86), (196, 112)),
)  # fmt: skip
_SIDES: Final = Curve(
    (56, 172), (50, 206), (56, 250), (68, 302), (78, 352), (86, 402), (96, 444), (114, 472),
    (142, 483), (168, 466), (182, 428), (180, 380), (174, 330), (178, 280), (192, 226), (206, 176),
    (206, 140), (196, 112),
)  # fmt: skip


def _sole() -> Line:
    roots = [point for toe in _TOES for point in (toe[0], toe[-1])]
    return (*roots, *_SIDES.back()[1:-1])


_OUTLINES: Final = (*(Curve(*toe).part() for toe in _TOES), _SIDES.part())
_FOLDS: Final = (
    curve((56, 172), (76, 158), (98, 140), (124, 122), (152, 112), (196, 112)),
    curve((64, 200), (86, 226), (112, 220), (130, 196)),
    curve((140, 200), (158, 222), (184, 216), (200, 190)),
    curve((174, 316), (152, 300), (142, 262), (146, 236)),
    curve((98, 412), (124, 396), (152, 396), (180, 410)),
)
_NAILS: Final = (
    loop((162, 44), (172, 34), (186, 38), (194, 52), (188, 66), (170, 64)),
    *(loop((x, y + 10), (x + 3, y), (x + 9, y - 3), (x + 15, y + 1), (x + 17, y + 11),
           (x + 8, y + 14))
      for x, y in ((50, 138), (71, 108), (95, 80), (121, 58))),
    *(curve((x, 176 - d), (x + t, 240), (142 + d / 9, 340))
      for x, d, t in ((74, 0, 24), (96, 18, 20), (120, 36, 10), (142, 46, 2), (176, 40, -16))),
    curve((96, 424), (122, 404), (152, 404), (176, 420)),
)  # fmt: skip


def _feet() -> tuple[tuple[float, bool, Laterality, BodySite], ...]:
    """Return where each foot is, whether it is mirrored, whose side it is, and what it shows."""
    return (
        (0.0, False, Laterality.RIGHT, BodySite.FOOT),
        (1.0, True, Laterality.LEFT, BodySite.FOOT),
        (2.0, False, Laterality.RIGHT, BodySite.SOLE),
        (3.0, True, Laterality.LEFT, BodySite.SOLE),
    )


def _placed(line: Line, place: float, shows: BodySite, *, mirror: bool) -> Line:
    turned = mirrored(line, _SHEET / 2) if mirror else line
    if shows == BodySite.FOOT:
        turned = upside_down(turned, _HEIGHT)
    return moved(turned, (place * _SHEET, 0))


FEET: Final = Drawing(
    view=BodyView.FEET,
    width=4 * _SHEET,
    height=_HEIGHT,
    areas=tuple(
        Area(site, _placed(outline, place, shows, mirror=mirror), side)
        for place, mirror, side, shows in _feet()
        for site, outline in (
            (shows, _sole()),
            *((BodySite.TOE, Curve(*toe).part()) for toe in _TOES),
        )
    ),
    contours=tuple(
        _placed(line, place, shows, mirror=mirror)
        for place, mirror, _, shows in _feet()
        for line in _OUTLINES
    ),
    details=tuple(
        _placed(line, place, shows, mirror=mirror)
        for place, mirror, _, shows in _feet()
        for line in (_FOLDS if shows == BodySite.SOLE else _NAILS)
    ),
    letters=tuple(
        SideLetter(side, ((place + 0.5 + (0.38 if mirror else -0.38)) * _SHEET, y))
        for place, mirror, side, shows in _feet()
        for y in (_HEIGHT - 40 if shows == BodySite.FOOT else 40,)
    ),
)
