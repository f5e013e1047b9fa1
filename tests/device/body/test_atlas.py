from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from device.anatomy import BodySite, BodyView, Laterality
from device.body.atlas import DRAWINGS

VIEWS = list(BodyView)
ACROSS = (BodyView.FRONT, BodyView.BACK, BodyView.HEAD_FRONT, BodyView.HANDS, BodyView.FEET)
OTHER = {Laterality.LEFT: Laterality.RIGHT, Laterality.RIGHT: Laterality.LEFT, None: None}
parts = st.floats(0.0, 1.0)


def test_there_is_a_drawing_of_every_view() -> None:
    assert set(DRAWINGS) == set(BodyView)


@pytest.mark.parametrize("view", VIEWS)
def test_every_line_lies_on_its_sheet(view: BodyView) -> None:
    drawing = DRAWINGS[view]
    lines = [*drawing.contours, *drawing.details, *(area.outline for area in drawing.areas)]
    for x, y in (point for line in lines for point in line):
        assert -1.0 <= x <= drawing.width + 1.0
        assert -1.0 <= y <= drawing.height + 1.0
    for letter in drawing.letters:
        x, y = letter.at
        # It is written beside the body, not over it.
        assert drawing.spot_at(x / drawing.width, y / drawing.height) is None


def test_every_site_can_be_pointed_at_by_finger_and_by_key() -> None:
    assert {area.site for drawing in DRAWINGS.values() for area in drawing.areas} == set(BodySite)
    assert {spot.site for d in DRAWINGS.values() for spot in d.spots()} == set(BodySite)


@pytest.mark.parametrize("view", VIEWS)
def test_keyboard_reaches_every_site_and_side_that_a_finger_does(view: BodyView) -> None:
    drawing = DRAWINGS[view]
    touched = {
        (spot.site, spot.laterality)
        for x, y in product(range(41), range(41))
        if (spot := drawing.spot_at(x / 40, y / 40))
    }
    assert {(spot.site, spot.laterality) for spot in drawing.spots()} >= {
        (site, side) for site, side in touched if side is not None
    }
    for spot in drawing.spots():
        again = drawing.spot_at(spot.x, spot.y)
        assert (again.site, again.laterality) == (spot.site, spot.laterality)


@given(view=st.sampled_from(ACROSS), x=parts, y=parts)
def test_a_body_is_alike_on_both_sides(view: BodyView, x: float, y: float) -> None:
    drawing = DRAWINGS[view]
    mirror = 0.5 if view in (BodyView.HANDS, BodyView.FEET) else 1.0
    if mirror == 0.5:
        x *= mirror
    one, other = drawing.spot_at(x, y), drawing.spot_at(mirror - x, y)
    assert (one is None) == (other is None)
    if one and other:
        assert one.laterality == OTHER[other.laterality]


@given(x=st.floats(0.0, 0.48), y=parts)
@example(x=0.375, y=0.0625)  # An ear.
def test_patients_right_is_on_the_left_from_the_front_and_left_from_behind(
    x: float, y: float
) -> None:
    for view, side in (
        (BodyView.FRONT, Laterality.RIGHT),
        (BodyView.HEAD_FRONT, Laterality.RIGHT),
        (BodyView.BACK, Laterality.LEFT),
    ):
        spot = DRAWINGS[view].spot_at(min(x, 0.47), y)
        # Nose and lip lie on no side.
        assert spot is None or spot.laterality in (side, None)
        if spot and spot.site not in (BodySite.NOSE, BodySite.LIP, BodySite.GENITAL):
            assert spot.laterality == side


@pytest.mark.parametrize(
    ("view", "side"),
    [(BodyView.HEAD_LEFT, Laterality.LEFT), (BodyView.HEAD_RIGHT, Laterality.RIGHT)],
)
def test_head_from_one_side_shows_that_side(view: BodyView, side: Laterality) -> None:
    assert {a.laterality for a in DRAWINGS[view].areas} == {side, None}


@pytest.mark.parametrize(
    ("view", "place", "site", "side"),
    [
        (BodyView.FRONT, (0.5, 0.08), BodySite.FACE, None),
        (BodyView.FRONT, (0.37, 0.27), BodySite.CHEST, Laterality.RIGHT),
        (BodyView.FRONT, (0.5, 0.41), BodySite.ABDOMEN, None),
        (BodyView.FRONT, (0.24, 0.3), BodySite.UPPER_ARM, Laterality.RIGHT),
        (BodyView.FRONT, (0.84, 0.46), BodySite.FOREARM, Laterality.LEFT),
        (BodyView.FRONT, (0.39, 0.6), BodySite.THIGH, Laterality.RIGHT),
        (BodyView.FRONT, (0.6, 0.8), BodySite.LOWER_LEG, Laterality.LEFT),
        (BodyView.BACK, (0.4, 0.25), BodySite.UPPER_BACK, Laterality.LEFT),
        (BodyView.BACK, (0.6, 0.4), BodySite.LOWER_BACK, Laterality.RIGHT),
        (BodyView.BACK, (0.4, 0.5), BodySite.BUTTOCK, Laterality.LEFT),
        (BodyView.BACK, (0.5, 0.05), BodySite.SCALP, None),
        (BodyView.HEAD_FRONT, (0.5, 0.49), BodySite.NOSE, None),
        (BodyView.HEAD_FRONT, (0.35, 0.62), BodySite.FACE, Laterality.RIGHT),
        (BodyView.HEAD_LEFT, (0.58, 0.44), BodySite.EAR, Laterality.LEFT),
        (BodyView.HEAD_RIGHT, (0.42, 0.44), BodySite.EAR, Laterality.RIGHT),
        (BodyView.HANDS, (0.1, 0.6), BodySite.PALM, Laterality.RIGHT),
        (BodyView.HANDS, (0.64, 0.6), BodySite.HAND, Laterality.RIGHT),
        (BodyView.HANDS, (0.21, 0.5), BodySite.FINGER, Laterality.RIGHT),
        (BodyView.FEET, (0.36, 0.4), BodySite.FOOT, Laterality.LEFT),
        (BodyView.FEET, (0.62, 0.6), BodySite.SOLE, Laterality.RIGHT),
        (BodyView.FEET, (0.92, 0.1), BodySite.TOE, Laterality.LEFT),
    ],
    ids=str,
)
def test_finger_means_what_lies_there(
    view: BodyView, place: tuple[float, float], site: BodySite, side: Laterality | None
) -> None:
    spot = DRAWINGS[view].spot_at(*place)
    assert spot is not None
    assert (spot.view, spot.site, spot.laterality) == (view, site, side)
