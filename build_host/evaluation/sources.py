"""What a bundle's networks are worth at each source of images, and what each warning is worth."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset
from build_host.evaluation.metrics import (
    RESAMPLES,
    Labels,
    Metric,
    Probabilities,
    accuracy,
    balanced_accuracy,
    expected_calibration_error,
    macro_auc,
    malignant_auc,
    melanoma_auc,
    melanoma_sensitivity_at,
    with_intervals,
)
from build_host.evaluation.predictions import Predictions, predict
from device.diagnoses import CODES, MALIGNANT, Code
from device.inference.analyzer import Analyzer
from device.inference.recommendation import Recommendation
from device.models.bundle import Bundle
from device.models.manifest import Interval, Manifest

NetworkName = Literal["live", "captured"]

_FEW: Final = 30
_METRICS: Final[dict[str, Metric]] = {
    "malignant_auc": malignant_auc,
    "melanoma_auc": melanoma_auc,
    "macro_auc": macro_auc,
    "melanoma_sensitivity_at_0.90_specificity": melanoma_sensitivity_at(0.90),
    "accuracy": accuracy,
}


class Warned(msgspec.Struct, frozen=True):
    """What a warning is worth: how often it is raised, and how often the call is wrong then.

    Attributes
    ----------
    warning
        A reason for no call, or what falls short of a picture's quality.
    share
        Of the images on which it is raised.
    error_raised, error_not_raised
        Share of wrong calls among them, and among the others.
    difference
        The first less the second, with its interval over lesions; None where it is raised on fewer
        than ten images.
    """

    warning: str
    share: float
    error_raised: float
    error_not_raised: float
    difference: Interval | None


class Recommended(msgspec.Struct, frozen=True):
    """How many images of a source a recommendation is made of.

    Attributes
    ----------
    recommendation
        One of `device.inference.recommendation.Recommendation`, or empty where none is made.
    melanomas, other_malignant, naevi, other_benign
        Share of those that are; 0 where there are none.
    """

    recommendation: str
    melanomas: float
    other_malignant: float
    naevi: float
    other_benign: float


class SourceEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one of a bundle's networks on the test fold of one source.

    Attributes
    ----------
    source, network, images, lesions
        What was measured on what.
    figures
        With the case mix in force; ``balanced_accuracy_as_if_equally_common`` with equal shares,
        those ``of_its_own_mix`` and ``expected_calibration_error`` with the source's.
    coverage, mean_set_size
        Of the prediction sets.
    coverage_by_diagnosis
        Of those diagnoses that have thirty images or more.
    by_skin_tone
        Figures by MILK10k's class of skin tone, where the source tells it, thirty images or more.
    warnings
        What each is worth.
    recommendations
        How often each is made, where the bundle has the thresholds for it.
    """

    source: str
    network: NetworkName
    images: int
    lesions: int
    figures: dict[str, Interval]
    coverage: float
    mean_set_size: float
    coverage_by_diagnosis: dict[Code, float]
    by_skin_tone: dict[str, dict[str, Interval | int]]
    warnings: list[Warned]
    recommendations: list[Recommended] = []


def evaluate_sources(
    bundle: Bundle,
    test: Dataset,
    resamples: int = RESAMPLES,
    known: Mapping[NetworkName, Predictions] | None = None,
) -> list[SourceEvaluation]:
    """Measure each of a bundle's networks on each source of a dataset.

    Parameters
    ----------
    test
        Test folds of one or several sources, that first whose case mix a bundle without a named one
        is calibrated for.
    resamples
        Bootstrap resamples of every interval.
    known
        What a network predicts for the images of one of the sources, where that was asked before.
    """
    analyzer = Analyzer(bundle)
    networks: tuple[NetworkName, ...] = ("live", "captured")
    if bundle.manifest.captured is None:
        networks = ("live",)
    found = []
    home = _shares(test.labels[test.source_indices == 0])
    for name in test.sources:
        own = test.subset(np.flatnonzero([r.source == name for r in test.records]))
        for network in networks:
            predictions = (known or {}).get(network)
            if predictions is None or predictions.records != own.records:
                predictions = predict(analyzer, own, averaged=network == "captured")
            found.append(_evaluation(name, network, bundle.manifest, home, predictions, resamples))
    return found


def _evaluation(
    source: str,
    network: NetworkName,
    manifest: Manifest,
    home: NDArray[np.float64],
    predictions: Predictions,
    resamples: int,
) -> SourceEvaluation:
    labels = np.array([CODES.index(r.dx) for r in predictions.records])
    lesions = np.array([r.lesion_id for r in predictions.records])
    probability = predictions.probabilities
    spec = manifest.network_for(as_captured=network == "captured")
    assumed = next(
        (np.array(m.shares) for m in spec.case_mixes if m.name == manifest.case_mix), home
    )
    own_mix = _shares(labels)
    even = _under(probability, assumed, np.full(len(CODES), 1 / len(CODES)))
    at_home = _under(probability, assumed, own_mix)
    figures = with_intervals(labels, probability, lesions, _METRICS, resamples)
    figures |= with_intervals(
        labels, even, lesions,
        {"balanced_accuracy_as_if_equally_common": balanced_accuracy}, resamples,
    )  # fmt: skip
    figures |= with_intervals(
        labels, at_home, lesions,
        {
            "malignant_auc_of_its_own_mix": malignant_auc,
            "balanced_accuracy_of_its_own_mix": balanced_accuracy,
            "expected_calibration_error": expected_calibration_error,
        },
        resamples,
    )  # fmt: skip
    covered = predictions.covered
    return SourceEvaluation(
        source=source,
        network=network,
        images=len(labels),
        lesions=len(set(lesions)),
        figures=figures,
        coverage=float(covered.mean()),
        mean_set_size=float(predictions.set_sizes.mean()),
        coverage_by_diagnosis={
            code: float(covered[labels == i].mean())
            for i, code in enumerate(CODES)
            if (labels == i).sum() >= _FEW
        },
        by_skin_tone=_by_skin_tone(predictions, labels, even, lesions),
        warnings=_warnings(predictions, labels, lesions, resamples),
        recommendations=_recommended(predictions, labels),
    )


def _shares(labels: Labels) -> NDArray[np.float64]:
    return np.bincount(labels, minlength=len(CODES)) / max(1, len(labels))


def _under(
    probability: Probabilities, assumed: NDArray[np.float64], mix: NDArray[np.float64]
) -> Probabilities:
    """Return probabilities that assume one case mix under another."""
    moved = probability * (mix / np.maximum(assumed, 1e-9))
    rows: Probabilities = moved / np.maximum(moved.sum(axis=1, keepdims=True), 1e-300)
    return rows


def _by_skin_tone(
    predictions: Predictions, labels: Labels, even: Probabilities, lesions: NDArray[np.str_]
) -> dict[str, dict[str, Interval | int]]:
    tones = np.array([r.skin_tone for r in predictions.records])
    found: dict[str, dict[str, Interval | int]] = {}
    for tone in sorted(set(tones) - {""}):
        rows = tones == tone
        if rows.sum() < _FEW:
            continue
        metrics: dict[str, Metric] = {"malignant_auc": malignant_auc, "balanced": balanced_accuracy}
        figures = with_intervals(labels[rows], even[rows], lesions[rows], metrics, 300)
        found[str(tone)] = {"images": int(rows.sum()), **figures}
    return found


def _recommended(predictions: Predictions, labels: Labels) -> list[Recommended]:
    made = predictions.recommendations
    if not any(made):
        return []
    malignant = np.array([CODES[i] in MALIGNANT for i in labels])
    mel, nv = labels == CODES.index(Code.MEL), labels == CODES.index(Code.NV)
    groups = (mel, malignant & ~mel, nv, ~malignant & ~nv)
    found = []
    for recommendation in (*Recommendation, None):
        rows = np.array([r == recommendation for r in made])
        shares = (float(rows[group].mean()) if group.any() else 0.0 for group in groups)
        found.append(Recommended(recommendation or "", *shares))
    return found


def _warnings(
    predictions: Predictions, labels: Labels, lesions: NDArray[np.str_], resamples: int
) -> list[Warned]:
    wrong = predictions.probabilities.argmax(axis=1) != labels
    raised: dict[str, NDArray[np.bool_]] = {}
    for i, reasons in enumerate(predictions.warnings):
        for reason in reasons:
            raised.setdefault(reason, np.zeros(len(labels), bool))[i] = True
    return [warned(name, rows, wrong, lesions, resamples) for name, rows in sorted(raised.items())]


def warned(
    name: str,
    raised: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    lesions: Sequence[str] | NDArray[np.str_],
    resamples: int = RESAMPLES,
) -> Warned:
    """Return what a warning is worth.

    Parameters
    ----------
    raised, wrong
        Whether it is raised on an image, and whether the call is wrong: bool, (n,).
    lesions
        Lesion identifier of each image.
    resamples
        Bootstrap resamples, over lesions.
    """
    calm = ~raised
    with_it = float(wrong[raised].mean()) if raised.any() else 0.0
    without = float(wrong[calm].mean()) if calm.any() else 0.0
    difference = None
    if raised.sum() >= 10 and calm.any():
        _, group = np.unique(lesions, return_inverse=True)
        sums = np.stack(
            [np.bincount(group, values) for values in (raised, raised & wrong, calm, calm & wrong)]
        )
        picks = np.random.default_rng(0).integers(0, sums.shape[1], (resamples, sums.shape[1]))
        drawn = sums[:, picks].sum(axis=2)
        gaps = drawn[1] / np.maximum(drawn[0], 1) - drawn[3] / np.maximum(drawn[2], 1)
        low, high = np.percentile(gaps, [2.5, 97.5])
        difference = Interval(value=with_it - without, low=float(low), high=float(high))
    return Warned(name, float(raised.mean()), with_it, without, difference)
