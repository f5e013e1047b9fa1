"""Whitened features as a further output, to detect out-of-distribution images by."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from build_host.keras import keras
from build_host.training import efficientnet_lite, mobilenet
from device.imaging.preprocessing import InputSpec, scale_pixels

_BATCH: Final = 128
_FLOOR: Final = 0.01
_POOLED: Final = "features"


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
    pooled = pooled_features(model)
    if pooled is None:
        return model
    values = feature_values(keras.Model(model.input, pooled), images, np.sort(rows), spec)
    mean = values.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(values, rowvar=False))
    whitening = directions / np.sqrt(np.maximum(variances, _FLOOR * variances.mean()))
    dense = keras.layers.Dense(whitening.shape[1], name="whitened")
    whitened = dense(pooled)
    dense.set_weights([whitening, -mean @ whitening])
    outputs = model.output if isinstance(model.output, list) else [model.output]
    return keras.Model(model.input, [*outputs, whitened])


def pooled_features(model: keras.Model) -> Any:
    """Return the spatial mean of a network's features, (batch, n), or None where it has none."""
    layers = {layer.name: layer for layer in model.layers}
    if _POOLED in layers:
        return layers[_POOLED].output
    known = [n for n in (mobilenet.FEATURES, efficientnet_lite.FEATURES) if n in layers]
    if not known:
        return None
    return keras.layers.GlobalAveragePooling2D(name=_POOLED)(layers[known[0]].output)


def feature_values(
    features: keras.Model,
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    spec: InputSpec,
) -> NDArray[np.float64]:
    """Return the features of some images: float64, (m, n).

    Parameters
    ----------
    features
        Scaled image in, pooled features out.
    images, rows, spec
        As in `with_whitened_features`; in the order of the rows.
    """
    parts = np.array_split(rows, -(-len(rows) // _BATCH))
    return np.concatenate(
        [features(scale_pixels(images[part], spec), training=False).numpy() for part in parts]
    ).astype(np.float64)
