"""The networks that a run can train, by the names that its settings use."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from build_host.keras import keras
from build_host.training import efficientnet_lite, mobilenet
from build_host.training.class_map import CLASS_ACTIVATION_MAP
from build_host.training.config import RunConfig
from device.diagnoses import CODES

layers = keras.layers


def build_network(config: RunConfig) -> keras.Model:
    """Return the run's untrained network: scaled image in, logits out."""
    builders: dict[str, Callable[[tuple[int, int, int]], keras.Model]] = {
        "paper": paper_network,
        "mobilenet": partial(mobilenet.mobilenet_v2, width=config.width, head=config.head),
        "slim-mobilenet": partial(
            mobilenet.slim_mobilenet_v2, width=config.width, head=config.head
        ),
        **{
            f"efficientnet-lite-{variant}": partial(
                efficientnet_lite.efficientnet_lite, variant=variant
            )
            for variant in efficientnet_lite.SCALES
        },
    }
    return builders[config.architecture]((config.input.height, config.input.width, 3))


def load_imagenet_weights(config: RunConfig, model: keras.Model, folder: Path | None) -> None:
    """Load ImageNet weights into the layers of a new network that have some.

    Parameters
    ----------
    folder
        With the weights files; None to download them, or to take them from installed packages.

    Raises
    ------
    build_host.errors.DataError
        If there are none.
    """
    if config.architecture.startswith("efficientnet-lite-"):
        variant = int(config.architecture[-1])
        path = efficientnet_lite.find_weights(variant, folder)
        efficientnet_lite.load_imagenet(model, path)
    else:
        mobilenet.load_imagenet(model, folder, config.width)


def with_class_activation_map(model: keras.Model) -> keras.Model:
    """Return a network with its class activation map as a second output, where it has one."""
    names = {layer.name for layer in model.layers}
    if CLASS_ACTIVATION_MAP not in names:
        return model
    return keras.Model(model.input, [model.output, model.get_layer(CLASS_ACTIVATION_MAP).output])


def paper_network(shape: tuple[int, int, int]) -> keras.Model:
    """Return the network of the source paper's Table 7: 1,276,103 parameters at 28 x 28.

    Its softmax is left to the device, since int8 probabilities would have steps of 1/256. The
    paper gives its dense layers "L1L2" regularization but no strength, and Keras's default
    strength is zero: so there is none here.
    """

    def convolution(x: Any, filters: int, name: str) -> Any:
        return layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_initializer="he_normal", name=name
        )(x)

    def dense(x: Any, units: int) -> Any:
        return layers.Dense(
            units, activation="relu", kernel_initializer="he_normal", name=f"dense-{units}"
        )(x)

    image = keras.Input(shape, name="image")
    x = image
    for filters, repeats in ((32, 1), (64, 2), (128, 2), (256, 2)):
        for repeat in range(repeats):
            x = convolution(x, filters, f"conv-{filters}{'ab'[repeat]}")
        x = layers.MaxPooling2D()(x)
        x = layers.BatchNormalization()(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.2)(x)
    for units, dropout in ((256, 0.2), (128, 0.0), (64, 0.2), (32, 0.0)):
        x = dense(x, units)
        x = layers.BatchNormalization()(x)
        if dropout:
            x = layers.Dropout(dropout)(x)
    logits = layers.Dense(len(CODES), kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(image, logits, name="paper")
