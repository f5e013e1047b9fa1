"""Choosing between models on the validation fold, which also calibrates each of them."""

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.calibration.fits import fit_calibration
from build_host.evaluation.metrics import METRICS, Labels, Metric, Probabilities, with_intervals
from device.inference.calibration import probabilities
from device.models.manifest import Interval

SELECTION_METRICS: Final[dict[str, Metric]] = {
    name: METRICS[name]
    for name in (
        "accuracy",
        "balanced_accuracy_as_if_equally_common",
        "macro_auc",
        "malignant_auc",
        "melanoma_sensitivity_at_0.90_specificity",
    )
}


def cross_validated_probabilities(
    logits: NDArray[np.float32], labels: Labels, lesions: NDArray[np.str_]
) -> Probabilities:
    """Return calibrated probabilities, by twofold cross-validation over lesions.

    Each half of the lesions is calibrated on the other, so that no lesion's probabilities come
    from a calibration that was fitted on it.

    Parameters
    ----------
    logits
        float32, (n, 7).
    labels
        int64, (n,).
    lesions
        Lesion identifier of each image: str, (n,).

    Returns
    -------
    numpy.ndarray
        float64, (n, 7).
    """
    half = np.array([hashlib.sha256(name.encode()).digest()[-1] % 2 for name in lesions])
    result = np.zeros(logits.shape)
    for own in (0, 1):
        fitted = fit_calibration(logits[half != own], labels[half != own])
        result[half == own] = probabilities(logits[half == own], fitted)
    return result


def cross_validate(
    logits: NDArray[np.float32], labels: Labels, lesions: NDArray[np.str_], resamples: int = 500
) -> dict[str, Interval]:
    """Return the figures that models are chosen by, with their intervals.

    Parameters
    ----------
    logits, labels, lesions
        As in `cross_validated_probabilities`.
    resamples
        Bootstrap resamples.
    """
    calibrated = cross_validated_probabilities(logits, labels, lesions)
    return with_intervals(labels, calibrated, lesions, SELECTION_METRICS, resamples)
