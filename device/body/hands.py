"""The hands: the palms, and the backs of both, the fingers upwards."""

from itertools import pairwise
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
)

_SHEET: Final = 260.0
"""Width of the sheet that one hand takes."""

_HEIGHT: Final = 520.0

# The palm of the right hand: its thumb is on the right.
_FINGERS: Final[tuple[tuple[Point, ...], ...]] = (
    # Little, ring, middle, index: each from its root on the little finger's side round the tip.
    ((44, 238), (37, 200), (30, 166), (28, 140), (37, 130), (49, 136), (56, 164), (64, 198),
     (72, 226)),
    ((76, 222), (70, 176), (66, 130), (64, 92), (73, 80), (87, 86), (92, 126), (98, 172),
     (104, 214)),
    ((108, 212), (104, 160), (102, 108), (103, 66), (113, 54), (126, 62), (128, 106), (131, 160),
     (136, 212)),
    ((140, 213), (141, 168), (144, 124), (148, 92), (158, 82), (170, 89), (171, 124), (170, 172),
     (172, 222)),
)  # fmt: skip
_THUMB: Final = Curve(
    (184, 318), (200, 288), (216, 258), (230, 236), (243, 234), (247, 250), (238, 284), (222, 324),
    (200, 366),
)  # fmt: skip
_PALM_LEFT: Final = Curve(
    (44, 238), (44, 276), (48, 322), (58, 372), (66, 414), (66, 470), (62, 520)
)
_PALM_RIGHT: Final = Curve((200, 366), (184, 396), (172, 424), (170, 470), (174, 520))
_WEB: Final = Curve((172, 222), (176, 260), (184, 318))
_WRIST: Final = curve((66, 430), (118, 438), (171, 430))


def _finger(points: tuple[Point, ...]) -> Line:
    return Curve(*points).part()


def _palm() -> Line:
    roots = [point for finger in _FINGERS for point in (finger[0], finger[-1])]
    return (
        *roots, *_WEB.part()[1:], *_THUMB.part()[-1:], *_PALM_RIGHT.part(0, 2),
        *_WRIST[::-1], *_PALM_LEFT.back(0, 4),
    )  # fmt: skip


def _forearm() -> Line:
    return (*_WRIST, *_PALM_RIGHT.part(3), *_PALM_LEFT.back(5))


_AREAS: Final[tuple[tuple[BodySite, Line], ...]] = (
    (BodySite.FOREARM, _forearm()),
    (BodySite.FINGER, _THUMB.part()),
    *((BodySite.FINGER, _finger(points)) for points in _FINGERS),
)
_CONTOURS: Final = (
    *(_finger(points) for points in _FINGERS),
    _THUMB.part(),
    _PALM_LEFT.part(),
    _PALM_RIGHT.part(),
    _WEB.part(),
    *(
        curve(one[-1], ((one[-1][0] + other[0][0]) / 2, one[-1][1] + 4), other[0])
        for one, other in pairwise(_FINGERS)
    ),
)
_PALM_LINES: Final = (
    curve((50, 288), (84, 286), (118, 268), (136, 244)),
    curve((60, 330), (100, 312), (146, 288), (176, 268)),
    curve((178, 276), (142, 308), (118, 356), (110, 420)),
    *(curve((x, y + d), (x + 12, y + d + 3), (x + w, y + d))
      for x, y, w in ((38, 164, 17), (71, 126, 21), (104, 108, 23), (146, 126, 25))
      for d in (0, 42)),
    curve((216, 268), (226, 276), (236, 278)),
    _WRIST,
)  # fmt: skip
_KNUCKLES: Final = (
    *(loop((x, y + 14), (x + 3, y), (x + 10, y - 4), (x + 17, y), (x + 20, y + 14),
           (x + 10, y + 18))
      for x, y in ((31, 140), (69, 90), (105, 64), (150, 92))),
    loop((228, 256), (230, 242), (239, 238), (244, 246), (240, 262), (232, 264)),
    *(curve((x, y), (x + 9, y - 4), (x + w, y))
      for x, y, w in ((42, 180, 17), (74, 148, 19), (107, 130, 20), (148, 146, 20))),
    *(curve((x, y), (x + 9, y - 4), (x + w, y))
      for x, y, w in ((48, 246, 20), (80, 236, 20), (112, 232, 20), (146, 236, 20))),
    *(curve((x, 256), (x + t, 300), (x + 2 * t, 350))
      for x, t in ((60, 10), (90, 6), (122, 1), (156, -5))),
    curve((206, 290), (214, 298), (224, 298)),
    _WRIST,
)  # fmt: skip


def _hands() -> tuple[tuple[float, bool, Laterality, BodySite], ...]:
    """Return where each hand is, whether it is mirrored, whose side it is, and what it shows."""
    return (
        (0.0, False, Laterality.RIGHT, BodySite.PALM),
        (1.0, True, Laterality.LEFT, BodySite.PALM),
        (2.0, True, Laterality.RIGHT, BodySite.HAND),
        (3.0, False, Laterality.LEFT, BodySite.HAND),
    )


def _placed(line: Line, place: float, *, mirror: bool) -> Line:
    turned = mirrored(line, _SHEET / 2) if mirror else line
    return moved(turned, (place * _SHEET, 0))


HANDS: Final = Drawing(
    view=BodyView.HANDS,
    width=4 * _SHEET,
    height=_HEIGHT,
    areas=tuple(
        Area(site, _placed(outline, place, mirror=mirror), side)
        for place, mirror, side, shows in _hands()
        for site, outline in ((shows, _palm()), *_AREAS)
    ),
    contours=tuple(
        _placed(line, place, mirror=mirror)
        for place, mirror, _, _ in _hands()
        for line in _CONTOURS
    ),
    details=tuple(
        _placed(line, place, mirror=mirror)
        for place, mirror, _, shows in _hands()
        for line in (_PALM_LINES if shows == BodySite.PALM else _KNUCKLES)
    ),
    letters=tuple(
        SideLetter(side, ((place + (0.1 if side == Laterality.RIGHT else 0.9)) * _SHEET, 40))
        for place, _, side, _ in _hands()
    ),
)
