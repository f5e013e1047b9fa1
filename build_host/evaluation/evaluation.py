"""Every figure of one model on one set of images."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from build_host.datasets.dataset import ImageRecord
from build_host.evaluation.metrics import (
    RESAMPLES,
    ClassFigures,
    Labels,
    Metric,
    Probabilities,
    accuracy,
    balanced_accuracy,
    confusion,
    malignant_auc,
    mean_over_lesions,
    per_class,
    with_intervals,
)
from build_host.evaluation.predictions import Predictions
from build_host.evaluation.tflite_file import FileSize, file_size
from device.diagnoses import CODES, MALIGNANT, Code
from device.inference.recommendation import GROUPS, Recommendation, band_figure
from device.models.manifest import Interval

SMALLEST_SUBGROUP: Final = 30


class Selective(msgspec.Struct, frozen=True):
    """Selective classification: the figures on the images on which the model does not abstain."""

    coverage: float
    accuracy: float
    balanced_accuracy: float


class ConformalCheck(msgspec.Struct, frozen=True):
    """Share of images whose prediction set holds the true diagnosis, and the set's mean size."""

    coverage: float
    mean_set_size: float
    coverage_per_class: dict[str, float]


class Evaluation(msgspec.Struct, frozen=True):
    """The figures of one model on one set of images."""

    model: str
    model_sha256: str
    protocol: str
    images: int
    lesions: int
    figures: dict[str, Interval]
    per_class: dict[Code, ClassFigures]
    confusion: list[list[int]]
    selective: Selective
    conformal: ConformalCheck
    subgroups: dict[str, dict[str, dict[str, Interval | int]]]
    size: FileSize


def evaluate(
    predictions: Predictions,
    model_id: str,
    model: bytes,
    protocol: str,
    metrics: dict[str, Metric] | None = None,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Return every figure of a model on one set of images.

    Parameters
    ----------
    predictions
        What it predicts for them.
    model_id, model
        Its name, and the bytes of its file.
    protocol
        Describes how the images are separate from those of training.
    metrics
        By name; all of them by default, and how often each recommendation is made.
    resamples
        Bootstrap resamples of every interval but those of subgroups.
    """
    labels = np.array([CODES.index(r.dx) for r in predictions.records])
    lesions = np.array([r.lesion_id for r in predictions.records])
    probabilities = predictions.probabilities
    accepted = predictions.accepted
    figures = with_intervals(labels, probabilities, lesions, metrics, resamples)
    if metrics is None:
        figures |= _bands(predictions, lesions, resamples)
    return Evaluation(
        model=model_id,
        model_sha256=hashlib.sha256(model).hexdigest(),
        protocol=protocol,
        images=len(labels),
        lesions=len(set(lesions)),
        figures=figures,
        per_class=per_class(labels, probabilities, lesions, resamples),
        confusion=confusion(labels, probabilities),
        selective=Selective(
            coverage=float(accepted.mean()),
            accuracy=accuracy(labels[accepted], probabilities[accepted]) if accepted.any() else 0.0,
            balanced_accuracy=(
                balanced_accuracy(labels[accepted], probabilities[accepted])
                if accepted.any()
                else 0.0
            ),
        ),
        conformal=ConformalCheck(
            coverage=float(predictions.covered.mean()),
            mean_set_size=float(predictions.set_sizes.mean()),
            coverage_per_class={
                code: float(predictions.covered[labels == i].mean())
                for i, code in enumerate(CODES)
                if (labels == i).any()
            },
        ),
        subgroups=_subgroups(predictions.records, labels, probabilities, lesions),
        size=file_size(model),
    )


def _bands(
    predictions: Predictions, lesions: NDArray[np.str_], resamples: int
) -> dict[str, Interval]:
    """Return of what share of each group a recommendation is made; nothing where none is."""
    made = np.array(predictions.recommendations, dtype=object)
    if not any(made):
        return {}
    truth = np.array([r.dx for r in predictions.records], dtype=object)
    groups = (truth == Code.MEL, np.isin(truth, list(MALIGNANT)), truth == Code.NV)
    return {
        band_figure(group, recommendation): mean_over_lesions(
            (made[rows] == recommendation).astype(np.float64), lesions[rows], resamples
        )
        for recommendation in Recommendation
        for group, rows in zip(GROUPS, groups, strict=True)
        if rows.any()
    }


def _age_decade(record: ImageRecord) -> str:
    if record.age is None:
        return "unknown"
    decade = int(record.age // 10) * 10
    return f"{decade} to {decade + 9}"


_SUBGROUPS: Final[dict[str, Callable[[ImageRecord], str]]] = {
    "sex": lambda r: r.sex,
    "age": _age_decade,
    "localization": lambda r: r.localization,
    "dx_type": lambda r: r.dx_type or "unknown",
}


def _subgroups(
    records: Iterable[ImageRecord],
    labels: Labels,
    probabilities: Probabilities,
    lesions: NDArray[np.str_],
) -> dict[str, dict[str, dict[str, Interval | int]]]:
    """Return accuracy and malignant AUC of every subgroup of at least 30 images."""
    records = list(records)
    result: dict[str, dict[str, dict[str, Interval | int]]] = {}
    for kind, group_of in _SUBGROUPS.items():
        values = np.array([group_of(r) for r in records])
        result[kind] = {}
        for value in sorted(set(values)):
            rows = values == value
            if rows.sum() < SMALLEST_SUBGROUP:
                continue
            metrics: dict[str, Metric] = {"accuracy": accuracy}
            both = {CODES[i] in MALIGNANT for i in labels[rows]} == {False, True}
            if both:
                metrics["malignant_auc"] = malignant_auc
            figures = with_intervals(
                labels[rows], probabilities[rows], lesions[rows], metrics, resamples=300
            )
            result[kind][str(value)] = {"images": int(rows.sum()), **figures}
    return result
