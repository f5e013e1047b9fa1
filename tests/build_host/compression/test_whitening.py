import numpy as np
import pytest

from device.imaging.preprocessing import InputSpec

pytestmark = pytest.mark.tensorflow

SPEC = InputSpec(height=64, width=64, geometry="center-square", scale=1 / 127.5, offset=-1.0)


def test_training_images_are_white_and_the_other_outputs_stay() -> None:
    from build_host.compression.whitening import with_whitened_features
    from build_host.keras import keras
    from build_host.training.architectures import with_class_activation_map
    from build_host.training.mobilenet import slim_mobilenet_v2
    from device.imaging.preprocessing import scale_pixels

    keras.utils.set_random_seed(1)
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (400, 1, 1, 3)) + random.integers(-40, 40, (400, 64, 64, 3))
    images = np.clip(images, 0, 255).astype(np.uint8)
    rows = np.arange(0, 400, 2)
    model = with_class_activation_map(slim_mobilenet_v2((64, 64, 3)))
    made = with_whitened_features(model, images, rows, SPEC)
    logits, class_map, whitened = made(scale_pixels(images[rows], SPEC))
    values = whitened.numpy()
    np.testing.assert_allclose(values.mean(axis=0), 0.0, atol=1e-2)
    # Below the floor of a hundredth the variance is less than 1; uncorrelated it is everywhere.
    covariance = np.cov(values, rowvar=False)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.05
    assert np.diag(covariance).max() == pytest.approx(1.0, abs=0.05)
    again = model(scale_pixels(images[rows], SPEC))
    np.testing.assert_allclose(logits, again[0], atol=1e-5)
    np.testing.assert_allclose(class_map, again[1], atol=1e-5)


def test_a_network_without_such_features_stays_as_it_is() -> None:
    from build_host.compression.whitening import with_whitened_features
    from build_host.training.architectures import paper_network

    model = paper_network((28, 28, 3))
    assert (
        with_whitened_features(model, np.zeros((1, 28, 28, 3), np.uint8), np.zeros(1, int), SPEC)
        is model
    )
