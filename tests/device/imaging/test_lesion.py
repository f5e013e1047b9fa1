import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.imaging.lesion import locate_lesion, segment_lesion
from tests.device.imaging.lesions import drawn


@given(x=st.floats(-0.5, 0.5), y=st.floats(-0.5, 0.5), radius=st.floats(0.15, 0.35))
def test_distance_from_the_middle_is_measured(x: float, y: float, radius: float) -> None:
    found = locate_lesion(drawn(x=x, y=y, radius=radius))
    assert found.off_centre == pytest.approx(np.hypot(x, y), abs=0.06)


def test_fainter_lesions_have_less_contrast() -> None:
    contrasts = [locate_lesion(drawn(dark=dark)).contrast for dark in (0.3, 0.5, 0.7, 0.9)]
    assert contrasts == sorted(contrasts, reverse=True)
    assert contrasts[-1] > 2.0


def test_plain_skin_has_next_to_no_contrast() -> None:
    assert locate_lesion(drawn(dark=1.0)).contrast < 2.0


@pytest.mark.parametrize("colour", [0, 120, 255])
def test_nothing_stands_out_of_one_colour(colour: int) -> None:
    found = locate_lesion(np.full((200, 200, 3), colour, np.uint8))
    assert (found.contrast, found.off_centre) == (0.0, 0.0)


def test_dark_corners_are_no_lesion() -> None:
    field = drawn(x=0.2)
    rows, columns = np.mgrid[:240, :240] - 119.5
    field[np.hypot(rows, columns) > 120] = 0
    assert locate_lesion(field).off_centre == pytest.approx(0.2, abs=0.06)


def test_camera_makes_no_difference() -> None:
    small, large = (locate_lesion(drawn(side, x=0.3, y=-0.1)) for side in (150, 900))
    assert small.contrast == pytest.approx(large.contrast, rel=0.1)
    assert small.off_centre == pytest.approx(large.off_centre, abs=0.03)


@given(side=st.integers(1, 60), seed=st.integers(0, 50))
def test_any_field_has_a_position(side: int, seed: int) -> None:
    field = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    found = locate_lesion(field)
    assert found.contrast >= 0.0
    assert 0.0 <= found.off_centre <= 2**0.5


def test_plain_field_has_no_outline() -> None:
    assert segment_lesion(np.full((200, 200, 3), 180, np.uint8)) is None
