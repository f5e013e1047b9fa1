"""The figures that say what a model is worth, each with an interval over lesions.

Everywhere here, labels are indices into `device.diagnoses.CODES`, int64, (n,); probabilities are
float64, (n, 7); lesions are the lesion identifier of each image, str, (n,).
"""

import math
from collections.abc import Callable, Container, Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from device.diagnoses import CODES, MALIGNANT, Code
from device.models.manifest import Interval

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]
Metric = Callable[[Labels, Probabilities], float]

RESAMPLES: Final = 1000
CALIBRATION_BINS: Final = 15

MALIGNANT_COLUMNS: Final = np.array([code in MALIGNANT for code in CODES])
_MEL: Final = CODES.index("mel")
_ROUNDING: Final = 1e-12
"""What a share of whole images may be off by: 0.1 has no exact floating-point number."""


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Return the share of images whose likeliest diagnosis is the true one."""
    return float((probabilities.argmax(axis=1) == labels).mean())


def balanced_accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean recall over the diagnoses (the ISIC 2018 task 3 metric)."""
    table = _confusion(labels, probabilities)
    own = table.sum(axis=1)
    return float((table.diagonal()[own > 0] / own[own > 0]).mean())


def balanced_accuracy_even(labels: Labels, probabilities: Probabilities) -> float:
    """Return the balanced accuracy of calls made as if every diagnosis were as common.

    Calibrated probabilities know that two images of three are naevi, and the likeliest diagnosis
    is then a naevus more often than a mean over diagnoses rewards. Each probability is divided by
    how often its diagnosis occurs among the images judged before the highest is taken.
    """
    common = np.bincount(labels, minlength=len(CODES)) / len(labels)
    return balanced_accuracy(labels, probabilities / np.where(common > 0, common, np.inf))


def macro_auc(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean over the diagnoses of one-against-the-rest areas under the ROC curve."""
    areas = np.array([_class_auc(i, labels, probabilities) for i in range(len(CODES))])
    known = areas[~np.isnan(areas)]
    return float(known.mean()) if len(known) else float("nan")


def malignant_auc(labels: Labels, probabilities: Probabilities) -> float:
    """Return the area under the ROC curve of malignant (akiec, bcc, mel) against benign."""
    return _auc(MALIGNANT_COLUMNS[labels], probabilities[:, MALIGNANT_COLUMNS].sum(axis=1))


def melanoma_auc(labels: Labels, probabilities: Probabilities) -> float:
    """Return the area under the ROC curve of melanoma against the rest."""
    return _auc(labels == _MEL, probabilities[:, _MEL])


def _auc(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve; NaN where only one class is present.

    From the pairs in the right order, a tie counting one half (Mann & Whitney 1947): a small
    part of the time of drawing the curve, which counts where a bootstrap asks a thousand times.
    """
    positive, negative = np.sort(score[truth]), np.sort(score[~truth])
    pairs = len(positive) * len(negative)
    if pairs == 0:
        return float("nan")
    below = np.searchsorted(negative, positive, "left").sum()
    up_to = np.searchsorted(negative, positive, "right").sum()
    return float((below + up_to) / (2 * pairs))


def melanoma_sensitivity_at(specificity: float) -> Metric:
    """Return the metric "melanoma sensitivity at this specificity"."""

    def metric(labels: Labels, probabilities: Probabilities) -> float:
        positive, negative = _melanoma_scores(labels, probabilities)
        if not len(positive) or not len(negative):
            return float("nan")
        allowed = math.floor((1.0 - specificity + _ROUNDING) * len(negative))
        if allowed >= len(negative):
            return 1.0
        # The threshold lies just above the highest negative that may not be flagged.
        return float((positive > negative[-1 - allowed]).mean())

    return metric


def melanoma_specificity_at(sensitivity: float) -> Metric:
    """Return the metric "melanoma specificity at this sensitivity"."""

    def metric(labels: Labels, probabilities: Probabilities) -> float:
        positive, negative = _melanoma_scores(labels, probabilities)
        if not len(positive) or not len(negative):
            return float("nan")
        needed = math.ceil((sensitivity - _ROUNDING) * len(positive))
        if needed <= 0:
            return 1.0
        return float(1.0 - (negative >= positive[-needed]).mean())

    return metric


def _melanoma_scores(
    labels: Labels, probabilities: Probabilities
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probability of melanoma of the melanomas and of all others, rising."""
    truth, score = labels == _MEL, probabilities[:, _MEL]
    return np.sort(score[truth]), np.sort(score[~truth])


def brier_score(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean squared distance to the truth, summed over the diagnoses (0 to 2)."""
    truth = np.eye(len(CODES))[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def expected_calibration_error(labels: Labels, probabilities: Probabilities) -> float:
    """Return the mean gap of confidence and accuracy over 15 bins of equal mass."""
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.array_split(np.argsort(confidence, kind="stable"), CALIBRATION_BINS)
    gaps = [len(b) * abs(confidence[b].mean() - correct[b].mean()) for b in bins if len(b)]
    return float(sum(gaps) / len(labels))


def weighted(score: Literal["precision", "recall", "f1"]) -> Metric:
    """Return precision, recall or F1, weighted by how often each diagnosis occurs."""

    def metric(labels: Labels, probabilities: Probabilities) -> float:
        table = _confusion(labels, probabilities)
        right, own, called = table.diagonal(), table.sum(axis=1), table.sum(axis=0)
        parts = {
            "precision": (right, called),
            "recall": (right, own),
            "f1": (2 * right, own + called),
        }
        above, below = parts[score]
        # What never occurs and is never called has nothing above either: 0, as scikit-learn has it.
        return float(np.average(above / np.maximum(below, 1), weights=own))

    return metric


METRICS: Final[dict[str, Metric]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "balanced_accuracy_as_if_equally_common": balanced_accuracy_even,
    "macro_auc": macro_auc,
    "malignant_auc": malignant_auc,
    "melanoma_auc": melanoma_auc,
    "melanoma_sensitivity_at_0.90_specificity": melanoma_sensitivity_at(0.90),
    "melanoma_sensitivity_at_0.95_specificity": melanoma_sensitivity_at(0.95),
    "melanoma_specificity_at_0.95_sensitivity": melanoma_specificity_at(0.95),
    "precision_weighted": weighted("precision"),
    "recall_weighted": weighted("recall"),
    "f1_weighted": weighted("f1"),
    "brier_score": brier_score,
    "expected_calibration_error": expected_calibration_error,
}
"""Every figure of a model, by the name that cards and reports use."""


def with_intervals(
    labels: Labels,
    probabilities: Probabilities,
    lesions: NDArray[np.str_],
    metrics: dict[str, Metric] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return metrics with 95 % percentile intervals from a bootstrap over lesions.

    Left out is what these images do not define, such as the area under a curve where one class is
    absent. Images of one lesion are not independent, so whole lesions are drawn. A calibration
    error is a sum of amounts, which a resample can only add to: its interval is moved down by what
    the resamples lie above the figure on average (the bootstrap's estimate of bias, Efron &
    Tibshirani 1993, chapter 10).

    Parameters
    ----------
    labels
        int64, (n,).
    probabilities
        float64, (n, 7).
    lesions
        Lesion identifier of each image.
    """
    chosen = METRICS if metrics is None else metrics

    def figures(labels: Labels, probabilities: Probabilities) -> list[float]:
        return [metric(labels, probabilities) for metric in chosen.values()]

    biased = {i for i, m in enumerate(chosen.values()) if m is expected_calibration_error}
    found = _intervals(figures, labels, probabilities, lesions, resamples, seed, biased)
    return {
        name: figure for name, figure in zip(chosen, found, strict=True) if not _undefined(figure)
    }


def _undefined(figure: Interval) -> bool:
    """Tell whether a figure, or every resample of it, is no number: JSON has none such."""
    return any(math.isnan(end) for end in msgspec.structs.astuple(figure))


def _intervals(
    figures: Callable[[Labels, Probabilities], Sequence[float]],
    labels: Labels,
    probabilities: Probabilities,
    lesions: NDArray[np.str_],
    resamples: int,
    seed: int,
    biased: Container[int] = (),
) -> list[Interval]:
    """Return the interval of each of the figures that a function gives for a sample.

    Those at the places `biased` are amounts that are 0 at best, and that resampling raises.
    """
    _, group = np.unique(lesions, return_inverse=True)
    rows_of = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        picks = generator.integers(0, len(rows_of), len(rows_of))
        rows = np.concatenate([rows_of[i] for i in picks])
        drawn.append(figures(labels[rows], probabilities[rows]))
    result = []
    for i, (value, resampled) in enumerate(
        zip(figures(labels, probabilities), np.array(drawn, np.float64).T, strict=True)
    ):
        # A resample without any image of a diagnosis has no area under its curve.
        known = resampled[~np.isnan(resampled)]
        low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
        if i in biased:
            bias = known.mean() - value
            low, high = max(0.0, low - bias), high - bias
        result.append(Interval(value=float(value), low=float(low), high=float(high)))
    return result


class ClassFigures(msgspec.Struct, frozen=True):
    """How well one diagnosis is called, and on how many images of it.

    The area is None where there are images of no other diagnosis.
    """

    images: int
    precision: Interval
    recall: Interval
    f1: Interval
    auc: Interval | None


def mean_over_lesions(
    values: NDArray[np.float64], lesions: NDArray[np.str_], resamples: int = RESAMPLES
) -> Interval:
    """Return the mean of a value of each image, its interval from draws of whole lesions."""
    _, group = np.unique(lesions, return_inverse=True)
    sums, counts = np.bincount(group, values), np.bincount(group)
    picks = np.random.default_rng(0).integers(0, len(sums), (resamples, len(sums)))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(value=float(values.mean()), low=float(low), high=float(high))


def per_class(
    labels: Labels,
    probabilities: Probabilities,
    lesions: NDArray[np.str_],
    resamples: int = RESAMPLES,
) -> dict[Code, ClassFigures]:
    """Return precision, recall, F1 and AUC of each diagnosis that occurs, with their intervals."""
    found = iter(_intervals(_class_figures, labels, probabilities, lesions, resamples, seed=0))
    rows: dict[Code, ClassFigures] = {}
    for i, code in enumerate(CODES):
        precision, recall, f1, auc = (next(found) for _ in range(4))
        images = int((labels == i).sum())
        if images:
            area = None if _undefined(auc) else auc
            rows[code] = ClassFigures(images, precision, recall, f1, area)
    return rows


def _class_figures(labels: Labels, probabilities: Probabilities) -> list[float]:
    """Return precision, recall, F1 and AUC of one diagnosis after the other."""
    table = _confusion(labels, probabilities)
    counts = np.stack([table.diagonal(), table.sum(axis=1), table.sum(axis=0)], axis=1)
    result: list[float] = []
    for i, (right, own, called) in enumerate(counts.tolist()):
        result += (
            right / called if called else 0.0,
            right / own if own else np.nan,
            2 * right / (own + called) if own else np.nan,
            _class_auc(i, labels, probabilities),
        )
    return result


def _class_auc(label: int, labels: Labels, probabilities: Probabilities) -> float:
    return _auc(labels == label, probabilities[:, label])


def confusion(labels: Labels, probabilities: Probabilities) -> list[list[int]]:
    """Return how often the diagnosis of each row was called that of each column."""
    return [[int(n) for n in row] for row in _confusion(labels, probabilities)]


def _confusion(labels: Labels, probabilities: Probabilities) -> NDArray[np.int64]:
    """Return the counts of `confusion` as int64, (7, 7)."""
    cells = labels * len(CODES) + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=len(CODES) ** 2).reshape(len(CODES), len(CODES))
