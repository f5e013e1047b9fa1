"""Whitened features as a further output, to detect out-of-distribution images by."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.keras import keras
from build_host.training.mobilenet import FEATURES
from device.imaging.preprocessing import InputSpec, scale_pixels

_BATCH: Final = 128
_FLOOR: Final = 0.01


def with_whitened_features(
    model: keras.Model, images: NDArray[np.uint8], rows: NDArray[np.int64], spec: InputSpec
) -> keras.Model:
    """Return a network with its whitened features as a last output, where it has such features.

    Over the training images, whitened features have mean 0, variance 1 and no correlation: their
    squared length is the Mahalanobis distance. The variance of directions in which training images
    hardly differ is taken to be at least a hundredth of the mean one, or int8 rounding would
    dominate them.

    Parameters
    ----------
    images
        The model's input before scaling, of the whole dataset: uint8, (n, height, width, 3), RGB.
    rows
        Which of them are training images: int64, (m,).
    spec
        The model's input.
    """
    if FEATURES not in {layer.name for layer in model.layers}:
        return model
    pooled = keras.layers.GlobalAveragePooling2D(name="features")(model.get_layer(FEATURES).output)
    features = keras.Model(model.input, pooled)
    values = np.concatenate(
        [
            features(scale_pixels(images[part], spec), training=False).numpy()
            for part in np.array_split(np.sort(rows), -(-len(rows) // _BATCH))
        ]
    ).astype(np.float64)
    mean = values.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(values, rowvar=False))
    whitening = directions / np.sqrt(np.maximum(variances, _FLOOR * variances.mean()))
    dense = keras.layers.Dense(whitening.shape[1], name="whitened")
    whitened = dense(pooled)
    dense.set_weights([whitening, -mean @ whitening])
    outputs = model.output if isinstance(model.output, list) else [model.output]
    return keras.Model(model.input, [*outputs, whitened])
