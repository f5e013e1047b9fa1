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
    pixels = augmented(AugmentationConfig(blur=0.5), frames(), (16, 20), True, seed)
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
    some = AugmentationConfig(
        **{f: getattr(NONE, f) for f in NONE.__struct_fields__}
        | {name: 0.3 if name != "noise" else 9}
    )
    difference = augmented(some, images, (30, 40), False) - images
    assert np.abs(difference).mean() > 1.0


def test_cutout_hides_a_square_of_some_pictures() -> None:
    images = np.zeros((200, 20, 20, 3), np.uint8)
    images[:, ::2] = 200
    some = AugmentationConfig(
        **{f: getattr(NONE, f) for f in NONE.__struct_fields__}
        | {"cutout": 0.5, "cutout_probability": 0.5}
    )
    hidden = (np.abs(augmented(some, images, (20, 20), False) - images) > 20).any(axis=(1, 2, 3))
    assert 0.3 < hidden.mean() < 0.6


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
