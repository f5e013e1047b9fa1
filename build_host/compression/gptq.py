"""GPTQ: rounding a layer's weights to int8 together, by their effect on real inputs.

Rounded one by one, the few weights of a depthwise filter that takes differences no longer cancel,
and every bright pixel adds an error: in the shipped network two layers made nine tenths of the
loss to int8. Here the weights are rounded in turn, and those not yet rounded compensate for each
error (Frantar et al. 2022, arXiv:2210.17323; the Hessian is the second moments of the inputs).
"""

import contextlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from build_host.keras import keras, tf
from device.imaging.preprocessing import InputSpec, scale_pixels

_LEVELS: Final = 127
"""Largest int8 weight, in steps of its channel's scale."""
_MOST_INPUTS: Final = 512
"""Layers with more inputs are left to the converter: their rounding errors average out."""

_DAMPINGS: Final = (1e-4, 1e-2)
"""Parts of the mean moment that are added to each: the second where float32 sums of inputs that
hardly differ are not positive definite with the first."""
_BATCH: Final = 64


def round_weights(model: keras.Model, images: NDArray[np.uint8], spec: InputSpec) -> None:
    """Round the weights of a network's convolutions to the int8 grid of the converter.

    The largest weight of each output channel and those that are zero are not changed, so that the
    converter finds the same grid.

    Parameters
    ----------
    model
        Changed in place, where its layers are Keras's convolutions.
    images
        Training images, as the model's input before scaling: uint8, (n, height, width, 3), RGB.
    spec
        The model's input.
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
                round_row(row.astype(np.float64), moments[i if depthwise else 0])
                for i, row in enumerate(flat)
            ]
        )
        layer.set_weights([rounded.T.reshape(kernel.shape).astype(kernel.dtype), *others])


def round_row(weights: NDArray[np.float64], moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of one output channel, rounded to its int8 grid: float64, (inputs,).

    Parameters
    ----------
    weights
        float64, (inputs,).
    moments
        Second moments of the inputs: float64, (inputs, inputs).
    """
    largest = np.abs(weights).max()
    if largest == 0.0:
        return weights
    step = largest / _LEVELS
    # The largest first: it is on the grid, and no compensation may change it.
    order = np.argsort(-np.abs(weights), kind="stable")[: np.count_nonzero(weights)]
    left = weights[order]
    factor = _factor_of_inverse(moments[np.ix_(order, order)])
    result = np.zeros_like(weights)
    for i, place in enumerate(order):
        result[place] = step * np.clip(np.rint(left[i] / step), -_LEVELS, _LEVELS)
        left[i:] -= (left[i] - result[place]) / factor[i, i] * factor[i, i:]
    return result


def _factor_of_inverse(hessian: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper Cholesky factor of the inverse of second moments, damped."""
    mean = np.trace(hessian) / len(hessian)
    *milder, last = (hessian + np.eye(len(hessian)) * (d * mean + 1e-12) for d in _DAMPINGS)
    for damped in milder:
        with contextlib.suppress(np.linalg.LinAlgError):
            return np.asarray(np.linalg.cholesky(np.linalg.inv(damped)).T)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(last)).T)


def _second_moments(
    model: keras.Model, layer: Any, images: NDArray[np.uint8], spec: InputSpec
) -> NDArray[np.float64]:
    """Return the second moments of a layer's inputs.

    float64, (channels, inputs, inputs) for a depthwise layer, else (1, inputs, inputs).
    """
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    before = keras.Model(model.input, layer.input)
    rows, columns = layer.kernel_size
    total, seen = 0.0, 0
    for part in np.array_split(images, -(-len(images) // _BATCH)):
        values = before(scale_pixels(part, spec), training=False)
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
