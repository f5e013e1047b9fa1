"""What a bundle predicts for a dataset, through the device's own Analyzer.

So what is measured is what ships.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.evaluation.metrics import Probabilities
from device.frame import frame_now
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding
from device.inference.recommendation import Recommendation


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What an analyzer predicts for a dataset's images.

    Attributes
    ----------
    records
        The images.
    probabilities
        float64, (n, 7).
    covered
        Whether the true diagnosis is in the prediction set: bool, (n,).
    set_sizes
        Diagnoses in the prediction set: int64, (n,).
    accepted
        Whether the model does not abstain, whatever the image's quality: bool, (n,).
    warnings
        Why no call should be made of an image, in one word each: what falls short of its quality,
        and why the model abstains.
    recommendations
        What is recommended, or None.
    """

    records: tuple[ImageRecord, ...]
    probabilities: Probabilities
    covered: NDArray[np.bool_]
    set_sizes: NDArray[np.int64]
    accepted: NDArray[np.bool_]
    warnings: tuple[tuple[str, ...], ...] = ()
    recommendations: tuple[Recommendation | None, ...] = ()


def predict(
    analyzer: Analyzer, dataset: Dataset, quiet: bool = False, averaged: bool = False
) -> Predictions:
    """Run every image of a dataset through the analyzer, from its file to its finding.

    Parameters
    ----------
    quiet
        No progress bar.
    averaged
        As a burst of the shutter, which averages over views where the bundle says so.
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
        accepted=np.array([f.abstention is None for f in findings]),
        warnings=tuple(
            (*f.quality.shortcomings, *([f.abstention] if f.abstention else ())) for f in findings
        ),
        recommendations=tuple(f.recommendation for f in findings),
    )
