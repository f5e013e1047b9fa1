"""A further output that tells how strange an image is to the network."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.keras import keras
from build_host.training.mobilenet import FEATURES
from device.imaging.preprocessing import InputSpec, scale

_BATCH: Final = 128
_FLOOR: Final = 0.01


def with_whitened(
    model: keras.Model, images: NDArray[np.uint8], rows: NDArray[np.int64], spec: InputSpec
) -> keras.Model:
    """Return a network with its whitened features as a last output, where it has such features.

    The features' mean over training images is taken away, and they are turned and scaled to
    variance 1 without correlation: their squared length is then the Mahalanobis distance.
    Directions in which training images hardly differ are held at a hundredth of the mean variance,
    or rounding to int8 would be all that is seen in them.

    Parameters
    ----------
    images, rows
        All images as the model is shown them, and which of them are training images.
    """
    if FEATURES not in {layer.name for layer in model.layers}:
        return model
    pooled = keras.layers.GlobalAveragePooling2D(name="features")(model.get_layer(FEATURES).output)
    features = keras.Model(model.input, pooled)
    values = np.concatenate(
        [
            features(scale(images[part], spec), training=False).numpy()
            for part in np.array_split(np.sort(rows), -(-len(rows) // _BATCH))
        ]
    ).astype(np.float64)
    mean = values.mean(axis=0)
    spread, directions = np.linalg.eigh(np.cov(values, rowvar=False))
    turn = directions / np.sqrt(np.maximum(spread, _FLOOR * spread.mean()))
    dense = keras.layers.Dense(turn.shape[1], name="whitened")
    whitened = dense(pooled)
    dense.set_weights([turn, -mean @ turn])
    outputs = model.output if isinstance(model.output, list) else [model.output]
    return keras.Model(model.input, [*outputs, whitened])
