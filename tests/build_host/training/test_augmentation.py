import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_host.training.config import AugmentationConfig

pytestmark = pytest.mark.tensorflow

NONE = AugmentationConfig(
    rotate_and_flip=False, zoom_out=1.0, zoom_in=1.0, aspect=0.0, shift=0.0, brightness=0.0,
    contrast=0.0, saturation=0.0, colour=0.0, cutout=0.0, cutout_probability=0.0, noise=0.0,
)  # fmt: skip


def frames(count: int = 4, height: int = 30, width: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


def none_but(**changes: object) -> AugmentationConfig:
    return AugmentationConfig(**{f: getattr(NONE, f) for f in NONE.__struct_fields__} | changes)


def augmented(
    config: AugmentationConfig, images: np.ndarray, size: tuple[int, int], square: bool, seed=0
):
    from build_host.training import augmentation

    drawn = augmentation.draw_parameters(config, len(images), [seed])
    return augmentation.augment(images, drawn, *size, square, (0, 0)).numpy()


def test_no_change_is_the_image_itself() -> None:
    images = frames()
    np.testing.assert_allclose(augmented(NONE, images, (30, 40), False), images, atol=1e-3)


def test_no_change_of_the_square_is_the_models_view() -> None:
    images = frames()
    np.testing.assert_allclose(
        augmented(NONE, images, (30, 30), True), images[:, :, 5:35], atol=1e-3
    )


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_changed_pixels_are_pixels(seed: int) -> None:
    every = AugmentationConfig(blur=0.5, softness=1.0, gamma=0.5, ruler=0.7, bubbles=0.7)
    pixels = augmented(every, frames(), (16, 20), True, seed)
    assert pixels.shape == (4, 16, 20, 3)
    assert np.isfinite(pixels).all()
    assert pixels.min() >= 0.0
    assert pixels.max() <= 255.0


def test_the_same_seed_changes_alike_and_another_does_not() -> None:
    from build_host.training import augmentation

    first, again, other = (
        augmentation.draw_parameters(AugmentationConfig(), 50, [s]) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_turning_keeps_what_is_in_the_middle() -> None:
    images = np.full((40, 31, 31, 3), 60, np.uint8)
    images[:, 13:18, 13:18] = 200
    turned = augmented(
        AugmentationConfig(
            rotate_and_flip=True, zoom_out=1.0, zoom_in=1.0, aspect=0.0, shift=0.0, brightness=0.0,
            contrast=0.0, saturation=0.0, colour=0.0, cutout=0.0, cutout_probability=0.0, noise=0.0,
        ),
        images, (31, 31), True,
    )  # fmt: skip
    assert turned[:, 15, 15].min() > 190
    assert turned[:, 0, 0].max() < 70
    corners = turned[:, 13, 13, 0]
    assert corners.min() < 190 < corners.max()


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "colour", "noise"])
def test_each_property_changes_only_when_asked(name: str) -> None:
    images = frames(20)
    some = none_but(**{name: 0.3 if name != "noise" else 9})
    difference = augmented(some, images, (30, 40), False) - images
    assert np.abs(difference).mean() > 1.0


def test_cutout_hides_a_square_of_some_pictures() -> None:
    images = np.zeros((200, 20, 20, 3), np.uint8)
    images[:, ::2] = 200
    some = none_but(cutout=0.5, cutout_probability=0.5)
    hidden = (np.abs(augmented(some, images, (20, 20), False) - images) > 20).any(axis=(1, 2, 3))
    assert 0.3 < hidden.mean() < 0.6


def test_what_is_off_by_default_leaves_older_runs_as_they_were() -> None:
    from build_host.training import augmentation

    # The first of them, as it was drawn when there was neither softness nor gamma, ruler, bubbles.
    before = [
        3.9275906, -0.28267607, -0.11873633, -1.0, -0.044123475, 0.0096295234, 0.036653768,
        -0.13591519, -0.18572789, 0.050060134, -0.00037518775, -0.036911741, 0.36953631,
        0.15446109, 0.0, 3.0466335, 0.29909202,
    ]  # fmt: skip
    off = augmentation.draw_parameters(AugmentationConfig(blur=0.5), 3, [7])
    np.testing.assert_allclose(off[0, :17], before, rtol=1e-6)
    on = augmentation.draw_parameters(
        AugmentationConfig(blur=0.5, softness=0.5, gamma=0.3, ruler=0.9, bubbles=0.9), 3, [7]
    )
    np.testing.assert_array_equal(on[:, :17], off[:, :17])
    # Where no ruler lies and no bubble floats, it does not matter how they would look.
    images = frames(3)
    others = off.copy()
    amounts = (on[:, 17:] != off[:, 17:]).any(axis=0)
    assert amounts.any()
    again = augmentation.draw_parameters(AugmentationConfig(), 3, [8])
    others[:, 17:] = np.where(amounts, off[:, 17:], again[:, 17:])
    assert (others != off).any()
    one, other = (
        augmentation.augment(images, drawn, 16, 20, True, (0, 0)).numpy() for drawn in (off, others)
    )
    assert one.tobytes() == other.tobytes()


def test_softness_takes_detail_away_up_to_its_weight() -> None:
    board = np.indices((30, 40)).sum(axis=0) % 2 * 100 + 70
    images = np.broadcast_to(board[None, :, :, None], (60, 30, 40, 3)).astype(np.uint8)
    soft = augmented(none_but(softness=0.6), images, (30, 40), False)
    middle = soft[:, 5:25, 5:35]
    np.testing.assert_allclose(middle.mean(axis=(1, 2, 3)), 120.0, atol=0.1)
    # A mean of 5 x 5 leaves one part in 25 of a chessboard.
    weights = (1.0 - (middle.max(axis=(1, 2, 3)) - middle.min(axis=(1, 2, 3))) / 100.0) * 25 / 24
    assert -1e-3 < weights.min() < 0.1
    assert 0.5 < weights.max() < 0.6 + 1e-3


def test_gamma_bends_the_tones_and_keeps_black_and_white() -> None:
    grey = np.array([0, 64, 128, 192, 255], np.uint8)
    images = np.broadcast_to(grey[None, None, :, None], (60, 5, 5, 3))
    bent = augmented(none_but(gamma=0.4), images, (5, 5), False)[:, 2, :, 0]
    np.testing.assert_allclose(bent[:, 0], 0.0, atol=3.0)
    np.testing.assert_allclose(bent[:, 4], 255.0, atol=1e-2)
    assert (np.diff(bent, axis=1) > 0).all()
    exponents = np.log(np.log(bent[:, 1:4] / 255) / np.log(grey[1:4] / 255))
    # One curve for the whole picture, and curves both ways.
    np.testing.assert_allclose(exponents, exponents[:, :1].repeat(3, axis=1), atol=1e-3)
    assert -0.4 - 1e-3 < exponents.min() < -0.2
    assert 0.2 < exponents.max() < 0.4 + 1e-3


def runs(dark: np.ndarray) -> int:
    """Return how many stretches of a line are true."""
    return int(np.count_nonzero(np.diff(dark.astype(int)) == 1) + dark[0])


def test_a_ruler_lies_along_one_side_of_some_pictures_with_every_fifth_tick_long() -> None:
    side = 200
    images = np.full((60, side, side, 3), 60, np.uint8)
    ruled = augmented(none_but(ruler=0.5), images, (side, side), True)
    np.testing.assert_allclose(ruled[..., :1].repeat(3, axis=3), ruled)
    changed = np.abs(ruled[..., 0] - 60) > 1
    share = changed.any(axis=(1, 2)).mean()
    assert 0.3 < share < 0.7
    sides = []
    for picture, band in zip(ruled[..., 0], changed, strict=True):
        if not band.any():
            continue
        turns = [t for t in range(4) if np.rot90(band, t)[0].all()]
        (turn,) = turns
        sides.append(turn)
        ruler = np.rot90(picture, turn)
        depth = np.flatnonzero(np.rot90(band, turn).all(axis=1))
        # A band along the whole side, and nothing besides it.
        assert depth.tolist() == list(range(len(depth)))
        assert 0.055 * side < len(depth) < 0.225 * side
        assert band.sum() == len(depth) * side
        shades = np.unique(np.round(ruler[depth], 3))
        assert len(shades) == 2
        assert shades[0] == 25.0
        assert 120.0 <= shades[1] <= 250.0
        ticks = [runs(row == 25.0) for row in ruler[depth]]
        # From the rim none, then every fifth, and all of them beside the skin.
        assert ticks == sorted(ticks)
        assert ticks[0] == 0
        assert 8 <= ticks[-1] <= 34
        few = [n for n in ticks if 0 < n < ticks[-1]]
        assert set(few) == {-(-ticks[-1] // 5)}
    assert set(sides) == {0, 1, 2, 3}


def test_bubbles_have_rims_bright_on_one_side_and_dark_on_the_other() -> None:
    images = np.full((60, 100, 100, 3), 120, np.uint8)
    bubbly = augmented(none_but(bubbles=0.5), images, (100, 100), True)[..., 0] - 120
    some = np.abs(bubbly).max(axis=(1, 2)) > 1
    assert 0.3 < some.mean() < 0.7
    rims = bubbly[some]
    assert (rims.max(axis=(1, 2)) > 10).all()
    assert (rims.min(axis=(1, 2)) < -1).mean() > 0.8
    assert rims.max() > rims.min() * -1
    # Thin rims: what is within them stays as it is.
    assert ((np.abs(rims) > 1).mean(axis=(1, 2)) < 0.5).all()


@pytest.mark.parametrize("name", ["ruler", "bubbles"])
def test_what_lies_on_the_skin_lies_on_all_pictures_or_on_none(name: str) -> None:
    images = np.full((20, 40, 40, 3), 90, np.uint8)
    for share in (0.0, 1.0):
        pixels = augmented(none_but(**{name: share}), images, (40, 40), True)
        assert (np.abs(pixels - 90) > 1).any(axis=(1, 2, 3)).mean() == share


def test_pictures_and_targets_are_mixed_alike_and_a_picture_keeps_the_larger_part() -> None:
    from build_host.training import augmentation

    share = augmentation.draw_mixup(0.4, 200, [3])
    assert share.dtype == np.float32
    assert 0.0 <= share.min() <= share.max() <= 0.5
    np.testing.assert_array_equal(share, augmentation.draw_mixup(0.4, 200, [3]))
    assert not augmentation.draw_mixup(0.0, 200, [3]).any()
    values = np.arange(4, dtype=np.float32)
    some = np.array([0.0, 0.5, 0.25, 0.1], np.float32)
    np.testing.assert_allclose(
        augmentation.mixup(values, some), [0.0, 1.5, 0.75 * 2 + 0.25 * 1, 0.9 * 3], rtol=1e-6
    )


def test_a_mixed_batch_mixes_each_target_with_that_of_its_pictures_partner() -> None:
    from build_host.training.input_pipeline import batches
    from device.imaging.preprocessing import InputSpec

    grey = np.arange(10, 90, 10, dtype=np.uint8)
    images = np.broadcast_to(grey[:, None, None, None], (8, 12, 16, 3)).copy()
    labels = np.arange(8) % 7
    spec = InputSpec(height=8, width=8, geometry="center-square", scale=1.0, offset=0.0)
    data = batches(images, labels, np.arange(8), spec, 8, 5, NONE, mixup=0.5)
    ((pixels, targets),) = list(data.as_numpy_iterator())
    order = np.random.default_rng(5).permutation(8)
    for place, own in enumerate(order):
        partner = order[7 - place]
        share = (pixels[place, 0, 0, 0] - grey[own]) / (float(grey[partner]) - float(grey[own]))
        expected = np.zeros(7)
        expected[labels[own]] += 1 - share
        expected[labels[partner]] += share
        np.testing.assert_allclose(targets[place], expected, atol=1e-4)
