"""Out-of-distribution detection: whether a model notices what is not a lesion."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
from rich.progress import track
from sklearn.metrics import roc_auc_score

from build_host.datasets.dataset import Dataset
from build_host.evaluation.out_of_distribution_images import Pixels, images_by_kind
from device.frame import Frame, frame_now
from device.inference.finding import Finding


class DetectionFigures(msgspec.Struct, frozen=True):
    """How well one kind of image is distinguished from lesions.

    Attributes
    ----------
    auroc
        Area under the ROC curve of the bundle's score against the lesions of the test fold; 1
        separates them all.
    no_call
        Share on which the model abstains, whatever the image's quality.
    refused
        Share on which the device makes no call, for quality or because the model abstains.
    """

    kind: str
    images: int
    auroc: float
    no_call: float
    refused: float


def measure_detection(
    analyze: Callable[[Frame], Finding],
    score: Callable[[Pixels], float],
    lesions: Dataset,
    data: Path,
    quiet: bool = False,
) -> list[DetectionFigures]:
    """Return the figures of every kind of image; the first row is the lesions themselves.

    Parameters
    ----------
    analyze
        The device's Analyzer.
    score
        The in-distribution score of an image (uint8, (height, width, 3), RGB), high for lesions.
    lesions
        Images of the test fold.
    data
        HAM10000, for the segmentations of these lesions.
    """

    def measured(pixels: Pixels) -> tuple[float, bool, bool]:
        finding = analyze(frame_now(pixels, 0, "out-of-distribution"))
        return score(pixels), finding.abstention is not None, finding.no_call is not None

    known = [measured(lesions.read(r)) for r in lesions.records]
    result = [_figures("lesions of the test fold", known, 0.5)]
    for kind, images in track(
        images_by_kind(lesions, data).items(), "Out-of-distribution images", disable=quiet
    ):  # fmt: skip
        other = [measured(pixels) for pixels in images()]
        if not other:
            continue
        truth = [0] * len(known) + [1] * len(other)
        auroc = float(roc_auc_score(truth, [-value for value, _, _ in [*known, *other]]))
        result.append(_figures(kind, other, auroc))
    return result


def _figures(kind: str, measured: list[tuple[float, bool, bool]], auroc: float) -> DetectionFigures:
    return DetectionFigures(
        kind=kind,
        images=len(measured),
        auroc=auroc,
        no_call=float(np.mean([abstained for _, abstained, _ in measured])),
        refused=float(np.mean([refused for _, _, refused in measured])),
    )
