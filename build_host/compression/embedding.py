"""A network's last features in few numbers, as a further output, to find similar lesions by."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.compression.whitening import feature_values
from build_host.keras import keras
from build_host.training import efficientnet_lite, mobilenet
from device.imaging.preprocessing import InputSpec

DIMENSIONS: Final = 64
_MOST: Final = 6000
_HEADS: Final = (f"{mobilenet.HEAD}_bn_active", efficientnet_lite.HEAD)


def with_embedding(
    model: keras.Model,
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    spec: InputSpec,
    seed: int,
) -> keras.Model:
    """Return a network with its embedding as a last output, where its head has as many features.

    The principal components of the pooled features that vary most over training images.

    Parameters
    ----------
    images
        The model's input before scaling: uint8, (n, height, width, 3), RGB.
    rows
        Which of them are training images: int64, (m,).
    spec
        The model's input.
    seed
        Decides which training images the components are of.
    """
    layers = {layer.name: layer for layer in model.layers}
    heads = [name for name in _HEADS if name in layers]
    if not heads or layers[heads[0]].output.shape[-1] < DIMENSIONS:
        return model
    pooled = keras.layers.GlobalAveragePooling2D(name="head-features")(layers[heads[0]].output)
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:_MOST])
    values = feature_values(keras.Model(model.input, pooled), images, chosen, spec)
    mean = values.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(values, rowvar=False))
    projection = directions[:, : -DIMENSIONS - 1 : -1]
    dense = keras.layers.Dense(DIMENSIONS, name="embedding")
    embedding = dense(pooled)
    dense.set_weights([projection, -mean @ projection])
    outputs = model.output if isinstance(model.output, list) else [model.output]
    return keras.Model(model.input, [*outputs, embedding])
