"""Whether a dermatoscope took the picture, as a further output of a network."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from build_host.compression.whitening import feature_values, pooled_features
from build_host.keras import keras
from build_host.training.class_map import CLASS_ACTIVATION_MAP
from device.imaging.preprocessing import InputSpec

_MOST: Final = 4000
_STRENGTH: Final = 0.03
"""Inverse of the regularization: a few hundred photographs must not be learned by heart."""


def with_dermoscopic_output(
    model: keras.Model,
    dermoscopic: NDArray[np.uint8],
    rows: NDArray[np.int64],
    photographs: NDArray[np.uint8],
    spec: InputSpec,
    seed: int,
) -> keras.Model:
    """Return a network with the log-odds that a dermatoscope took the image as a last output.

    A logistic regression on the network's features, where it has some, from every depth: what tells
    a lens on the skin from air (texture, shine, colour) is in the early ones, which the last have
    forgotten. By the last alone, a tenth of MILK10k's photographs passed for dermoscopic.

    Parameters
    ----------
    dermoscopic
        The model's input before scaling: uint8, (n, height, width, 3), RGB.
    rows
        Which of them are training images: int64, (m,).
    photographs
        The same of photographs taken without a dermatoscope: uint8, (k, height, width, 3), RGB.
    spec
        The model's input.
    seed
        Decides which training images it is fitted on.
    """
    last = pooled_features(model)
    if last is None or not len(photographs):
        return model
    pooled = [*_pooled_sums(model), last]
    features = keras.Model(model.input, keras.layers.Concatenate()(pooled))
    chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:_MOST])
    taken = feature_values(features, dermoscopic, chosen, spec)
    others = feature_values(features, photographs, np.arange(len(photographs)), spec)
    values = np.concatenate([taken, others])
    truth = np.repeat([1, 0], [len(taken), len(others)])
    scaler = StandardScaler().fit(values)
    fitted = LogisticRegression(C=_STRENGTH, class_weight="balanced", max_iter=2000).fit(
        scaler.transform(values), truth
    )
    weights = fitted.coef_[0] / scaler.scale_
    logit = _weighted_sum(pooled, weights, scaler.mean_, float(fitted.intercept_[0]))
    outputs = model.output if isinstance(model.output, list) else [model.output]
    return keras.Model(model.input, [*outputs, logit])


def _pooled_sums(model: keras.Model) -> list[Any]:
    """Return the spatial means of what each residual block adds up to, (batch, n) each."""
    sums = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Add) and layer.name != CLASS_ACTIVATION_MAP
    ]
    pool = keras.layers.GlobalAveragePooling2D
    return [pool(name=f"{layer.name}-pooled")(layer.output) for layer in sums]


def _weighted_sum(
    pooled: list[Any], weights: NDArray[np.float64], mean: NDArray[np.float64], intercept: float
) -> Any:
    """Return weighted features, less their mean, and the intercept added up: (batch, 1).

    One depth at a time: side by side in one tensor, all features would share one scale of int8.
    """
    ends = np.cumsum([features.shape[-1] for features in pooled])[:-1]
    parts: list[Any] = []
    for features, own, middle in zip(
        pooled, np.split(weights, ends), np.split(mean, ends), strict=True
    ):
        dense = keras.layers.Dense(1, name=f"dermoscopic-{len(parts)}")
        parts.append(dense(features))
        dense.set_weights([own[:, None], np.array([intercept / len(pooled) - middle @ own])])
    total = parts[0]
    for part in parts[1:]:
        total = keras.layers.Add()([total, part])
    return total
