"""The whole body from the front and from the back.

Drawn by its right half as seen, whose points are given from the middle: x outwards, y downwards.
"""

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
    other_side,
)

_WIDTH: Final = 480.0
_HEIGHT: Final = 1000.0
_MIDDLE: Final = _WIDTH / 2

_HEAD = Curve(
    (0, 16), (21, 20), (38, 36), (45, 62), (44, 92), (39, 116), (27, 138), (12, 149), (0, 151)
)
_EAR = Curve((44, 74), (50, 71), (52, 82), (48, 98), (43, 101))
_SHOULDER = Curve(
    (29, 132), (28, 152), (33, 166), (58, 179), (88, 188), (110, 201), (123, 226), (131, 258),
    (138, 300), (147, 345), (156, 384), (169, 420), (177, 455), (183, 492), (189, 526),
)  # fmt: skip
_ARM_INSIDE = Curve(
    (90, 262), (101, 300), (111, 342), (120, 384), (131, 424), (144, 464), (155, 496), (164, 528)
)
_SHOULDER_FOLD = Curve((88, 188), (97, 212), (97, 238), (90, 262))
_SIDE = Curve(
    (90, 262), (87, 296), (81, 334), (76, 372), (76, 402), (82, 436), (90, 470), (96, 506),
    (98, 545), (95, 595), (88, 648), (80, 694), (77, 724), (80, 760), (80, 796), (72, 848),
    (60, 898), (55, 930),
)  # fmt: skip
_LEG_INSIDE = Curve(
    (3, 527), (9, 565), (14, 615), (19, 665), (23, 706), (22, 738), (17, 780), (19, 822),
    (26, 870), (30, 910), (29, 932),
)  # fmt: skip
_GROIN = Curve((90, 470), (62, 492), (34, 508))
_FOLD_BACK = Curve((97, 532), (60, 552), (28, 549), (3, 527))
_HAND = (
    (189, 526), (202, 541), (211, 562), (214, 580), (208, 585), (202, 573), (201, 590), (203, 614),
    (200, 640), (195, 641), (194, 622), (191, 645), (185, 648), (184, 624), (180, 644), (174, 643),
    (175, 617), (170, 632), (165, 629), (166, 598), (165, 566), (164, 528),
)  # fmt: skip
_FOOT_FRONT = (
    (55, 930), (60, 946), (70, 962), (73, 976), (62, 984), (44, 986), (28, 984), (22, 972),
    (26, 952), (29, 932),
)  # fmt: skip
_FOOT_BACK = (
    (55, 930), (57, 948), (62, 962), (58, 974), (44, 977), (29, 974), (24, 962), (28, 948),
    (29, 932),
)  # fmt: skip


def _here(line: Line) -> Line:
    return moved(line, (_MIDDLE, 0))


def _both(*lines: Line) -> tuple[Line, ...]:
    """Return lines of the half and their mirror images, on the sheet."""
    return tuple(placed for line in lines for placed in (_here(line), _here(mirrored(line, 0))))


def _across(*half: Line) -> Line:
    """Return the closed line of an area that lies on both sides, from its right half's border."""
    right = tuple(point for line in half for point in line)
    return _here((*right, *mirrored(right, 0)[::-1]))


def _pair(site: BodySite, laterality: Laterality, *half: Line) -> tuple[Area, Area]:
    area = Area(site, _here(tuple(p for line in half for p in line)), laterality)
    return area, other_side(area, _MIDDLE)


def _level(y: float, width: float, sag: float = 0.0) -> Line:
    """Return a line across the body from its middle, hanging down in the middle by `sag`."""
    return curve((0, y + sag), (width / 2, y + 0.75 * sag), (width, y))


_NECK_BASE: Final = curve((0, 184), (16, 181), (33, 166))
_RIBS: Final = _level(334, 81, 10)
_HIPS: Final = _level(470, 90, -2)


def _limbs(seen: Laterality, hand: BodySite, foot: tuple[Point, ...]) -> tuple[Area, ...]:
    """Return arms and lower legs, which are alike from both sides."""
    return (
        *_pair(
            BodySite.UPPER_ARM, seen,
            _SHOULDER.part(4, 10), _ARM_INSIDE.back(0, 3), _SHOULDER_FOLD.back()[1:-1],
        ),
        *_pair(BodySite.FOREARM, seen, _SHOULDER.part(10, 14), _ARM_INSIDE.back(3, 7)),
        *_pair(hand, seen, Curve(*_HAND).part()),
        *_pair(BodySite.LOWER_LEG, seen, _SIDE.part(12, 17), _LEG_INSIDE.back(4, 10)),
        *_pair(BodySite.FOOT, seen, Curve(*foot).part()),
    )  # fmt: skip


def _contours(foot: tuple[Point, ...]) -> tuple[Line, ...]:
    return _both(
        _HEAD.part(0, 5), _EAR.part(), _SHOULDER.part(), _ARM_INSIDE.part(), _SIDE.part(),
        _LEG_INSIDE.part(), Curve(*_HAND).part(), Curve(*foot).part(),
    )  # fmt: skip


_HEAD_AREAS: Final = (
    Area(
        BodySite.NECK,
        _across(_level(130, 29), _SHOULDER.part(0, 2), _NECK_BASE[::-1]),
        middle=_MIDDLE,
    ),
)

FRONT: Final = Drawing(
    view=BodyView.FRONT,
    width=_WIDTH,
    height=_HEIGHT,
    areas=(
        *_HEAD_AREAS,
        *_pair(BodySite.EAR, Laterality.LEFT, _EAR.part()),
        Area(BodySite.FACE, _across(_HEAD.part()), middle=_MIDDLE),
        Area(
            BodySite.SCALP,
            _across(_HEAD.part(0, 3), curve((45, 62), (36, 48), (20, 43), (0, 42))),
            middle=_MIDDLE,
        ),
        Area(
            BodySite.CHEST,
            _across(_NECK_BASE, _SHOULDER.part(2, 4), _SHOULDER_FOLD.part(), _SIDE.part(0, 2),
                    _RIBS[::-1]),
            middle=_MIDDLE,
        ),
        Area(
            BodySite.ABDOMEN,
            _across(_RIBS, _SIDE.part(2, 6), _GROIN.part(), ((0, 500),)),
            middle=_MIDDLE,
        ),
        *_pair(
            BodySite.THIGH, Laterality.LEFT,
            _SIDE.part(6, 12), _LEG_INSIDE.back(0, 4), _GROIN.back(),
        ),
        Area(BodySite.GENITAL, _across(((0, 500),), curve((34, 508), (22, 526), (3, 532)))),
        *_limbs(Laterality.LEFT, BodySite.PALM, _FOOT_FRONT),
    ),
    contours=(*_contours(_FOOT_FRONT), *_both(_HEAD.part(5))),
    details=(
        # Brows, eyes, nose, mouth.
        *_both(curve((9, 72), (18, 69), (28, 73)), loop((11, 80), (19, 76), (27, 80), (19, 83))),
        *_both(curve((3, 84), (6, 100), (8, 107), (2, 111)), curve((0, 125), (7, 124), (15, 127))),
        *_both(curve((0, 132), (8, 131), (12, 128))),
        # Collar bones, pectorals, nipples.
        *_both(curve((7, 190), (30, 189), (56, 185), (84, 192))),
        *_both(curve((12, 290), (42, 296), (72, 282), (88, 262)), loop((53, 273), (57, 269),
               (61, 273), (57, 277))),
        # Ribs' arch, navel, flanks.
        *_both(curve((0, 322), (16, 334), (36, 356), (52, 376))),
        *_both(curve((0, 408), (4, 412), (0, 418)), curve((78, 428), (70, 450), (56, 474))),
        # Elbows, knees, shins, toes.
        *_both(curve((127, 388), (138, 394), (150, 388))),
        *_both(curve((33, 702), (50, 694), (68, 702)), curve((36, 730), (50, 741), (66, 731))),
        *_both(curve((47, 762), (44, 820), (44, 880)), curve((34, 914), (39, 908), (45, 914))),
        *_both(curve((34, 974), (34, 983)), curve((45, 974), (46, 985)), curve((54, 972),
               (56, 984)), curve((62, 969), (65, 981))),
        # Palms.
        *_both(curve((196, 560), (184, 558), (176, 580))),
        *_both(curve((172, 598), (186, 602), (198, 596))),
    ),
    letters=(
        SideLetter(Laterality.RIGHT, (46, 250)),
        SideLetter(Laterality.LEFT, (_WIDTH - 46, 250)),
    ),
)  # fmt: skip

BACK: Final = Drawing(
    view=BodyView.BACK,
    width=_WIDTH,
    height=_HEIGHT,
    areas=(
        *_HEAD_AREAS,
        *_pair(BodySite.EAR, Laterality.RIGHT, _EAR.part()),
        Area(
            BodySite.SCALP,
            _across(_HEAD.part(0, 5), curve((39, 116), (30, 132), (0, 138))),
            middle=_MIDDLE,
        ),
        Area(
            BodySite.UPPER_BACK,
            _across(((0, 172),), _SHOULDER.part(2, 4), _SHOULDER_FOLD.part(), _SIDE.part(0, 2),
                    _RIBS[::-1]),
            middle=_MIDDLE,
        ),
        Area(
            BodySite.LOWER_BACK,
            _across(_RIBS, _SIDE.part(2, 5), curve((82, 436), (50, 440), (0, 462))),
            middle=_MIDDLE,
        ),
        *_pair(
            BodySite.BUTTOCK, Laterality.RIGHT,
            curve((0, 462), (50, 440), (82, 436)), _SIDE.part(5, 7), _FOLD_BACK.part(),
        ),
        *_pair(
            BodySite.THIGH, Laterality.RIGHT,
            _SIDE.part(7, 12), _LEG_INSIDE.back(0, 4), _FOLD_BACK.back(),
        ),
        *_limbs(Laterality.RIGHT, BodySite.HAND, _FOOT_BACK),
    ),
    contours=(*_contours(_FOOT_BACK), *_both(_FOLD_BACK.part(1))),
    details=(
        # The spine, the shoulder blades, the small of the back, the cleft.
        *_both(curve((0, 172), (0, 250), (0, 340), (0, 448))),
        *_both(curve((58, 222), (40, 240), (36, 274), (48, 306), (66, 296), (80, 262))),
        *_both(curve((33, 166), (24, 196), (14, 250), (2, 320))),
        *_both(curve((30, 430), (34, 434), (32, 440)), curve((0, 466), (0, 500), (0, 526))),
        # Elbows, backs of the knees, calves, heel strings.
        *_both(curve((129, 380), (138, 388), (149, 381))),
        *_both(curve((133, 372), (139, 376), (146, 372))),
        *_both(curve((30, 718), (50, 724), (70, 717))),
        *_both(curve((27, 812), (42, 836), (49, 836), (71, 806)), curve((38, 900), (39, 930)),
               curve((47, 900), (46, 930))),
        # Knuckles.
        *_both(curve((172, 600), (184, 596), (200, 598))),
        *_both(curve((16, 140), (0, 143))),
    ),
    letters=(
        SideLetter(Laterality.LEFT, (46, 250)),
        SideLetter(Laterality.RIGHT, (_WIDTH - 46, 250)),
    ),
    right_on_left=False,
)  # fmt: skip
