import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.diagnoses import CODES, Code
from device.inference.calibration import probabilities
from device.inference.saliency import (
    FULL_EVIDENCE,
    MIN_EVIDENCE,
    activation_map,
    log_odds_contribution,
    occlusion_map,
    rise_map,
)
from device.models.network_spec import Calibration

EVEN = np.full(7, 1 / 7)
SPOT = (slice(4, 8), slice(18, 22))


def picture() -> NDArray[np.uint8]:
    """Return even skin with one dark spot, off the centre."""
    pixels = np.full((28, 28, 3), 200, np.uint8)
    pixels[SPOT] = 20
    return pixels


def likes_dark_spot(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A network that says melanoma in so far as the spot is dark, and naevus otherwise."""
    logits = np.zeros(7, np.float32)
    logits[CODES.index(Code.MEL)] = (255 - pixels[SPOT].mean()) / 25
    return logits


def test_map_is_high_where_covering_costs_the_diagnosis() -> None:
    found = occlusion_map(picture(), Code.MEL, likes_dark_spot, 4, 2)
    assert (found.code, found.method) == (Code.MEL, "occlusion")
    assert found.values.shape == (28, 28)
    assert found.values.dtype == np.float32
    assert found.values.max() == 1.0
    assert found.values.min() >= 0.0
    inside = np.zeros((28, 28), bool)
    inside[SPOT] = True
    assert inside[np.unravel_index(np.argmax(found.values), (28, 28))]
    assert found.values[inside].mean() > 5 * found.values[~inside].mean()


def test_random_masks_find_the_spot_and_no_place_far_from_it() -> None:
    found = rise_map(picture(), Code.MEL, likes_dark_spot, 400, 7)
    assert (found.code, found.method) == (Code.MEL, "rise")
    assert found.values.shape == (28, 28)
    assert found.values.dtype == np.float32
    assert found.values.max() == 1.0
    row, column = np.unravel_index(np.argmax(found.values), (28, 28))
    assert abs(row - 5.5) <= 2
    assert abs(column - 19.5) <= 2
    assert found.values[SPOT].mean() > 0.8
    assert found.values[16:].mean() < 0.1
    assert not rise_map(picture(), Code.NV, likes_dark_spot, 400, 7).values[SPOT].any()


def test_random_masks_give_a_picture_the_same_map_every_time() -> None:
    passes = []

    def counted(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        passes.append(pixels.dtype)
        return likes_dark_spot(pixels)

    first, second = (rise_map(picture(), Code.MEL, counted, 30, 5).values for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert passes == [np.dtype(np.uint8)] * 60


def test_random_masks_say_nothing_of_an_indifferent_network_or_an_even_picture() -> None:
    assert not rise_map(picture(), Code.BCC, lambda _: np.zeros(7, np.float32), 40, 4).values.any()
    even = np.full((20, 26, 3), 90, np.uint8)
    found = rise_map(even, Code.MEL, lambda p: likes_dark_spot(p[:, :24]), 40, 4)
    assert found.values.shape == (20, 26)
    assert not found.values.any()


@pytest.mark.parametrize("masks", [100, 400])
def test_what_masks_give_by_chance_is_not_shown(masks: int) -> None:
    random = np.random.default_rng(3)
    shown = sum(
        rise_map(
            picture(), Code.MEL, lambda _: random.normal(0, 3, 7).astype(np.float32), masks, 8
        ).values.any()
        for _ in range(20)
    )
    assert shown <= 5


def test_far_from_the_spot_nothing_speaks_for_it() -> None:
    values = occlusion_map(picture(), Code.MEL, likes_dark_spot, 4, 2).values
    assert not values[16:].any()
    assert not values[:, :12].any()


def test_what_speaks_against_a_diagnosis_does_not_show() -> None:
    assert not occlusion_map(picture(), Code.NV, likes_dark_spot, 4, 2).values.any()


def test_indifferent_network_gives_an_empty_map() -> None:
    found = occlusion_map(picture(), Code.BCC, lambda _: np.zeros(7, np.float32), 8, 2)
    assert not found.values.any()
    assert np.isfinite(found.values).all()


@pytest.mark.parametrize(("share", "speaks"), [(0.5, False), (2.0, True)])
def test_steps_of_the_network_are_no_evidence(share: float, speaks: bool) -> None:
    maps = np.zeros((4, 4, 7), np.float32)
    # What a place adds to a logit is its part of the mean over the 16.
    maps[1, 2, CODES.index(Code.MEL)] = 16 * share * MIN_EVIDENCE
    assert activation_map(maps, Code.MEL, EVEN, 1.0).values.any() == speaks

    def hardly_cares(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return likes_dark_spot(pixels) / likes_dark_spot(picture()).max() * np.float32(0.1 * share)

    # A covering patch takes the whole of the spot, whose log-odds that share of a tenth is.
    assert occlusion_map(picture(), Code.MEL, hardly_cares, 8, 2).values.any() == speaks


def test_patch_is_filled_with_the_colour_of_the_rim() -> None:
    pixels = picture()
    pixels[:] = (180, 140, 120)
    pixels[SPOT] = (60, 30, 20)
    seen = []

    def remember(hidden: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(hidden.copy())
        return np.zeros(7, np.float32)

    occlusion_map(pixels, Code.MEL, remember, 8, 4)
    np.testing.assert_array_equal(seen[0], pixels)
    changed = [(s, (s != pixels).any(axis=2)) for s in seen[1:]]
    assert any(where.any() for _, where in changed)
    for hidden, where in changed:
        assert (hidden[where] == (180, 140, 120)).all()


def test_image_is_not_altered() -> None:
    pixels = picture()
    occlusion_map(pixels, Code.MEL, likes_dark_spot, 8, 4)
    np.testing.assert_array_equal(pixels, picture())


@given(
    patch=st.integers(1, 12),
    stride=st.integers(1, 12),
    height=st.integers(4, 16),
    width=st.integers(4, 16),
)
def test_every_pixel_is_covered_once_the_stride_is_no_wider_than_the_patch(
    patch: int, stride: int, height: int, width: int
) -> None:
    stride = min(stride, patch)
    pixels = np.full((height, width, 3), 200, np.uint8)
    pixels[1:-1, 1:-1] = 10
    covered = np.zeros((height, width), bool)

    def note(hidden: NDArray[np.uint8]) -> NDArray[np.float32]:
        covered[(hidden != pixels).any(axis=2)] = True
        return np.zeros(7, np.float32)

    values = occlusion_map(pixels, Code.MEL, note, patch, stride).values
    assert values.shape == (height, width)
    assert covered[1:-1, 1:-1].all()


@pytest.mark.parametrize("code", CODES)
def test_activation_map_is_the_channel_where_it_speaks_for_the_diagnosis_rather_than_others(
    code: Code,
) -> None:
    maps = np.random.default_rng(3).normal(0, 4, (6, 5, 7)).astype(np.float32)
    found = activation_map(maps, code, EVEN, 1.0)
    own = CODES.index(code)
    others = np.delete(maps, own, axis=2).mean(axis=2)
    # Of the mean over 30 places; a tenth is evidence in full.
    added = (maps[:, :, own] - others) / 30
    weight = np.clip(added / 0.1, 0, 1)
    channel = weight * np.maximum(maps[:, :, own], 0)
    assert (found.code, found.method) == (code, "class-activation-map")
    assert found.values.dtype == np.float32
    expected = channel / channel.max() * min(1.0, added[added > 0].sum() / FULL_EVIDENCE)
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


def test_activation_map_that_only_speaks_against_is_empty() -> None:
    maps = np.zeros((4, 4, 7), np.float32)
    maps[:, :, CODES.index(Code.MEL)] = -20.0
    assert not activation_map(maps, Code.MEL, EVEN, 1.0).values.any()


def test_a_network_that_says_everything_by_negative_values_is_understood() -> None:
    maps = np.full((4, 4, 7), -50.0, np.float32)
    maps[1, 2, CODES.index(Code.MEL)] = -10.0
    values = activation_map(maps, Code.MEL, EVEN, 1.0).values
    # 40 more than the others, in one of 16 places.
    assert values[1, 2] == pytest.approx(40 / 16 / FULL_EVIDENCE)
    assert np.count_nonzero(values) == 1


def test_all_maps_have_one_scale_and_less_evidence_has_less_colour() -> None:
    def highest(log_odds: float, code: Code) -> float:
        maps = np.zeros((4, 4, 7), np.float32)
        maps[1, 1:3, CODES.index(code)] = 16 * log_odds / 2
        return float(activation_map(maps, code, EVEN, 1.0).values.max())

    for code in CODES:
        seen = [highest(share * FULL_EVIDENCE, code) for share in (0.25, 0.5, 1.0, 2.0)]
        assert seen == pytest.approx([0.25, 0.5, 1.0, 1.0])


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_scale_is_that_of_what_places_add_whatever_the_method(share: float) -> None:
    strongest = likes_dark_spot(picture()).max()

    def logits(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return likes_dark_spot(pixels) * np.float32(share * FULL_EVIDENCE / strongest)

    for found in (
        occlusion_map(picture(), Code.MEL, logits, 8, 2),
        rise_map(picture(), Code.MEL, logits, 800, 7),
    ):
        assert found.values.max() == pytest.approx(share, abs=0.25 * share + 0.05)


def test_what_speaks_for_every_diagnosis_alike_speaks_for_none() -> None:
    maps = np.random.default_rng(4).normal(0, 40, (4, 4, 1)).astype(np.float32)
    assert not activation_map(np.repeat(maps, 7, axis=2), Code.MEL, EVEN, 1.0).values.any()


def test_beside_a_sure_diagnosis_a_place_speaks_for_another_only_against_that_one() -> None:
    maps = np.zeros((2, 2, 7), np.float32)
    maps[0, 0, CODES.index(Code.MEL)] = maps[0, 0, CODES.index(Code.NV)] = 40.0
    maps[1, 1, CODES.index(Code.MEL)] = 40.0
    sure = np.full(7, 1e-9)
    sure[CODES.index(Code.NV)] = 1.0
    values = activation_map(maps, Code.MEL, sure, 1.0).values
    np.testing.assert_allclose(values, [[0.0, 0.0], [0.0, 1.0]], atol=1e-6)
    # What adds a part of the least evidence counts by that part, not in full.
    sure[CODES.index(Code.BKL)] = 0.005
    values = activation_map(maps, Code.MEL, sure, 1.0).values
    assert values[1, 1] == 1.0
    assert values[0, 0] == pytest.approx(0.5, abs=0.01)


def test_the_place_that_adds_most_is_never_hidden() -> None:
    maps = np.zeros((2, 2, 7), np.float32)
    maps[0, 0] = -60.0
    maps[0, 0, CODES.index(Code.MEL)] = -1.0
    maps[1, 1, CODES.index(Code.MEL)] = 0.1
    assert activation_map(maps, Code.MEL, EVEN, 1.0).values[0, 0] == 1.0


def test_what_places_add_is_the_log_odds_slope_along_the_map() -> None:
    random = np.random.default_rng(5)
    maps, step = random.normal(0, 3, (2, 4, 5, 7)).astype(np.float32)
    calibration = Calibration(temperature=1.7, bias=tuple(random.normal(0, 1, 7)), fitted_on="")

    def log_odds(values: NDArray[np.float32]) -> float:
        p = probabilities(values.mean(axis=(0, 1)), calibration)
        return float(np.log(p[2] / (1 - p[2])))

    p = probabilities(maps.mean(axis=(0, 1)), calibration)
    small = np.float32(1e-3)
    # Along a step of one channel alone the map itself is the slope.
    for channel in range(7):
        one = np.zeros_like(maps)
        one[:, :, channel] = step[:, :, channel] * small
        slope = log_odds(maps + one) - log_odds(maps)
        told = (
            log_odds_contribution(maps + one, 2, p, 1.7).sum()
            - log_odds_contribution(maps, 2, p, 1.7).sum()
        )
        assert told == pytest.approx(slope, abs=2e-5)
