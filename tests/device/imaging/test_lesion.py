import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.imaging.lesion import WORKING_SIDE, locate_lesion, measure_abcd, segment_lesion

SKIN = (224, 176, 156)


def drawn(
    side: int = 240, x: float = 0.0, y: float = 0.0, radius: float = 0.4, dark: float = 0.5
) -> np.ndarray:
    """Return a round lesion on skin; `x`, `y` and `radius` in half sides."""
    field = np.empty((side, side, 3), np.uint8)
    field[:] = SKIN
    centre = tuple(round((1 + value) * side / 2) for value in (x, y))
    colour = tuple(round(c * dark) for c in SKIN)
    cv2.circle(field, centre, round(radius * side / 2), colour, -1, cv2.LINE_AA)
    noise = np.random.default_rng(0).normal(0, 3, field.shape)
    return np.clip(field + noise, 0, 255).astype(np.uint8)


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


def test_round_lesion_of_one_colour_is_measured() -> None:
    field = drawn(radius=0.4)
    lesion = segment_lesion(field)
    assert lesion is not None
    measures = measure_abcd(field, lesion)
    assert measures.asymmetry == 0
    assert measures.border_irregularity == pytest.approx(1.1, abs=0.15)
    assert measures.diameter == pytest.approx(0.4, abs=0.03)
    assert measures.area == pytest.approx(np.pi * 0.2**2, rel=0.15)
    assert "dark brown" in measures.colours
    assert "white" not in measures.colours
    assert measures.diameter_mm is None


@pytest.mark.parametrize("side", [240, 480])
def test_diameter_is_in_millimetres_where_the_optics_are_calibrated(side: int) -> None:
    field = drawn(side, radius=0.4)
    lesion = segment_lesion(field)
    assert lesion is not None
    measures = measure_abcd(field, lesion, mm_per_pixel=20.0 / side)
    assert measures.diameter_mm == pytest.approx(8.0, abs=0.6)


def test_half_a_disc_is_asymmetric_about_one_axis_and_more_irregular() -> None:
    lesion = np.zeros((WORKING_SIDE, WORKING_SIDE), np.uint8)
    cv2.ellipse(lesion, (75, 75), (45, 45), 0, 0, 180, 1, -1)
    field = drawn()
    half = measure_abcd(field, lesion.astype(bool))
    assert half.asymmetry == 1
    cv2.circle(lesion, (75, 75), 45, 1, -1)
    assert half.border_irregularity > measure_abcd(field, lesion.astype(bool)).border_irregularity


def test_each_of_two_colours_is_named() -> None:
    field = np.full((WORKING_SIDE, WORKING_SIDE, 3), SKIN, np.uint8)
    lesion = np.zeros((WORKING_SIDE, WORKING_SIDE), bool)
    lesion[50:100, 50:100] = True
    field[50:100, 50:100] = (105, 62, 44)
    assert measure_abcd(field, lesion).colours == ("dark brown",)
    field[50:60, 50:100] = (25, 18, 16)
    assert measure_abcd(field, lesion).colours == ("dark brown", "black")
    # Less than a twentieth.
    field[50:100, 50:100] = (105, 62, 44)
    field[50:52, 50:100] = (25, 18, 16)
    assert measure_abcd(field, lesion).colours == ("dark brown",)


def test_plain_field_has_no_outline() -> None:
    assert segment_lesion(np.full((200, 200, 3), 180, np.uint8)) is None
