from pathlib import Path

import numpy as np
import pytest

from build_host.datasets.ham10000 import read_ham10000
from build_host.reproduction import baselines


def test_hand_made_features_are_finite_and_as_many_for_every_image(ham10000: Path) -> None:
    dataset = read_ham10000(ham10000).subset(np.arange(0, 100, 12))
    features = baselines.hand_made_features(dataset)
    assert features.shape[0] == len(dataset)
    assert np.isfinite(features).all()
    assert (features.std(axis=0) > 0).sum() > 20


def test_the_machine_learns_what_can_be_told_apart() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), [60, 20, 20, 10, 20, 80, 10])
    features = random.normal(0, 1, (len(labels), 12))
    features[np.arange(len(labels)), labels] += 6
    machine = baselines.fit_classical(features, labels, seed=1)
    probabilities = baselines.classical_probabilities(machine, features)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.98


@pytest.mark.tensorflow
def test_the_ensemble_gives_the_mean_of_its_members_logits() -> None:
    from build_host.keras import keras

    keras.utils.set_random_seed(3)
    members = [baselines.small_network((28, 28, 3), width) for width in (4, 8)]
    images = np.random.default_rng(0).random((5, 28, 28, 3), dtype=np.float32)
    apart = [member(images).numpy() for member in members]
    together = baselines.ensemble(members)(images).numpy()
    np.testing.assert_allclose(together, np.mean(apart, axis=0), atol=1e-5)


@pytest.mark.tensorflow
def test_the_light_alexnet_is_light() -> None:
    network = baselines.light_alexnet((28, 28, 3))
    assert network.output_shape == (None, 7)
    assert network.count_params() < 500_000
