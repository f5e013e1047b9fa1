"""Rounding weights to int8 by what a layer sees, not each by itself.

Rounded each by itself, the few weights of a depthwise filter that takes differences no longer add
up to what they did, and every bright pixel is an error: in the shipped network two layers made
nine tenths of all that int8 cost. Here each weight is rounded in turn, and those that follow make
up for its error on real inputs (Frantar et al. 2022, arXiv:2210.17323; the second moments of a
layer's inputs stand for the Hessian).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from build_host.keras import keras, tf
from device.imaging.preprocessing import InputSpec, scale

_LEVELS: Final = 127
"""Of an int8 weight to each side of zero, in the steps of its channel."""
_MOST_INPUTS: Final = 512
"""Errors of so many weights average out by themselves."""

_DAMPING: Final = 1e-4
_BATCH: Final = 64


def round_weights(model: keras.Model, images: NDArray[np.uint8], spec: InputSpec) -> None:
    """Put the weights of a network's convolutions onto the grid that int8 conversion gives them.

    The largest weight of each output channel and those that are zero stay as they are, so the
    converter finds the same grid.

    Parameters
    ----------
    model
        Changed in place, where its layers are Keras's own convolutions.
    images
        Training images as the model is shown them: uint8, (n, height, width, 3).
    spec
        How the model is shown them.
    """
    for layer in model.layers:
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        if not isinstance(layer, keras.layers.Conv2D) and not depthwise:
            continue
        kernel, *others = layer.get_weights()
        rows, columns, channels, _ = kernel.shape
        inputs = rows * columns * (1 if depthwise else channels)
        if inputs > _MOST_INPUTS:
            continue
        moments = _second_moments(model, layer, images, spec)
        flat = kernel.reshape(inputs, -1).T
        rounded = np.stack(
            [
                rounded_row(row.astype(np.float64), moments[i if depthwise else 0])
                for i, row in enumerate(flat)
            ]
        )
        layer.set_weights([rounded.T.reshape(kernel.shape).astype(kernel.dtype), *others])


def rounded_row(weights: NDArray[np.float64], moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of one output on its int8 grid.

    Parameters
    ----------
    weights
        float64, (inputs,).
    moments
        Mean products of the inputs, two by two: float64, (inputs, inputs).
    """
    largest = np.abs(weights).max()
    if largest == 0.0:
        return weights
    step = largest / _LEVELS
    # The largest first: it needs no rounding, and nothing that follows may change it.
    order = np.argsort(-np.abs(weights), kind="stable")[: np.count_nonzero(weights)]
    left = weights[order]
    hessian = moments[np.ix_(order, order)]
    hessian = hessian + np.eye(len(order)) * (_DAMPING * np.trace(hessian) / len(order) + 1e-12)
    factor = np.linalg.cholesky(np.linalg.inv(hessian)).T
    result = np.zeros_like(weights)
    for i, place in enumerate(order):
        result[place] = step * np.clip(np.rint(left[i] / step), -_LEVELS, _LEVELS)
        left[i:] -= (left[i] - result[place]) / factor[i, i] * factor[i, i:]
    return result


def _second_moments(
    model: keras.Model, layer: Any, images: NDArray[np.uint8], spec: InputSpec
) -> NDArray[np.float64]:
    """Return the mean products of what each output of a layer is made of.

    float64, (channels, inputs, inputs) for a depthwise layer, (1, inputs, inputs) for another.
    """
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    before = keras.Model(model.input, layer.input)
    rows, columns = layer.kernel_size
    total, seen = 0.0, 0
    for part in np.array_split(images, -(-len(images) // _BATCH)):
        values = before(scale(part, spec), training=False)
        patches = tf.image.extract_patches(
            values,
            (1, rows, columns, 1),
            (1, *layer.strides, 1),
            (1, 1, 1, 1),
            layer.padding.upper(),
        ).numpy()
        if depthwise:
            split = patches.reshape(-1, rows * columns, values.shape[-1]).transpose(2, 0, 1)
        else:
            split = patches.reshape(1, -1, patches.shape[-1])
        total = total + (split.transpose(0, 2, 1) @ split).astype(np.float64)
        seen += split.shape[1]
    return np.asarray(total / seen)
