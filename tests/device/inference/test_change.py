import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.imaging.abcd import measure_abcd
from device.imaging.lesion import runs_out, segment_lesion
from device.imaging.lesion_colour import colour_beside_skin
from device.inference.change import NOISE, Change, Measure, Sight, changes, sight
from tests.device.screen.findings import make_finding

ONE = Sight(0.1, 0.36, 0.05, (-20.0, 8.0, 4.0), 0.2)
shares = st.floats(0.001, 0.999)


def by_measure(earlier: Sight, later: Sight, scale: float | None = 1.0) -> dict[Measure, Change]:
    return {change.measure: change for change in changes(earlier, later, scale)}


def spot(
    radius: int, colour: tuple[int, int, int] = (110, 70, 55), light: float = 1.0
) -> np.ndarray:
    picture = np.full((300, 300, 3), (205, 155, 135), np.uint8)
    cv2.circle(picture, (150, 150), radius, colour, -1)
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.5) * light
    return np.clip(blurred, 0, 255).astype(np.uint8)


def seen(picture: np.ndarray, mm_per_pixel: float | None = None) -> Sight:
    lesion = segment_lesion(picture)
    assert lesion is not None
    found = sight(picture, measure_abcd(picture, lesion, mm_per_pixel), make_finding("nv"))
    assert found is not None
    return found


def test_nothing_has_changed_between_a_picture_and_itself() -> None:
    found = by_measure(ONE, ONE)
    assert set(found) == set(Measure)
    assert not any(change.changed for change in found.values())
    assert all(change.difference == 0 for change in found.values())


@pytest.mark.parametrize("measure", [Measure.AREA, Measure.DIAMETER])
@pytest.mark.parametrize("sign", [-1, 1])
def test_size_has_changed_beyond_the_noise_and_not_within(measure: Measure, sign: int) -> None:
    for share, changed in ((0.98, False), (1.02, True)):
        factor = math.exp(sign * share * NOISE[measure])
        later = replace(ONE, **{measure.value: getattr(ONE, measure.value) * factor})
        found = by_measure(ONE, later)[measure]
        assert found.changed == changed
        assert found.difference == pytest.approx(factor - 1)
        assert found.uncertainty > 0


@given(factor=st.floats(0.3, 3.0).filter(lambda f: abs(f - 1) > 0.01), before=shares, after=shares)
def test_what_is_told_as_unsure_is_what_decides(factor: float, before: float, after: float) -> None:
    """Down as well as up: a third more is as much as a quarter less."""
    one = replace(ONE, malignancy=before)
    later = replace(ONE, area=ONE.area * factor, malignancy=after)
    found = by_measure(one, later)
    for measure in (Measure.AREA, Measure.MALIGNANCY):
        told = found[measure]
        beyond = abs(told.difference) - told.uncertainty
        if abs(beyond) > 1e-9:
            assert told.changed == (beyond > 0), measure


def test_asymmetry_colour_and_malignancy_have_changed_beyond_the_noise_alone() -> None:
    for share, changed in ((0.98, False), (1.02, True)):
        added = share * NOISE[Measure.ASYMMETRY]
        assert (
            by_measure(ONE, replace(ONE, asymmetry=0.05 + added))[Measure.ASYMMETRY].changed
            == changed
        )
        moved = (-20.0 + share * NOISE[Measure.COLOUR], 8.0, 4.0)
        assert by_measure(ONE, replace(ONE, colour=moved))[Measure.COLOUR].changed == changed
        logit = math.log(0.2 / 0.8) + share * NOISE[Measure.MALIGNANCY]
        later = replace(ONE, malignancy=1 / (1 + math.exp(-logit)))
        assert by_measure(ONE, later)[Measure.MALIGNANCY].changed == changed


@given(before=shares, after=shares)
def test_uncertainty_of_a_probability_is_never_more_than_it_can_be(
    before: float, after: float
) -> None:
    found = by_measure(replace(ONE, malignancy=before), replace(ONE, malignancy=after))
    change = found[Measure.MALIGNANCY]
    assert change.difference == pytest.approx(after - before)
    assert 0 < change.uncertainty < 1
    back = by_measure(replace(ONE, malignancy=after), replace(ONE, malignancy=before))
    assert back[Measure.MALIGNANCY].changed == change.changed


def test_probability_that_cannot_be_compared_is_left_out() -> None:
    assert Measure.MALIGNANCY not in by_measure(ONE, replace(ONE, malignancy=None))
    unfamiliar = make_finding("mel", 0.4, abstention="unfamiliar")
    picture = spot(60)
    measures = measure_abcd(picture, segment_lesion(picture))
    assert sight(picture, measures, unfamiliar).malignancy is None


def test_nearness_of_the_lens_is_no_growth() -> None:
    nearer = replace(ONE, area=ONE.area * 1.5**2, diameter=ONE.diameter * 1.5)
    assert by_measure(ONE, nearer)[Measure.AREA].changed
    found = by_measure(ONE, nearer, scale=1 / 1.5)
    assert found[Measure.AREA].difference == pytest.approx(0, abs=1e-9)
    assert found[Measure.DIAMETER].difference == pytest.approx(0, abs=1e-9)


def test_size_is_not_compared_where_no_scale_is_known() -> None:
    assert {Measure.AREA, Measure.DIAMETER}.isdisjoint(by_measure(ONE, ONE, scale=None))


def test_calibrated_optics_are_believed_before_what_the_pictures_look_like() -> None:
    small, large = (seen(spot(radius), mm_per_pixel=0.03) for radius in (45, 75))
    # An even growth looks like a lens that is held nearer.
    found = by_measure(small, large, scale=45 / 75)
    assert found[Measure.AREA].changed
    assert found[Measure.DIAMETER].changed
    assert found[Measure.DIAMETER].before == pytest.approx(2 * 45 * 0.03, rel=0.06)
    assert found[Measure.DIAMETER].after == pytest.approx(2 * 75 * 0.03, rel=0.06)


def test_darker_lesion_has_changed_its_colour_and_darker_light_has_not() -> None:
    before = seen(spot(60))
    assert by_measure(before, seen(spot(60, (60, 40, 45))))[Measure.COLOUR].changed
    assert not by_measure(before, seen(spot(60, light=0.93)))[Measure.COLOUR].changed


def test_colour_is_that_of_the_lesion_less_that_of_its_skin() -> None:
    picture = spot(60)
    lightness, *_ = colour_beside_skin(picture, segment_lesion(picture))
    assert -50 < lightness < -20
    alone = np.full((300, 300, 3), 140, np.uint8)
    everywhere = np.ones((150, 150), bool)
    assert colour_beside_skin(alone, everywhere) == pytest.approx((0, 0, 0), abs=60)


def test_lesion_that_runs_out_of_the_picture_is_not_measured() -> None:
    picture = spot(60)
    lesion = segment_lesion(picture)
    assert not runs_out(lesion)
    beyond = lesion.copy()
    beyond[:, :75] |= lesion[75, 75]
    assert runs_out(beyond)
    moved = np.roll(picture, -120, axis=1)
    cut = segment_lesion(moved)
    if cut is not None and runs_out(cut):
        assert sight(moved, measure_abcd(moved, cut), None) is None
    assert sight(picture, None, None) is None
