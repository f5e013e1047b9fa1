from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from build_host.training.config import read_run_config

pytestmark = pytest.mark.tensorflow


def test_the_papers_network_has_as_many_parameters_as_table_7_says() -> None:
    from build_host.training.architectures import paper_network

    assert paper_network((28, 28, 3)).count_params() == 1_276_103


def test_it_follows_the_runs_input_size(tmp_path: Path, write_config: Callable[..., Path]) -> None:
    from build_host.training.architectures import build_network

    network = build_network(read_run_config(write_config(tmp_path, side=40)))
    assert network.input_shape == (None, 40, 40, 3)
    assert network.output_shape == (None, 7)


def test_logits_leave_it_not_probabilities() -> None:
    from build_host.keras import keras
    from build_host.training.architectures import paper_network

    keras.utils.set_random_seed(1)
    network = paper_network((28, 28, 3))
    images = np.random.default_rng(0).random((8, 28, 28, 3), np.float32)
    logits = network(images).numpy()
    assert logits.min() < 0.0
    assert not np.allclose(logits.sum(axis=1), 1.0)
    assert network.layers[-1].activation is keras.activations.linear


def test_it_is_built_of_what_table_7_lists() -> None:
    from build_host.keras import keras
    from build_host.training.architectures import paper_network

    layers = paper_network((28, 28, 3)).layers
    convolutions = [x.filters for x in layers if isinstance(x, keras.layers.Conv2D)]
    dense = [x.units for x in layers if isinstance(x, keras.layers.Dense)]
    assert convolutions == [32, 64, 64, 128, 128, 256, 256]
    assert dense == [256, 128, 64, 32, 7]
    assert sum(isinstance(x, keras.layers.MaxPooling2D) for x in layers) == 4
    assert sum(isinstance(x, keras.layers.BatchNormalization) for x in layers) == 8


def test_one_seed_makes_one_network() -> None:
    from build_host.keras import keras
    from build_host.training.architectures import paper_network

    made = []
    for seed in (5, 5, 6):
        keras.utils.set_random_seed(seed)
        made.append(paper_network((16, 16, 3)).get_weights()[0])
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
