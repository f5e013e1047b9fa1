import re
from pathlib import Path

import numpy as np
import pytest

from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.split import split_by_lesion
from tests.build_host.conftest import Stage

pytestmark = pytest.mark.tensorflow


def counting_network():
    """Return a network, and the list to which every use of it or of a copy adds a batch's shape."""
    from build_host.keras import keras

    used = []

    class Counting(keras.layers.Layer):
        def call(self, inputs):
            used.append(tuple(inputs.shape))
            return inputs

    layers = keras.layers
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), Counting(), layers.Flatten(), layers.Dense(7)]
    )
    used.clear()
    return network, used


def test_device_and_why_it_is_no_gpu_are_told_in_one_line() -> None:
    from build_host.keras import tf
    from build_host.training.estimate import describe_device

    told = describe_device()
    assert len(told.splitlines()) == 1
    if tf.config.list_physical_devices("GPU"):
        assert told.startswith("on ")
        assert "processor" not in told
        return
    assert re.fullmatch(
        r"on the processor \([1-9]\d* cores\); TensorFlow uses no GPU: "
        r"(it finds none|it was built without support for one)",
        told,
    )


@pytest.mark.parametrize(("steps", "told"), [(1, "1 steps"), (999, "999 steps")])
def test_a_few_steps_are_counted_and_not_measured(steps: int, told: str) -> None:
    from build_host.training.estimate import describe_duration

    network, used = counting_network()
    assert describe_duration(network, 16, steps) == told
    assert used == []


@pytest.mark.parametrize("steps", [1000, 2_500_000])
def test_many_steps_are_measured_in_batches_of_the_training(steps: int) -> None:
    from build_host.training.estimate import describe_duration

    network, used = counting_network()
    told = describe_duration(network, 16, steps)
    assert re.fullmatch(rf"{steps:,} steps, about (\d+\.\d hours|\d+ minutes)", told)
    assert (16, 8, 8, 3) in used


def test_measuring_leaves_the_network_as_it_was() -> None:
    from build_host.keras import keras
    from build_host.training.estimate import describe_duration

    layers = keras.layers
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.BatchNormalization(), layers.Flatten(), layers.Dense(7)]
    )
    before = network.get_weights()
    describe_duration(network, 4, 5000)
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_train_tells_both_before_the_first_epoch(trained: Stage, ham10000: Path) -> None:
    from build_host.training.estimate import describe_device

    # Two epochs, in batches of 32, of as many images of each diagnosis as the commonest has.
    dataset = read_ham10000(ham10000)
    labels = dataset.labels[split_by_lesion(dataset).train]
    steps = 2 * -(-7 * int(np.bincount(labels).max()) // 32)
    lines = trained.printed.splitlines()
    line = lines.index(f"{steps} steps, {describe_device()}")
    assert line < next(i for i, text in enumerate(lines) if text.startswith("Epoch   1/2"))
