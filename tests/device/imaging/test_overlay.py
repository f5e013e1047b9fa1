import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.imaging.overlay import blend_overlay, saliency_layer


def hill(peak: float = 1.0, side: int = 28) -> NDArray[np.float32]:
    """Return a round hill off the centre: its top is up and to the left."""
    x = np.arange(side, dtype=np.float32)
    far = np.sqrt((x[None, :] - side * 0.3) ** 2 + (x[:, None] - side * 0.3) ** 2)
    return (peak * np.clip(1.0 - far / (side * 0.3), 0, 1)).astype(np.float32)


def saliency_bgra(
    saliency: NDArray[np.float32], size: tuple[int, int], opacity: float
) -> NDArray[np.uint8]:
    """Return the whole of what lies over a picture of a size."""
    whole = np.zeros((size[1], size[0], 4), np.uint8)
    layer = saliency_layer(saliency, size, opacity)
    if layer is not None:
        height, width = layer.pixels.shape[:2]
        whole[layer.top : layer.top + height, layer.left : layer.left + width] = layer.pixels
    return whole


GREY = np.full((200, 200, 3), 120, np.uint8)
NOTHING = np.zeros((28, 28), np.float32)


def test_empty_map_leaves_the_picture_alone() -> None:
    np.testing.assert_array_equal(blend_overlay(GREY, NOTHING), GREY)


def test_map_colours_where_it_is_high_and_nowhere_else() -> None:
    mixed = blend_overlay(GREY, hill())
    assert (mixed[60, 60] != GREY[60, 60]).any()
    np.testing.assert_array_equal(mixed[140:, 140:], GREY[140:, 140:])


def test_picture_under_the_overlay_is_not_altered() -> None:
    before = GREY.copy()
    blend_overlay(GREY, hill())
    np.testing.assert_array_equal(GREY, before)


def test_map_may_be_of_another_shape_than_the_picture() -> None:
    wide = np.full((90, 200, 3), 120, np.uint8)
    mixed = blend_overlay(wide, hill())
    assert mixed.shape == wide.shape
    changed = (mixed != wide).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.mean() == pytest.approx(0.3 * 90, abs=4)
    assert columns.mean() == pytest.approx(0.3 * 200, abs=8)


def test_highest_values_are_the_bright_end_of_inferno_in_the_screens_order() -> None:
    heat = saliency_bgra(np.ones((4, 4), np.float32), (40, 40), 0.6)
    blue, green, red, alpha = (int(v) for v in heat[20, 20])
    assert red > 0.6 * 240
    assert green > 0.6 * 240
    assert 0.6 * 140 < blue < 0.6 * 180
    assert alpha == int(0.6 * 255)


def test_lowest_values_are_transparent() -> None:
    heat = saliency_bgra(hill(), (100, 100), 0.6)
    assert heat.shape == (100, 100, 4)
    assert heat.dtype == np.uint8
    assert heat[90, 90, 3] == 0


def middle(level: float, opacity: float) -> tuple[float, int]:
    """Return luminance and opacity in the middle of an even map, away from any contour."""
    heat = saliency_bgra(np.full((4, 4), level, np.float32), (40, 40), opacity)
    blue, green, red, alpha = (int(v) for v in heat[20, 20])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue, alpha


def test_higher_values_are_more_opaque_and_brighter() -> None:
    seen = [middle(level, 0.8) for level in np.linspace(0, 1, 20)]
    assert seen == sorted(seen)
    assert seen[0] < seen[10] < seen[-1]
    assert [alpha for _, alpha in seen] == sorted({alpha for _, alpha in seen})


@given(opacity=st.floats(0.0, 1.0), level=st.floats(0.0, 1.0))
def test_opacity_is_that_of_the_highest_values(opacity: float, level: float) -> None:
    assert middle(1.0, opacity)[1] == pytest.approx(255 * opacity, abs=1)
    assert middle(level, opacity)[1] <= 255 * opacity + 1


def test_without_opacity_only_the_contour_is_seen() -> None:
    mixed = blend_overlay(GREY, hill(), opacity=0.0)
    changed = (mixed != GREY).any(axis=2)
    assert 0.005 < changed.mean() < 0.1


def contour(saliency: NDArray[np.float32], side: int = 400) -> NDArray[np.bool_]:
    """Return where the contour is drawn, alone."""
    grey = np.full((side, side, 3), 120, np.uint8)
    return np.asarray((blend_overlay(grey, saliency, opacity=0.0) != grey).any(axis=2))


def test_contour_lies_at_half_of_the_scale() -> None:
    smooth = hill(side=400)
    drawn = contour(smooth)
    assert drawn.sum() > 200
    np.testing.assert_allclose(smooth[drawn], 0.5, atol=0.05)


def test_map_of_little_evidence_has_no_contour_and_less_colour() -> None:
    assert not contour(hill(0.4)).any()
    much, little = (blend_overlay(GREY, hill(peak)).astype(int) for peak in (1.0, 0.4))
    assert np.abs(much - GREY).max() > 2 * np.abs(little - GREY).max()


def test_contour_has_the_place_and_shape_of_its_area() -> None:
    block = np.zeros((50, 100), np.float32)
    block[5:15, 60:90] = 1.0
    rows, columns = np.nonzero(contour(block))
    assert (columns.min(), columns.max()) == (pytest.approx(240, abs=5), pytest.approx(360, abs=5))
    assert (rows.min(), rows.max()) == (pytest.approx(40, abs=5), pytest.approx(120, abs=5))


def test_separate_areas_have_separate_contours() -> None:
    two = np.zeros((50, 50), np.float32)
    two[5:15, 5:15] = 1.0
    two[30:40, 30:40] = 0.9
    two[30:40, 5:15] = 0.4
    parts, _ = cv2.connectedComponents(contour(two).astype(np.uint8))
    assert parts - 1 == 2


def test_contour_is_white_between_dark_edges() -> None:
    row = blend_overlay(np.full((500, 500, 3), 120, np.uint8), hill(), opacity=0.0)[150]
    drawn = row[(row != 120).any(axis=1)].astype(int)
    assert (drawn >= 250).all(axis=1).any()
    assert (drawn <= 5).all(axis=1).any()


def test_squares_that_a_map_is_coloured_in_are_not_seen() -> None:
    steep = np.zeros((28, 28), np.float32)
    steep[10:18, 10:18] = 1.0
    for saliency, most in ((hill(side=6), 0.04), (hill(), 0.04), (steep, 0.06)):
        opacity = saliency_bgra(saliency, (566, 566), 1.0)[:, :, 3]
        level = cv2.resize(saliency, (566, 566), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        # Below, the map fades out.
        seen = level > 0.15
        assert np.abs((opacity[seen] / 255) ** 2 - level[seen]).max() < most


def test_contour_of_a_coarse_map_has_no_stairs() -> None:
    x = np.linspace(-1, 1, 60, dtype=np.float32)
    dome = np.exp(-2 * (x[None, :] ** 2 + x[:, None] ** 2))
    layer = saliency_layer(dome, (566, 566), 0.6)
    assert layer is not None
    (line,) = layer.contours
    # A circle: at every point as far from the middle.
    far = np.hypot(*(line - 282.5).T)
    assert np.ptp(far) < 4
    assert far.mean() == pytest.approx(283 * np.sqrt(np.log(2) / 2), abs=5)


@given(seed=st.integers(0, 1000), height=st.integers(1, 60), width=st.integers(1, 60))
def test_any_map_goes_over_any_picture(seed: int, height: int, width: int) -> None:
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (height, width, 3), np.uint8)
    mixed = blend_overlay(picture, random.random((28, 28), np.float32))
    assert mixed.shape == picture.shape
    assert mixed.dtype == np.uint8


@pytest.mark.parametrize("size", [(40, 40), (41, 57), (1, 1), (566, 566)])
def test_layer_is_no_larger_than_what_is_to_be_seen(size: tuple[int, int]) -> None:
    assert saliency_layer(NOTHING, size, 0.6) is None
    layer = saliency_layer(np.ones((5, 5), np.float32), size, 0.6)
    assert layer is not None
    assert (layer.left, layer.top, layer.pixels.shape[1::-1]) == (0, 0, size)
    small = saliency_layer(hill(), (200, 200), 0.6)
    assert small is not None
    assert max(small.pixels.shape) < 0.8 * 200
