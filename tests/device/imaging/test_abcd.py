import cv2
import numpy as np
import pytest

from device.imaging.abcd import measure_abcd
from device.imaging.lesion import WORKING_SIDE, segment_lesion
from tests.device.imaging.lesions import SKIN, drawn


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
