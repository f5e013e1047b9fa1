"""What is fitted to a model's outputs: calibration, thresholds and limits of its manifest."""

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_curve

from build_host.datasets.dataset import Dataset
from build_host.evaluation.metrics import Labels, Probabilities
from device.diagnoses import CODES, MALIGNANT
from device.imaging.preprocessing import crop_field
from device.imaging.quality import QualityLimits, measure_quality
from device.inference.calibration import in_distribution_score, malignancy, probabilities
from device.inference.network import NetworkOutput
from device.models.network_spec import Abstention, Calibration, Conformal, OperatingPoint

FITTED_ON: Final = "HAM10000 fold 4"
COVERAGE: Final = 0.90
MIN_ACCURACY: Final = 2 / 3
IN_DISTRIBUTION: Final = 0.97
_LIMITS_IMAGES: Final = 1000
_ROUNDING: Final = 1e-9
CALIBRATION_BOUNDS: Final = [(np.log(0.01), np.log(100.0)), *[(-25.0, 25.0)] * (len(CODES) - 1)]
"""Of the temperature's logarithm and the biases: what a manifest can hold. A network that is never
wrong would be made surer without end."""

NO_LIMITS: Final = QualityLimits(
    focus_min=0.0,
    exposure_min=0.0,
    exposure_max=1.0,
    glare_max=1.0,
    coverage_min=0.0,
    derived_from="",
)
"""Quality limits that every image passes."""


def fit_calibration(
    logits: NDArray[np.float32], labels: Labels, fitted_on: str = FITTED_ON
) -> Calibration:
    """Return the temperature and the biases with the lowest cross-entropy.

    Bias-corrected temperature scaling (Alexandari et al. 2020, arXiv:1901.06852): the biases
    also undo the class balancing of training.

    Parameters
    ----------
    logits
        float32, (n, 7).
    labels
        int64, (n,).
    fitted_on
        Describes the images.
    """
    truth = np.arange(len(labels)), labels

    def loss(parameters: NDArray[np.float64]) -> float:
        scaled = logits.astype(np.float64) * np.exp(-parameters[0])
        scaled = scaled + np.append(parameters[1:], 0.0)
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[truth]).mean())

    best = minimize(loss, np.zeros(len(CODES)), method="L-BFGS-B", bounds=CALIBRATION_BOUNDS).x
    bias = np.append(best[1:], 0.0)
    bias -= bias.mean()
    return Calibration(
        temperature=round(float(np.exp(best[0])), 6),
        bias=tuple(round(float(b), 6) for b in bias),
        fitted_on=fitted_on,
    )


def fit_operating_points(
    logits: NDArray[np.float32],
    labels: Labels,
    calibration: Calibration,
    weights: NDArray[np.float64] | None = None,
    fitted_on: str = FITTED_ON,
) -> tuple[OperatingPoint, ...]:
    """Return the thresholds that reach a sensitivity of 0.90 and 0.95, and a specificity of 0.90.

    The last is of the malignant group alone, and reached by the lowest threshold that does.

    Parameters
    ----------
    logits, labels
        As in `fit_calibration`.
    weights
        How much each image counts: float64, (n,); all the same by default.
    fitted_on
        Describes the images.
    """
    probability = probabilities(logits, calibration)
    mel = CODES.index("mel")
    malignant = np.array([CODES[i] in MALIGNANT for i in labels])
    scores: tuple[
        tuple[str, Literal["mel", "malignant"], Probabilities, NDArray[np.bool_]], ...
    ] = (
        ("melanoma", "mel", probability[:, mel], labels == mel),
        ("malignant", "malignant", malignancy(probability), malignant),
    )
    found = []
    for name, score, values, truth in scores:
        false_positive, true_positive, thresholds = roc_curve(
            truth, values, sample_weight=weights, drop_intermediate=False
        )
        chosen = {
            f"{name}-{sensitivity:.2f}": int(np.argmax(true_positive >= sensitivity - _ROUNDING))
            for sensitivity in (0.90, 0.95)
        }
        if score == "malignant":
            specific = np.flatnonzero(false_positive <= 0.10 + _ROUNDING)
            chosen["malignant-specificity-0.90"] = int(specific[-1])
        found += [
            OperatingPoint(
                name=point,
                score=score,
                threshold=float(min(thresholds[at], 1.0)),
                sensitivity=float(true_positive[at]),
                specificity=float(1.0 - false_positive[at]),
                fitted_on=fitted_on,
            )
            for point, at in chosen.items()
        ]
    return tuple(found)


def fit_conformal(
    logits: NDArray[np.float32],
    labels: Labels,
    calibration: Calibration,
    weights: NDArray[np.float64] | None = None,
    fitted_on: str = FITTED_ON,
) -> Conformal:
    """Return for each diagnosis the threshold that nine in ten of its images reach.

    Class-conditional split-conformal prediction: the ``floor((n + 1) * 0.1)``-th lowest
    probability that a diagnosis's n images gave to it; with weights, the one below which a tenth
    of their weight lies (Tibshirani et al. 2019, arXiv:1904.06019).

    Parameters
    ----------
    logits, labels, weights, fitted_on
        As in `fit_operating_points`.
    """
    probability = probabilities(logits, calibration)
    weights = np.ones(len(labels)) if weights is None else weights
    thresholds = []
    for i in range(len(CODES)):
        own = probability[labels == i, i]
        order = np.argsort(own, kind="stable")
        heaps = np.cumsum(weights[labels == i][order])
        if not len(own):
            thresholds.append(0.0)
            continue
        # One more image of the mean weight: the one that is judged. A tenth is not an exact
        # floating-point number.
        below = (1.0 - COVERAGE) * heaps[-1] * (len(own) + 1) / len(own)
        rank = int(np.searchsorted(heaps, below + _ROUNDING, side="right"))
        thresholds.append(float(own[order[rank - 1]]) if rank >= 1 else 0.0)
    return Conformal(coverage=COVERAGE, thresholds=tuple(thresholds), fitted_on=fitted_on)


def fit_abstention(
    outputs: Sequence[NetworkOutput],
    labels: Labels,
    calibration: Calibration,
    weights: NDArray[np.float64] | None = None,
    fitted_on: str = FITTED_ON,
) -> Abstention:
    """Return when to abstain ("no call").

    Uncertain: below the confidence at which two of three predictions are right, by isotonic
    regression. Out of distribution: below the score that 97 % of the images exceed. The score is
    the distance of the features where the network has them as an output, else the energy.

    Parameters
    ----------
    outputs
        Of the network, one for each image.
    labels
        int64, (n,).
    weights, fitted_on
        As in `fit_operating_points`.
    """
    score: Literal["energy", "distance"] = "energy" if outputs[0].whitened is None else "distance"
    probability = probabilities(np.array([o.logits for o in outputs]), calibration)
    confidence = probability.max(axis=1)
    correct = probability.argmax(axis=1) == labels
    accuracy = IsotonicRegression(y_min=0.0, y_max=1.0).fit(
        confidence, correct, sample_weight=weights
    )
    accepted = accuracy.predict(confidence) >= MIN_ACCURACY
    least = 0.0 if accepted.all() else confidence[accepted].min(initial=1.0)
    rule = Abstention(
        score=score, uncertain_below=float(least), unfamiliar_below=None, fitted_on=fitted_on
    )
    scores = [in_distribution_score(o, p, rule) for o, p in zip(outputs, probability, strict=True)]
    threshold = float(np.quantile(scores, 1.0 - IN_DISTRIBUTION))
    return msgspec.structs.replace(rule, unfamiliar_below=threshold)


def percentile_quality_limits(training: Dataset) -> QualityLimits:
    """Return the quality limits that nearly all of a thousand training images pass.

    Parameters
    ----------
    training
        Training images in random order.
    """
    images = (training.read(record) for record in training.records[:_LIMITS_IMAGES])
    fields = [crop_field(pixels).pixels for pixels in images]
    described = (
        f"1st and 99th percentiles of {len(fields)} training images of "
        f"{', '.join(name for name in training.sources if name)}"
    )
    return fit_quality_limits(fields, described)


def fit_quality_limits(fields: list[NDArray[np.uint8]], described: str) -> QualityLimits:
    """Return limits that 99 % of the given fields of view pass, measure by measure.

    Parameters
    ----------
    fields
        uint8, (height, width, 3) each, RGB.
    described
        Describes them, for the manifest.
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
