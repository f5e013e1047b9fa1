"""A model judged through the instrument's own Analyzer: what is measured is what ships."""

import gzip
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Collection, ImageRecord
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
    per_class,
    with_intervals,
)
from device.capture.frame import frame_now
from device.diagnoses import CODES, Code
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding
from device.inference.interpreter import Answer
from device.inference.manifest import Interval

SMALLEST_SUBGROUP: Final = 30


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What an analyzer said of a collection's images.

    Attributes
    ----------
    records
        The images.
    probabilities
        float64, (n, 7).
    covered
        bool, (n,): whether the true diagnosis is in the prediction set.
    set_sizes
        int64, (n,).
    called
        bool, (n,): whether the model made a call on what it saw, whatever the quality.
    """

    records: tuple[ImageRecord, ...]
    probabilities: Probabilities
    covered: NDArray[np.bool_]
    set_sizes: NDArray[np.int64]
    called: NDArray[np.bool_]


class Sizes(msgspec.Struct, frozen=True):
    """Bytes of the model file, as it is and after ``gzip -9``."""

    bytes: int
    gzip_bytes: int


class Selective(msgspec.Struct, frozen=True):
    """What "no call" costs and gives: over the images on which a call is made."""

    coverage: float
    accuracy: float
    balanced_accuracy: float


class ConformalCheck(msgspec.Struct, frozen=True):
    """Share of true diagnoses inside the prediction set, and the mean size of the set."""

    coverage: float
    mean_set_size: float
    coverage_per_class: dict[str, float]


class Evaluation(msgspec.Struct, frozen=True):
    """Everything measured of one model on one set of images."""

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
    size: Sizes


def predict(
    analyzer: Analyzer, collection: Collection, quiet: bool = False, averaged: bool = False
) -> Predictions:
    """Run every image of a collection through the analyzer, from its file to its finding.

    Parameters
    ----------
    averaged
        As the shutter does it, which averages where the bundle says so.
    """
    findings: list[Finding] = []
    for i, record in enumerate(track(collection.records, "Analyzing images", disable=quiet)):
        frame = frame_now(collection.read(record), i, collection.name)
        finding = analyzer.analyze_burst([frame])[1] if averaged else analyzer.analyze(frame)
        findings.append(finding)
    truth = [r.dx for r in collection.records]
    return Predictions(
        records=collection.records,
        probabilities=np.array([f.probabilities for f in findings]),
        covered=np.array([dx in f.prediction_set for dx, f in zip(truth, findings, strict=True)]),
        set_sizes=np.array([len(f.prediction_set) for f in findings]),
        called=np.array([f.doubt is None for f in findings]),
    )


def raw_answers(analyzer: Analyzer, collection: Collection, quiet: bool = False) -> list[Answer]:
    """Return what the network gives for every image, uncalibrated."""
    records = track(collection.records, "Calibrating", disable=quiet)
    return [analyzer.answer(collection.read(r)) for r in records]


def evaluate(
    predictions: Predictions,
    model_id: str,
    model: bytes,
    protocol: str,
    metrics: dict[str, Metric] | None = None,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Return every figure of a model.

    Parameters
    ----------
    predictions
        What it said.
    model_id, model
        Its name, and the bytes of its file.
    protocol
        Says how the images were held apart from training.
    metrics
        By their names; all of them by default.
    resamples
        Bootstrap resamples of every interval but the subgroups'.
    """
    labels = np.array([CODES.index(r.dx) for r in predictions.records])
    lesions = np.array([r.lesion_id for r in predictions.records])
    probabilities = predictions.probabilities
    called = predictions.called
    return Evaluation(
        model=model_id,
        model_sha256=hashlib.sha256(model).hexdigest(),
        protocol=protocol,
        images=len(labels),
        lesions=len(set(lesions)),
        figures=with_intervals(labels, probabilities, lesions, metrics, resamples),
        per_class=per_class(labels, probabilities, lesions, resamples),
        confusion=confusion(labels, probabilities),
        selective=Selective(
            coverage=float(called.mean()),
            accuracy=accuracy(labels[called], probabilities[called]) if called.any() else 0.0,
            balanced_accuracy=(
                balanced_accuracy(labels[called], probabilities[called]) if called.any() else 0.0
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
        size=Sizes(len(model), len(gzip.compress(model, 9, mtime=0))),
    )


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
    for kind, of in _SUBGROUPS.items():
        values = np.array([of(r) for r in records])
        result[kind] = {}
        for value in sorted(set(values)):
            rows = values == value
            if rows.sum() < SMALLEST_SUBGROUP:
                continue
            metrics = {"accuracy": accuracy}
            malignant = {CODES[i] in ("akiec", "bcc", "mel") for i in labels[rows]}
            if len(malignant) == 2:
                metrics["malignant_auc"] = malignant_auc
            figures = with_intervals(
                labels[rows], probabilities[rows], lesions[rows], metrics, resamples=300
            )
            result[kind][str(value)] = {"images": int(rows.sum()), **figures}
    return result
