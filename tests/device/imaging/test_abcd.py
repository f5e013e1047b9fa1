from dataclasses import replace

import cv2
import numpy as np
import pytest

from device.imaging.abcd import ABCD_COLOURS, AbcdMeasures, measure_abcd
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


def halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> AbcdMeasures:
    """Measure a round lesion whose halves are of two colours."""
    field = np.full((WORKING_SIDE, WORKING_SIDE, 3), SKIN, np.uint8)
    mask = np.zeros((WORKING_SIDE, WORKING_SIDE), np.uint8)
    cv2.circle(mask, (75, 75), 45, 1, -1)
    lesion = mask.astype(bool)
    field[lesion] = left
    field[:, 75:][lesion[:, 75:]] = right
    return measure_abcd(field, lesion)


def test_asymmetry_is_of_shape_colour_and_structure() -> None:
    brown = (105, 62, 44)
    assert (halves(brown, brown).asymmetry, halves(brown, brown).asymmetric_in) == (0, ())
    two = halves(brown, (40, 26, 22))
    assert two.asymmetry == 1
    assert "colour" in two.asymmetric_in
    assert "shape" not in two.asymmetric_in


def test_structure_on_one_side_alone_is_asymmetric() -> None:
    field = np.full((WORKING_SIDE, WORKING_SIDE, 3), SKIN, np.uint8)
    mask = np.zeros((WORKING_SIDE, WORKING_SIDE), np.uint8)
    cv2.circle(mask, (75, 75), 45, 1, -1)
    field[mask > 0] = (105, 62, 44)
    for x in range(80, 116, 6):
        for y in range(40, 112, 6):
            cv2.circle(field, (x, y), 1, (88, 50, 36), -1)
    measures = measure_abcd(field, mask.astype(bool))
    assert measures.asymmetric_in == ("structure",)
    assert measures.asymmetry == 1


def test_border_counts_the_eighths_that_end_abruptly() -> None:
    sharp = np.full((WORKING_SIDE, WORKING_SIDE, 3), SKIN, np.uint8)
    mask = np.zeros((WORKING_SIDE, WORKING_SIDE), np.uint8)
    cv2.circle(mask, (75, 75), 45, 1, -1)
    sharp[mask > 0] = (105, 62, 44)
    lesion = mask.astype(bool)
    assert measure_abcd(sharp, lesion).border == 8
    soft = cv2.GaussianBlur(sharp, (0, 0), 12)
    assert measure_abcd(np.asarray(soft, np.uint8), lesion).border == 0
    half = np.where(np.arange(WORKING_SIDE)[None, :, None] < 75, sharp, soft).astype(np.uint8)
    assert measure_abcd(half, lesion).border == pytest.approx(4, abs=1)


def test_total_is_the_rules_own() -> None:
    """Stolz et al. 1994: A times 1.3, B times 0.1, C times 0.5, D times 0.5."""
    measures = replace(halves((105, 62, 44), (40, 26, 22)), border=8)
    expected = 1.3 + 0.8 + 0.5 * len(measures.colours) + 0.5 * 3
    assert measures.total_score(3) == pytest.approx(expected)
    most = replace(measures, asymmetry=2, colours=tuple(ABCD_COLOURS), border=8)
    assert most.total_score(5) == pytest.approx(8.9)
    assert replace(measures, border=None).total_score(3) is None
