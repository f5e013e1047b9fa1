"""The head from the front and from both sides."""

from typing import Final

from device.anatomy import BodySite, BodyView, Laterality
from device.body.drawing import (
    Area,
    Curve,
    Drawing,
    Line,
    SideLetter,
    curve,
    loop,
    mirrored,
    moved,
    other_side,
    ring,
)

_WIDTH: Final = 640.0
_HEIGHT: Final = 800.0
_MIDDLE: Final = _WIDTH / 2

# From the front: the half that is on the right as seen, x from the middle outwards.
_SKULL = Curve(
    (0, 40), (66, 47), (124, 80), (162, 136), (178, 206), (180, 270), (176, 330), (170, 400),
    (158, 462), (134, 520), (98, 570), (52, 604), (0, 614),
)  # fmt: skip
_HAIRLINE = Curve((178, 206), (160, 214), (142, 190), (120, 152), (66, 130), (0, 132))
_BROW = Curve((0, 262), (34, 258), (84, 246), (136, 256), (180, 270))
_NOSE = curve(
    (0, 262), (15, 272), (15, 330), (22, 382), (44, 414), (46, 436), (32, 448), (12, 450), (0, 456)
)
_LIPS = curve((0, 492), (13, 487), (34, 494), (66, 513), (38, 532), (0, 540))
_EAR = (
    (179, 288), (190, 272), (206, 272), (214, 292), (211, 330), (203, 364), (192, 392), (181, 398),
    (172, 384),
)  # fmt: skip
_NECK = Curve((118, 544), (114, 610), (120, 668), (164, 708), (236, 736), (300, 756))
_CHEST_END: Final = curve((0, 786), (60, 770), (164, 708))


def _here(line: Line) -> Line:
    return moved(line, (_MIDDLE, 0))


def _both(*lines: Line) -> tuple[Line, ...]:
    return tuple(placed for line in lines for placed in (_here(line), _here(mirrored(line, 0))))


def _across(*half: Line) -> Line:
    right = tuple(point for line in half for point in line)
    return _here((*right, *mirrored(right, 0)[::-1]))


_LEFT_EAR: Final = Area(BodySite.EAR, _here(loop(*_EAR)), Laterality.LEFT)

HEAD_FRONT: Final = Drawing(
    view=BodyView.HEAD_FRONT,
    width=_WIDTH,
    height=_HEIGHT,
    areas=(
        Area(
            BodySite.NECK,
            _across(((0, 560),), _NECK.part(0, 3), _CHEST_END[::-1]),
            middle=_MIDDLE,
        ),
        Area(
            BodySite.CHEST,
            _across(_CHEST_END, _NECK.part(3, 5), ((300, 800), (0, 800))),
            middle=_MIDDLE,
        ),
        _LEFT_EAR,
        other_side(_LEFT_EAR, _MIDDLE),
        Area(BodySite.FACE, _across(_SKULL.part()), middle=_MIDDLE),
        Area(
            BodySite.FOREHEAD,
            _across(_HAIRLINE.back(), _SKULL.part(4, 5), _BROW.back()),
            middle=_MIDDLE,
        ),
        Area(BodySite.SCALP, _across(_SKULL.part(0, 4), _HAIRLINE.part()), middle=_MIDDLE),
        Area(BodySite.NOSE, _across(_NOSE)),
        Area(BodySite.LIP, _across(_LIPS)),
    ),
    contours=_both(
        _SKULL.part(), loop(*_EAR), _NECK.part(),
        curve((44, 414), (47, 432), (40, 446), (28, 446)),
        curve((0, 515), (12, 511), (34, 515), (62, 514)),
    ),
    details=_both(
        # Brows; the eyes' lids and irises.
        curve((34, 258), (60, 243), (96, 240), (128, 254)),
        curve((36, 262), (64, 250), (98, 248), (128, 254)),
        curve((44, 308), (62, 290), (88, 286), (112, 298), (122, 308)),
        curve((44, 308), (64, 320), (94, 322), (122, 308)),
        ring((82, 303), 14),
        ring((82, 303), 6),
        curve((46, 286), (80, 272), (116, 282)),
        # Nose, philtrum, chin, cheeks.
        curve((15, 272), (13, 330), (20, 382)),
        curve((8, 448), (18, 440), (30, 446)),
        curve((0, 436), (12, 446), (8, 452)),
        curve((8, 458), (10, 474), (13, 487)),
        curve((0, 562), (14, 560), (26, 554)),
        curve((50, 440), (66, 466), (78, 500)),
        # The ear's folds.
        curve((184, 304), (196, 288), (203, 300), (200, 334), (192, 366)),
        curve((184, 330), (190, 338), (186, 352)),
        # The neck's muscles, the collar bones.
        curve((100, 590), (70, 660), (26, 752)),
        curve((20, 764), (84, 770), (180, 748), (262, 752)),
    ),
    letters=(
        SideLetter(Laterality.RIGHT, (44, 300)),
        SideLetter(Laterality.LEFT, (_WIDTH - 44, 300)),
    ),
)  # fmt: skip

# From the patient's left: the face is on the left of the sheet.
_PROFILE = Curve(
    (196, 190), (180, 226), (174, 258), (182, 284), (178, 306), (160, 340), (138, 378), (126, 402),
    (132, 420), (152, 428), (172, 432), (170, 450), (161, 470), (152, 482), (160, 494), (172, 500),
    (158, 508), (156, 522), (168, 534), (168, 548), (158, 566), (160, 592), (178, 612), (206, 620),
    (252, 624), (282, 640), (284, 680), (272, 730), (236, 800),
)  # fmt: skip
_CROWN = Curve(
    (196, 190), (212, 138), (252, 82), (318, 46), (396, 44), (464, 78), (508, 138), (522, 212),
    (512, 290), (492, 352), (478, 400), (470, 448), (472, 510), (486, 580), (520, 650), (580, 700),
    (628, 720),
)  # fmt: skip
_HAIR = Curve(
    (196, 190), (226, 176), (262, 190), (280, 226), (276, 262), (296, 282), (322, 318), (342, 352)
)
_NAPE = Curve((402, 380), (414, 424), (440, 456), (470, 448))
_JAW = Curve((350, 432), (344, 486), (330, 538), (290, 582), (246, 608), (206, 620))
_PINNA = (
    (332, 336), (342, 306), (372, 294), (400, 308), (410, 342), (402, 376), (384, 402), (372, 432),
    (354, 440), (342, 424), (344, 392),
)  # fmt: skip
_BROW_SIDE = Curve((174, 258), (204, 252), (238, 248), (276, 262))
_NOSTRIL = curve((182, 284), (194, 300), (192, 350), (196, 394), (206, 418), (196, 434), (172, 432))
_LIPS_SIDE = curve((161, 470), (176, 474), (206, 500), (184, 520), (156, 522))

_LEFT: Final = (
    Area(
        BodySite.NECK,
        (*_JAW.part(), *_PROFILE.part(23, 28), (628, 800), *_CROWN.back(11, 16), *_NAPE.back()),
        Laterality.LEFT,
    ),
    Area(
        BodySite.FACE,
        (*_HAIR.part(), *_JAW.part(), *_PROFILE.back(0, 23)),
        Laterality.LEFT,
    ),
    Area(
        BodySite.SCALP,
        (*_CROWN.part(0, 11), *_NAPE.back(), *_HAIR.back()),
        Laterality.LEFT,
    ),
    Area(
        BodySite.FOREHEAD,
        (*_HAIR.part(0, 4), *_BROW_SIDE.back(), *_PROFILE.back(0, 2)),
        Laterality.LEFT,
    ),
    Area(BodySite.NOSE, (*_PROFILE.part(3, 10), *_NOSTRIL[::-1])),
    Area(BodySite.LIP, (*_PROFILE.part(12, 17), *_LIPS_SIDE[::-1])),
    Area(BodySite.EAR, loop(*_PINNA), Laterality.LEFT),
)  # fmt: skip
_LEFT_CONTOURS: Final = (
    _PROFILE.part(),
    _CROWN.part(),
    loop(*_PINNA),
    _JAW.part(1),
    curve((206, 404), (210, 420), (200, 434), (186, 436)),
    curve((172, 500), (188, 500), (206, 502)),
)
_LEFT_DETAILS: Final = (
    # Brow and eye.
    curve((188, 254), (208, 238), (240, 238), (262, 250)),
    curve((194, 296), (212, 286), (236, 294), (250, 308)),
    curve((250, 308), (228, 316), (206, 316)),
    ring((211, 303), 12),
    ring((207, 303), 5),
    curve((200, 284), (220, 274), (246, 284)),
    # Nostril, cheek, chin.
    curve((178, 432), (186, 424), (198, 428)),
    curve((212, 440), (224, 466), (226, 496)),
    curve((168, 548), (182, 544), (194, 552)),
    # The ear's folds.
    curve((350, 338), (356, 318), (376, 310), (392, 326), (394, 352), (384, 380)),
    curve((356, 352), (368, 336), (380, 346), (378, 368), (364, 388), (360, 408)),
    curve((348, 380), (358, 384), (356, 396)),
    # The neck's muscle.
    curve((404, 450), (372, 560), (318, 660), (274, 736)),
)


def _from_the_right() -> Drawing:
    return Drawing(
        view=BodyView.HEAD_RIGHT,
        width=_WIDTH,
        height=_HEIGHT,
        areas=tuple(other_side(area, _MIDDLE) for area in _LEFT),
        contours=tuple(mirrored(line, _MIDDLE) for line in _LEFT_CONTOURS),
        details=tuple(mirrored(line, _MIDDLE) for line in _LEFT_DETAILS),
        letters=(SideLetter(Laterality.RIGHT, (60, 110)),),
    )


HEAD_LEFT: Final = Drawing(
    view=BodyView.HEAD_LEFT,
    width=_WIDTH,
    height=_HEIGHT,
    areas=_LEFT,
    contours=_LEFT_CONTOURS,
    details=_LEFT_DETAILS,
    letters=(SideLetter(Laterality.LEFT, (_WIDTH - 60, 110)),),
)
HEAD_RIGHT: Final = _from_the_right()
