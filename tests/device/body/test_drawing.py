import math

import pytest

from device.anatomy import BodySite, BodyView, Laterality
from device.body.drawing import Area, Curve, Drawing, centre, loop, mirrored, other_side

SQUARE = ((10.0, 10.0), (50.0, 10.0), (50.0, 50.0), (10.0, 50.0))
SMALL = ((20.0, 20.0), (30.0, 20.0), (30.0, 30.0), (20.0, 30.0))


def drawing(*areas: Area, **more: object) -> Drawing:
    return Drawing(BodyView.FRONT, 100.0, 200.0, areas, (), (), (), **more)


def test_curve_runs_through_every_point_that_it_is_given_by() -> None:
    points = ((0.0, 0.0), (10.0, 5.0), (12.0, 30.0), (4.0, 40.0))
    line = Curve(*points).part()
    assert set(points) <= set(line)
    assert Curve(*points).part(1, 2)[0] == points[1]
    assert Curve(*points).part(1, 2)[-1] == points[2]
    assert Curve(*points).back(1, 2) == Curve(*points).part(1, 2)[::-1]


def test_loop_has_no_corner_where_it_closes() -> None:
    points = [(math.cos(math.tau * i / 8), math.sin(math.tau * i / 8)) for i in range(8)]
    for x, y in loop(*points):
        assert math.hypot(x, y) == pytest.approx(1.0, abs=0.02)


def test_what_lies_on_top_is_what_a_finger_means() -> None:
    both = drawing(Area(BodySite.FACE, SQUARE), Area(BodySite.NOSE, SMALL))
    assert both.spot_at(0.25, 0.125).site == BodySite.NOSE
    assert both.spot_at(0.45, 0.125).site == BodySite.FACE


def test_finger_beside_the_body_means_the_nearest_skin_and_far_from_it_none() -> None:
    one = drawing(Area(BodySite.FACE, SQUARE, Laterality.LEFT))
    beside = one.spot_at(0.54, 0.15)
    assert (beside.site, beside.laterality) == (BodySite.FACE, Laterality.LEFT)
    assert (beside.x, beside.y) == pytest.approx((0.5, 0.15))
    assert one.spot_at(0.9, 0.9) is None


@pytest.mark.parametrize(
    ("right_on_left", "side"), [(True, Laterality.RIGHT), (False, Laterality.LEFT)]
)
def test_side_is_the_patients_own(right_on_left: bool, side: Laterality) -> None:
    one = drawing(Area(BodySite.CHEST, SQUARE, middle=30.0), right_on_left=right_on_left)
    assert one.spot_at(0.15, 0.1).laterality == side
    assert one.spot_at(0.45, 0.1).laterality not in (side, None)
    assert one.spot_at(0.305, 0.1).laterality is None


def test_mirrored_area_is_of_the_other_side() -> None:
    area = Area(BodySite.EAR, SMALL, Laterality.LEFT)
    other = other_side(area, 50.0)
    assert other.laterality == Laterality.RIGHT
    assert other.outline == mirrored(SMALL, 50.0)
    assert other_side(other, 50.0) == area


def test_centre_lies_inside_even_where_the_centroid_does_not() -> None:
    bow = ((0.0, 0.0), (40.0, 0.0), (40.0, 40.0), (38.0, 40.0), (38.0, 2.0), (0.0, 2.0))
    assert drawing(Area(BodySite.FACE, bow)).spot_at(centre(bow)[0] / 100, centre(bow)[1] / 200)
    assert centre(SQUARE) == pytest.approx((30.0, 30.0))
