import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.imaging.preprocessing import crop_field
from device.imaging.quality import MEASURING_SIDE, Quality, QualityLimits, measure_quality

LIMITS = QualityLimits(
    focus_min=2.7,
    exposure_min=0.4,
    exposure_max=0.83,
    glare_max=0.02,
    coverage_min=0.98,
    derived_from="this test",
)


def skin(side: int = 288, level: float = 140.0, texture: float = 30.0) -> NDArray[np.uint8]:
    """Return a field with as much texture at every scale, as skin has."""
    random = np.random.default_rng(5)
    wide = np.zeros((side, side), np.float32)
    for cells in (9, 18, 36, 72, 144, 288):
        octave = random.normal(0.0, texture / 4, (cells, cells)).astype(np.float32)
        wide += cv2.resize(octave, (side, side), interpolation=cv2.INTER_CUBIC)
    grey = np.clip(level + wide, 0, 240).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def stopped(field: NDArray[np.uint8], radius: float = 0.5) -> NDArray[np.uint8]:
    """Return a field with everything outside a circle dark."""
    side = field.shape[0]
    x = np.arange(side) - (side - 1) / 2
    outside = x[:, None] ** 2 + x[None, :] ** 2 > (radius * side) ** 2
    dark = field.copy()
    dark[outside] = 0
    return dark


def test_good_field_is_sufficient() -> None:
    quality = measure_quality(skin(), LIMITS)
    assert quality.sufficient
    assert quality.measured
    assert quality.shortcomings == ()
    assert quality.coverage == 1.0
    assert quality.glare == 0.0
    assert quality.exposure == pytest.approx(165 / 255, abs=0.03)


def test_focus_falls_as_blur_grows() -> None:
    field = skin()
    blurred = [cv2.GaussianBlur(field, (0, 0), sigma) for sigma in (1.0, 2.0, 4.0, 8.0, 16.0)]
    focus = [measure_quality(f, LIMITS).focus for f in (field, *blurred)]
    assert focus == sorted(focus, reverse=True)
    assert measure_quality(blurred[-1], LIMITS).shortcomings == ("out-of-focus",)


@pytest.mark.parametrize("texture", [8.0, 15.0, 30.0])
def test_visible_softness_is_out_of_focus_however_much_there_is_to_see(texture: float) -> None:
    """Three pixels at 450, which passed in a melanoma of much contrast."""
    sharp = skin(side=450, texture=texture)
    assert measure_quality(sharp, LIMITS).sufficient
    soft = cv2.GaussianBlur(sharp, (0, 0), 3.0)
    assert measure_quality(soft, LIMITS).shortcomings == ("out-of-focus",)


@pytest.mark.parametrize("radius", [0.66, 0.5, 0.45, 0.3])
def test_edge_of_the_stop_is_not_taken_for_sharpness(radius: float) -> None:
    smooth = np.full((288, 288, 3), 140, np.uint8)
    assert measure_quality(stopped(smooth, radius), LIMITS).focus < 0.5


def test_dark_corners_of_a_round_field_change_nothing() -> None:
    whole, round_field = measure_quality(skin(), LIMITS), measure_quality(stopped(skin()), LIMITS)
    assert round_field.sufficient
    assert round_field.coverage > 0.98
    assert round_field.exposure == pytest.approx(whole.exposure, abs=0.01)


def test_dim_light_is_too_dark() -> None:
    assert measure_quality(skin(level=60, texture=15), LIMITS).shortcomings == ("too-dark",)


def test_brown_skin_in_the_same_light_is_not_too_dark() -> None:
    brown = skin(level=95, texture=15)
    assert measure_quality(brown, LIMITS).sufficient


def test_pale_skin_of_which_nothing_is_lost_is_not_too_bright() -> None:
    pale = skin(level=225, texture=12)
    quality = measure_quality(pale, LIMITS)
    assert quality.sufficient
    assert quality.exposure == pytest.approx(0.8)
    # A red that is clipped is skin.
    pale[:, :, 0] = 255
    assert measure_quality(pale, LIMITS).sufficient


def with_lesion(field: NDArray[np.uint8], radius: float, share: float = 0.25) -> NDArray[np.uint8]:
    """Return a field with a dark lesion in its middle, whose radius is in parts of the side."""
    side = len(field)
    x = np.arange(side) - (side - 1) / 2
    inside = x[:, None] ** 2 + x[None, :] ** 2 <= (radius * side) ** 2
    drawn = field.copy()
    drawn[inside] = (field[inside] * (share, 0.8 * share, 0.8 * share)).astype(np.uint8)
    return drawn


@pytest.mark.parametrize("radius", [0.15, 0.3, 0.4, 0.47])
def test_large_dark_lesion_in_good_light_is_not_too_dark(radius: float) -> None:
    drawn = with_lesion(skin(), radius)
    assert "too-dark" not in measure_quality(drawn, LIMITS).shortcomings
    dim = (drawn * 0.4).astype(np.uint8)
    assert "too-dark" in measure_quality(dim, LIMITS).shortcomings


def test_light_that_leaves_nothing_to_be_seen_is_too_bright() -> None:
    lost = np.clip(skin().astype(int) * 2, 0, 255).astype(np.uint8)
    assert measure_quality(lost, LIMITS).shortcomings == ("too-bright",)


def spotted(field: NDArray[np.uint8], x: int, y: int) -> NDArray[np.uint8]:
    """Return a field with a few small reflections about a place."""
    drawn = field.copy()
    for dx, dy in ((-16, -14), (14, -18), (0, 4), (-12, 20), (18, 16)):
        cv2.circle(drawn, (x + dx, y + dy), 8, (255, 255, 255), -1)
    return drawn


def test_reflections_on_the_lesion_are_glare() -> None:
    lesion = with_lesion(skin(texture=10), 0.25)
    quality = measure_quality(spotted(lesion, 144, 144), LIMITS)
    assert quality.shortcomings == ("glare",)
    hidden = 5 * np.pi * 8**2 / (np.pi * (0.25 * 288) ** 2)
    assert quality.glare == pytest.approx(hidden, rel=0.3)
    # Whatever they hide, the lesion is found where it is.
    assert quality.off_centre < 0.1


def test_reflections_beside_the_lesion_hide_nothing() -> None:
    quality = measure_quality(spotted(with_lesion(skin(texture=10), 0.2), 240, 150), LIMITS)
    assert quality.glare == 0.0
    assert quality.sufficient


def test_reflections_on_skin_without_a_lesion_are_glare() -> None:
    assert measure_quality(spotted(skin(texture=8), 144, 144), LIMITS).glare > 0.0


@pytest.mark.parametrize("level", [236, 246])
def test_white_skin_is_no_glare(level: int) -> None:
    lesion = with_lesion(np.full((288, 288, 3), level, np.uint8), 0.25)
    assert measure_quality(lesion, LIMITS).glare == 0.0


def test_saturated_colour_is_no_glare() -> None:
    field = skin()
    field[100:160, 100:160] = (255, 255, 0)
    assert measure_quality(field, LIMITS).glare == 0.0


def test_lens_off_the_skin_is_not_in_contact() -> None:
    field = skin()
    field[:, 144:] = 0
    quality = measure_quality(field, LIMITS)
    assert quality.coverage == pytest.approx(0.5, abs=0.01)
    assert quality.shortcomings == ("not-in-contact",)
    assert quality.exposure == pytest.approx(165 / 255, abs=0.03)


def test_black_lesion_is_in_contact() -> None:
    black = with_lesion(skin(), 0.3, share=0.05)
    assert (black < 16).mean() > 0.2
    quality = measure_quality(black, LIMITS)
    assert quality.coverage == 1.0
    assert "not-in-contact" not in quality.shortcomings


@pytest.mark.parametrize("level", [0, 16])
def test_unlit_field_is_only_not_in_contact(level: int) -> None:
    quality = measure_quality(np.full((300, 300, 3), level, np.uint8), LIMITS)
    assert quality == Quality(0.0, 0.0, 0.0, 0.0, ("not-in-contact",))
    assert not quality.measured


def test_light_comes_before_focus() -> None:
    quality = measure_quality(np.full((200, 200, 3), 30, np.uint8), LIMITS)
    assert quality.shortcomings == ("too-dark", "out-of-focus")


@pytest.mark.parametrize("sigma", [0.0, 0.01])
def test_measures_mean_the_same_for_every_camera_and_for_training_images(sigma: float) -> None:
    scene = cv2.GaussianBlur(skin(side=1200), (0, 0), 1.0 + sigma * 1200)

    def measured(side: int) -> Quality:
        taken = cv2.resize(scene, (side, side), interpolation=cv2.INTER_AREA)
        return measure_quality(crop_field(np.asarray(taken, np.uint8)).pixels, LIMITS)

    training = measured(150)
    for side in (240, 299, 300, 450, 599, 600, 768, 1080, 1199):
        camera = measured(side)
        assert camera.focus == pytest.approx(training.focus, rel=0.16)
        assert camera.exposure == pytest.approx(training.exposure, rel=0.01)


@pytest.mark.parametrize(
    ("name", "measure", "sign"),
    [
        ("focus_min", "focus", 1),
        ("exposure_min", "exposure", 1),
        ("exposure_max", "exposure", -1),
        ("glare_max", "glare", -1),
        ("coverage_min", "coverage", 1),
        ("contrast_min", "contrast", 1),
        ("off_centre_max", "off_centre", -1),
        ("motion_max", "motion", -1),
    ],
)
def test_each_limit_bounds_its_own_measure(name: str, measure: str, sign: int) -> None:
    field = stopped(skin(), 0.499)
    field[140:150, 140:150] = 255
    open_limits = {
        "focus_min": 0.0,
        "exposure_min": 0.0,
        "exposure_max": 1.0,
        "glare_max": 1.0,
        "coverage_min": 0.0,
    }
    field[60:100, 70:110] = (90, 50, 40)
    free = QualityLimits(**open_limits, derived_from="x")
    value = getattr(measure_quality(field, free, 0.1), measure)
    for limit, good in ((value - sign * 1e-6, True), (value + sign * 1e-6, False)):
        limits = QualityLimits(**(open_limits | {name: limit}), derived_from="this test")
        assert measure_quality(field, limits, 0.1).sufficient == good


@given(side=st.integers(1, 2 * MEASURING_SIDE), top=st.integers(0, 255), seed=st.integers(0, 99))
def test_any_field_gives_finite_measures(side: int, top: int, seed: int) -> None:
    field = np.random.default_rng(seed).integers(0, top + 1, (side, side, 3), np.uint8)
    quality = measure_quality(field, LIMITS)
    assert np.isfinite(quality.focus)
    assert quality.focus >= 0.0
    for share in (quality.exposure, quality.glare, quality.coverage):
        assert 0.0 <= share <= 1.0


def test_field_is_not_altered() -> None:
    field = skin(side=100)
    before = field.copy()
    measure_quality(field, LIMITS)
    np.testing.assert_array_equal(field, before)


@pytest.mark.parametrize("side", [1, 2, 5, 28, 95])
def test_few_pixels_are_never_enough(side: int) -> None:
    for field in (skin(side=side), np.full((side, side, 3), 140, np.uint8)):
        quality = measure_quality(field, LIMITS)
        assert quality.shortcomings[0] == "too-small"
    assert "too-small" not in measure_quality(skin(side=96), LIMITS).shortcomings


def test_hand_that_moves_is_told_before_the_blur_that_it_makes() -> None:
    limits = msgspec.structs.replace(LIMITS, motion_max=0.05)
    blurred = cv2.GaussianBlur(skin(), (0, 0), 16.0)
    assert measure_quality(blurred, limits, 0.2).shortcomings == ("moved", "out-of-focus")
    assert measure_quality(skin(), limits, 0.01).sufficient
    assert measure_quality(skin(), limits).motion is None


def test_limits_of_a_bundle_that_names_no_newer_ones_bound_none_of_them() -> None:
    field = skin()
    assert measure_quality(field, LIMITS, 1.0).sufficient
    field[:40, :40] = 60
    assert measure_quality(field, LIMITS).sufficient


def spot(field: NDArray[np.uint8], x: float, y: float, radius: float) -> NDArray[np.uint8]:
    """Return a field with a dark spot; all in parts of the side."""
    side = len(field)
    columns, rows = np.meshgrid(np.arange(side) / side, np.arange(side) / side)
    inside = np.hypot(columns - x, rows - y) <= radius
    drawn = field.copy()
    drawn[inside] = (field[inside] * (0.5, 0.4, 0.35)).astype(np.uint8)
    return drawn


@pytest.mark.parametrize("radius", [0.01, 0.02, 0.03])
@pytest.mark.parametrize("place", [(0.5, 0.5), (0.42, 0.58)])
def test_lesion_that_is_a_few_hundredths_wide_is_too_small(
    radius: float, place: tuple[float, float]
) -> None:
    field = spot(skin(side=600, texture=6), *place, radius)
    assert measure_quality(field, LIMITS).shortcomings == ("lesion-too-small",)


@pytest.mark.parametrize("radius", [0.06, 0.1, 0.2])
def test_small_lesion_is_no_shortcoming(radius: float) -> None:
    quality = measure_quality(spot(skin(side=600, texture=6), 0.5, 0.5, radius), LIMITS)
    assert quality.sufficient
    assert quality.extent == pytest.approx(2 * radius, abs=0.05)
    assert quality.remarks == ()


def test_second_lesion_is_remarked_and_no_shortcoming() -> None:
    one = spot(skin(texture=6), 0.35, 0.5, 0.14)
    assert measure_quality(one, LIMITS).remarks == ()
    two = spot(one, 0.72, 0.55, 0.11)
    assert measure_quality(two, LIMITS).remarks == ("several-lesions",)
    assert measure_quality(two, LIMITS).sufficient
    # Neither a globule beside it nor a hair is a lesion.
    for other in (spot(one, 0.72, 0.55, 0.03), np.rot90(one).copy()):
        other[:, 200:206] = (other[:, 200:206] * 0.4).astype(np.uint8)
        assert measure_quality(other, LIMITS).remarks == ()


def test_lesion_that_goes_on_beyond_the_field_is_remarked() -> None:
    cut = spot(skin(texture=6), 0.1, 0.5, 0.6)
    assert measure_quality(cut, LIMITS).remarks == ("larger-than-field",)
    inside = spot(skin(texture=6), 0.5, 0.5, 0.4)
    assert measure_quality(inside, LIMITS).remarks == ()
