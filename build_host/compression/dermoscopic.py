"""Whether a dermatoscope took the picture, as a further output of a network."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from build_host.compression.whitening import feature_values, pooled_features
from build_host.keras import keras
from device.imaging.preprocessing import InputSpec

_MOST: Final = 4000
_STRENGTH: Final = 0.01
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

    A logistic regression on the network's features, where it has some.

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
    pooled = pooled_features(model)
    if pooled is None or not len(photographs):
        return model
    features = keras.Model(model.input, pooled)
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
    dense = keras.layers.Dense(1, name="dermoscopic")
    logit = dense(pooled)
    bias = fitted.intercept_[0] - scaler.mean_ @ weights
    dense.set_weights([weights[:, None], np.array([bias])])
    outputs = model.output if isinstance(model.output, list) else [model.output]
    return keras.Model(model.input, [*outputs, logit])
