"""Magnitude pruning: along a schedule, or round by round with rewinding."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build_host.compression.config import PruningConfig, RewindingConfig
from build_host.keras import keras, tf


def prunable(model: keras.Model, config: PruningConfig) -> keras.Model:
    """Return a copy of a model that is pruned as it is trained."""
    import tensorflow_model_optimization as tfmot

    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=config.initial_sparsity,
        final_sparsity=config.final_sparsity,
        begin_step=config.begin_step,
        end_step=config.end_step,
        frequency=config.frequency,
    )
    return tfmot.sparsity.keras.prune_low_magnitude(copy_model(model), pruning_schedule=schedule)


def pruning_callback() -> keras.callbacks.Callback:
    """Return the callback that advances a `prunable` model's schedule."""
    import tensorflow_model_optimization as tfmot

    return tfmot.sparsity.keras.UpdatePruningStep()


def stripped(model: keras.Model) -> keras.Model:
    """Return a trained `prunable` model without its wrappers."""
    import tensorflow_model_optimization as tfmot

    return tfmot.sparsity.keras.strip_pruning(model)


def copy_model(model: keras.Model) -> keras.Model:
    """Return a copy of a model with its weights; pruning changes a model in place."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def kernels(model: keras.Model) -> list[tf.Variable]:
    """Return the weights that are pruned: the kernels of convolution and dense layers."""
    return [
        layer.kernel
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    ]


def sparsity(model: keras.Model) -> dict[str, float]:
    """Return the share of zeros of each layer's kernel, and of all together."""
    shares, zeros, total = {}, 0, 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            kernel = layer.kernel.numpy()
            shares[layer.name] = float((kernel == 0).mean())
            zeros += int((kernel == 0).sum())
            total += kernel.size
    return {**shares, "all": zeros / total}


class PruningMasks(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """Keeps pruned weights at zero through training.

    Parameters
    ----------
    masks
        For each of the model's `kernels`, where its weights may differ from zero: bool, of the
        kernel's shape.
    """

    def __init__(self, model: keras.Model, masks: Sequence[NDArray[Any]]) -> None:
        super().__init__()
        self._kernels = kernels(model)
        self._masks = [tf.constant(m, tf.float32) for m in masks]
        self._hold = tf.function(self._multiply)

    def _multiply(self) -> None:
        for kernel, mask in zip(self._kernels, self._masks, strict=True):
            kernel.assign(kernel * mask)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Set the pruned weights to zero again."""
        self._hold()


def prune_smallest(layer: keras.layers.Layer, share: float) -> None:
    """Set a share of a layer's weights, 0 to 1, to zero in place, the smallest by magnitude.

    The largest weight of every channel is kept: a channel without weights has no range, and loses
    its bias to int8 (`build_host.compression.quantization`).
    """
    size = np.abs(layer.kernel.numpy())
    flat = size.reshape(-1, size.shape[-1])
    spared = flat.argmax(axis=0) * flat.shape[1] + np.arange(flat.shape[1])
    order = np.argsort(size, axis=None, kind="stable")
    order = order[~np.isin(order, spared)]
    mask = np.ones(size.size, np.float32)
    mask[order[: round(share * size.size)]] = 0.0
    layer.kernel.assign(layer.kernel * mask.reshape(size.shape))


def prune_masks(
    model: keras.Model, masks: Sequence[NDArray[np.bool_]], share_kept: float
) -> list[NDArray[np.bool_]]:
    """Return masks that keep the largest of the weights that `masks` still keep.

    Parameters
    ----------
    masks
        As in `PruningMasks`.
    share_kept
        Share of each layer's weights to keep, 0 to 1; the smallest by magnitude are pruned.
    """
    result = []
    for kernel, mask in zip(kernels(model), masks, strict=True):
        size = np.where(mask, np.abs(kernel.numpy()), -1.0)
        keep = max(1, round(share_kept * size.size))
        threshold = np.partition(size.ravel(), -keep)[-keep]
        result.append((size >= threshold) & mask)
    return result


def share_kept(config: RewindingConfig, number: int) -> float:
    """Return the share of weights kept after round `number`, counted from 1; it is geometric."""
    return float((1.0 - config.final_sparsity) ** (number / config.rounds))
