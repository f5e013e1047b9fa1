"""A model judged through the instrument's own Analyzer: what is measured is what ships."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.evaluation.metrics import Probabilities
from device.capture.frame import frame_now
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding
from device.inference.interpreter import Answer


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What an analyzer said of a dataset's images.

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


def predict(
    analyzer: Analyzer, dataset: Dataset, quiet: bool = False, averaged: bool = False
) -> Predictions:
    """Run every image of a dataset through the analyzer, from its file to its finding.

    Parameters
    ----------
    averaged
        As the shutter does it, which averages where the bundle says so.
    """
    findings: list[Finding] = []
    for i, record in enumerate(track(dataset.records, "Analyzing images", disable=quiet)):
        frame = frame_now(dataset.read(record), i, dataset.name)
        finding = analyzer.analyze_burst([frame])[1] if averaged else analyzer.analyze(frame)
        findings.append(finding)
    truth = [r.dx for r in dataset.records]
    return Predictions(
        records=dataset.records,
        probabilities=np.array([f.probabilities for f in findings]),
        covered=np.array([dx in f.prediction_set for dx, f in zip(truth, findings, strict=True)]),
        set_sizes=np.array([len(f.prediction_set) for f in findings]),
        called=np.array([f.doubt is None for f in findings]),
    )


def raw_answers(analyzer: Analyzer, dataset: Dataset, quiet: bool = False) -> list[Answer]:
    """Return what the network gives for every image, uncalibrated."""
    records = track(dataset.records, "Calibrating", disable=quiet)
    return [analyzer.answer(dataset.read(r)) for r in records]
