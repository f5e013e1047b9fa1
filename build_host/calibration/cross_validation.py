"""Choosing between models: what each is worth on the validation fold."""

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.calibration.fits import fit_calibration
from build_host.evaluation.metrics import METRICS, Labels, Metric, Probabilities, with_intervals
from device.inference.calibration import probabilities
from device.inference.manifest import Interval

CHOSEN_BY: Final[dict[str, Metric]] = {
    name: METRICS[name]
    for name in (
        "accuracy",
        "balanced_accuracy_as_if_equally_common",
        "macro_auc",
        "malignant_auc",
        "melanoma_sensitivity_at_0.90_specificity",
    )
}


def cross_calibrated(
    logits: NDArray[np.float32], labels: Labels, lesions: NDArray[np.str_]
) -> Probabilities:
    """Return calibrated probabilities, each lesion's from a calibration that never saw it.

    The lesions are halved by their names, and each half is calibrated on the other: so a model is
    judged on the fold that it is also calibrated on, without flattering it.
    """
    half = np.array([hashlib.sha256(name.encode()).digest()[-1] % 2 for name in lesions])
    result = np.zeros(logits.shape)
    for own in (0, 1):
        fitted = fit_calibration(logits[half != own], labels[half != own])
        result[half == own] = probabilities(logits[half == own], fitted)
    return result


def judge(
    logits: NDArray[np.float32], labels: Labels, lesions: NDArray[np.str_], resamples: int = 500
) -> dict[str, Interval]:
    """Return the figures that models are chosen by, with their intervals."""
    said = cross_calibrated(logits, labels, lesions)
    return with_intervals(labels, said, lesions, CHOSEN_BY, resamples)
