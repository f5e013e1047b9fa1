"""The networks."""

from typing import Any

from build_host.keras import keras
from build_host.training.config import RunConfig
from device.diagnoses import CODES

layers = keras.layers


def build(config: RunConfig) -> keras.Model:
    """Return the run's untrained network: scaled image in, logits out."""
    shape = (config.input.height, config.input.width, 3)
    return {"paper": paper_network}[config.architecture](shape)


def paper_network(shape: tuple[int, int, int]) -> keras.Model:
    """Return the network of the source paper's Table 7: 1,276,103 parameters at 28 x 28.

    Its softmax is left to the device: int8 probabilities have steps of 1/256, logits have not.
    The paper's "L1L2" on the dense layers comes without a strength, and Keras's own default
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
