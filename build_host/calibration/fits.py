"""Everything that is fitted on the validation fold: calibration, thresholds, limits."""

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_curve

from build_host.evaluation.metrics import Labels
from device.diagnoses import CODES, MALIGNANT
from device.imaging.quality import QualityLimits, measure_quality
from device.inference.calibration import familiarity, malignancy, probabilities
from device.inference.interpreter import Answer
from device.inference.manifest import Abstention, Calibration, Conformal, OperatingPoint

FITTED_ON: Final = "HAM10000 fold 4"
COVERAGE: Final = 0.90
SURE_ENOUGH: Final = 2 / 3
FAMILIAR: Final = 0.97

NO_LIMITS: Final = QualityLimits(
    focus_min=0.0,
    exposure_min=0.0,
    exposure_max=1.0,
    glare_max=1.0,
    coverage_min=0.0,
    derived_from="",
)
"""Limits that every frame passes."""


def fit_calibration(logits: NDArray[np.float32], labels: Labels) -> Calibration:
    """Return the temperature and the biases with the least cross-entropy.

    Bias-corrected temperature scaling (Alexandari et al. 2020, arXiv:1901.06852): the biases
    also undo the even class frequencies that oversampling made in training.
    """
    truth = np.arange(len(labels)), labels

    def loss(parameters: NDArray[np.float64]) -> float:
        scaled = logits.astype(np.float64) * np.exp(-parameters[0])
        scaled = scaled + np.append(parameters[1:], 0.0)
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[truth]).mean())

    best = minimize(loss, np.zeros(len(CODES)), method="L-BFGS-B").x
    bias = np.append(best[1:], 0.0)
    bias -= bias.mean()
    return Calibration(
        temperature=round(float(np.exp(best[0])), 6),
        bias=tuple(round(float(b), 6) for b in bias),
        fitted_on=FITTED_ON,
    )


def fit_operating_points(
    logits: NDArray[np.float32], labels: Labels, calibration: Calibration
) -> tuple[OperatingPoint, ...]:
    """Return the thresholds that reach a sensitivity of 0.90 and 0.95 on the validation fold."""
    probability = probabilities(logits, calibration)
    mel = CODES.index("mel")
    malignant = np.array([CODES[i] in MALIGNANT for i in labels])
    return tuple(
        _operating_point(name, score, values, truth, sensitivity)
        for name, score, values, truth in (
            ("melanoma", "mel", probability[:, mel], labels == mel),
            ("malignant", "malignant", malignancy(probability), malignant),
        )
        for sensitivity in (0.90, 0.95)
    )


def _operating_point(
    name: str,
    score: Literal["mel", "malignant"],
    values: NDArray[np.float64],
    truth: NDArray[np.bool_],
    sensitivity: float,
) -> OperatingPoint:
    false_positive, true_positive, thresholds = roc_curve(truth, values, drop_intermediate=False)
    at = int(np.argmax(true_positive >= sensitivity))
    return OperatingPoint(
        name=f"{name}-{sensitivity:.2f}",
        score=score,
        threshold=float(min(thresholds[at], 1.0)),
        sensitivity=float(true_positive[at]),
        specificity=float(1.0 - false_positive[at]),
        fitted_on=FITTED_ON,
    )


def fit_conformal(
    logits: NDArray[np.float32], labels: Labels, calibration: Calibration
) -> Conformal:
    """Return for each diagnosis the threshold that its own images pass 9 times out of 10.

    The finite-sample rank of split-conformal prediction, for each diagnosis by itself: the
    ``floor((n + 1) * 0.1)``-th lowest probability that its n images gave to it.
    """
    probability = probabilities(logits, calibration)
    thresholds = []
    for i in range(len(CODES)):
        own = np.sort(probability[labels == i, i])
        # In whole per cent: a tenth has no exact floating-point number.
        rank = (len(own) + 1) * (100 - round(COVERAGE * 100)) // 100
        thresholds.append(float(own[rank - 1]) if rank >= 1 else 0.0)
    return Conformal(coverage=COVERAGE, thresholds=tuple(thresholds), fitted_on=FITTED_ON)


def fit_abstention(
    answers: Sequence[Answer], labels: Labels, calibration: Calibration
) -> Abstention:
    """Return when to say "no call".

    Uncertain: below the confidence at which two calls of three are right, by isotonic regression.
    Unfamiliar: below the familiarity that 97 % of the validation images exceed: by the distance of
    the features where the network gives them, else by the energy.
    """
    score: Literal["energy", "distance"] = "energy" if answers[0].whitened is None else "distance"
    probability = probabilities(np.array([a.logits for a in answers]), calibration)
    confidence = probability.max(axis=1)
    correct = probability.argmax(axis=1) == labels
    rising = IsotonicRegression(y_min=0.0, y_max=1.0).fit(confidence, correct)
    believed = rising.predict(confidence) >= SURE_ENOUGH
    sure = 0.0 if believed.all() else confidence[believed].min(initial=1.0)
    rule = Abstention(
        score=score, uncertain_below=float(sure), unfamiliar_below=None, fitted_on=FITTED_ON
    )
    known = [familiarity(a, p, rule) for a, p in zip(answers, probability, strict=True)]
    threshold = float(np.quantile(known, 1.0 - FAMILIAR))
    return msgspec.structs.replace(rule, unfamiliar_below=threshold)


def fit_quality_limits(fields: list[NDArray[np.uint8]], described: str) -> QualityLimits:
    """Return limits that 99 % of the given fields of view pass, measure by measure.

    Parameters
    ----------
    fields
        RGB images of the training part.
    described
        Says which they are.
    """
    measured = [measure_quality(field, NO_LIMITS) for field in fields]

    def low(values: list[float]) -> float:
        return math.floor(float(np.quantile(values, 0.01)) * 1000) / 1000

    def high(values: list[float]) -> float:
        return math.ceil(float(np.quantile(values, 0.99)) * 1000) / 1000

    return QualityLimits(
        focus_min=low([q.focus for q in measured]),
        exposure_min=low([q.exposure for q in measured]),
        exposure_max=high([q.exposure for q in measured]),
        glare_max=max(0.02, high([q.glare for q in measured])),
        coverage_min=low([q.coverage for q in measured]),
        derived_from=described,
    )
