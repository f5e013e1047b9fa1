from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from build_host.errors import DataError

if TYPE_CHECKING:
    from build_host.keras import keras

pytestmark = pytest.mark.tensorflow

SHAPE = (96, 96, 3)


def made(name: str, shape=SHAPE):
    from build_host.training import mobilenet

    return {"whole": mobilenet.mobilenet_v2, "slim": mobilenet.slim_mobilenet_v2}[name](shape)


@pytest.fixture(scope="module")
def source(pretrained: Path) -> "keras.Model":
    """Return Keras's own network with the weights that the others start from."""
    from build_host.keras import keras
    from build_host.training.mobilenet import WEIGHTS_FILE

    weights = str(pretrained / WEIGHTS_FILE.format(width=0.35))
    return keras.applications.MobileNetV2(SHAPE, alpha=0.35, include_top=False, weights=weights)


def test_the_whole_form_computes_what_kerass_own_does_up_to_the_classifier(
    pretrained: Path, source: "keras.Model"
) -> None:
    from build_host.keras import keras
    from build_host.training.mobilenet import load_imagenet

    own = made("whole")
    load_imagenet(own, pretrained)
    name = "block_16_project_BN"
    images = np.random.default_rng(0).uniform(-1, 1, (2, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(
        keras.Model(own.input, own.get_layer(name).output)(images),
        keras.Model(source.input, source.get_layer(name).output)(images),
        rtol=1e-3,
    )


@pytest.mark.parametrize("name", ["whole", "slim"])
def test_every_layer_but_the_classifiers_starts_with_weights_of_imagenet(
    name: str, pretrained: Path
) -> None:
    from build_host.training.mobilenet import load_imagenet

    own = made(name)
    before = {layer.name: layer.get_weights() for layer in own.layers if layer.weights}
    load_imagenet(own, pretrained)
    kept = {
        layer.name
        for layer in own.layers
        if layer.weights
        and all(
            np.array_equal(a, b)
            for a, b in zip(layer.get_weights(), before[layer.name], strict=True)
        )
    }
    assert kept == {"coarse-map", "fine-map"}


@pytest.mark.parametrize("width", [0.35, 0.5, 1.0])
def test_every_width_has_the_layers_of_kerass_own(width: float) -> None:
    from build_host.keras import keras
    from build_host.training.mobilenet import mobilenet_v2

    own = mobilenet_v2(SHAPE, width, 1280)
    source = keras.applications.MobileNetV2(SHAPE, alpha=width, include_top=False, weights=None)
    shapes = {layer.name: [w.shape for w in layer.get_weights()] for layer in own.layers}
    for layer in source.layers:
        if layer.weights:
            assert shapes.pop(layer.name) == [w.shape for w in layer.get_weights()]
    assert {name for name, kept in shapes.items() if kept} == {"coarse-map", "fine-map"}


@pytest.mark.parametrize("head", [1280, 640])
def test_a_head_keeps_the_channels_of_imagenets_that_weigh_most(
    head: int, pretrained: Path, source: "keras.Model"
) -> None:
    from build_host.training.mobilenet import load_imagenet, slim_mobilenet_v2

    own = slim_mobilenet_v2(SHAPE, head=head)
    load_imagenet(own, pretrained)
    gamma = source.get_layer("Conv_1_bn").get_weights()[0]
    kept = np.abs(gamma) >= np.sort(np.abs(gamma))[-head]
    for layer in ("Conv_1", "Conv_1_bn"):
        whole, part = (m.get_layer(layer).get_weights() for m in (source, own))
        assert len(whole) == len(part)
        for a, b in zip(whole, part, strict=True):
            np.testing.assert_array_equal(a[..., kept], b)
    assert own.get_layer("coarse-map").kernel.shape == (1, 1, head, 7)


@pytest.mark.parametrize("name", ["whole", "slim"])
def test_the_logits_are_the_mean_of_the_map(name: str) -> None:
    from build_host.keras import keras
    from build_host.training.architectures import with_class_activation_map

    own = with_class_activation_map(made(name))
    random = np.random.default_rng(1)
    own.set_weights([random.uniform(0.1, 1.0, w.shape) * 0.3 for w in own.get_weights()])
    images = random.uniform(-1, 1, (3, *SHAPE)).astype(np.float32)
    logits, class_map = own(images)
    assert class_map.shape == (3, 6, 6, 7)
    np.testing.assert_allclose(logits, np.mean(class_map, axis=(1, 2)), rtol=1e-4)
    assert isinstance(own, keras.Model)


def test_a_network_without_a_map_ships_as_it_is() -> None:
    from build_host.training.architectures import paper_network, with_class_activation_map

    own = paper_network((28, 28, 3))
    assert with_class_activation_map(own) is own


def test_the_slim_form_sees_the_picture_at_a_quarter_from_its_first_block_on() -> None:
    own = made("slim")
    assert own.get_layer("expanded_conv_depthwise").output_shape[1:3] == (24, 24)
    assert own.get_layer("block_1_depthwise").output_shape[1:3] == (24, 24)
    assert made("whole").get_layer("block_1_expand").output_shape[1:3] == (48, 48)


def test_missing_weights_are_told(tmp_path: Path) -> None:
    from build_host.training.mobilenet import load_imagenet

    with pytest.raises(DataError, match="no such file"):
        load_imagenet(made("slim"), tmp_path)
