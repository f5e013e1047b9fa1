"""Measuring files for the table of the compression study."""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from build_host.evaluation.metrics import METRICS, Metric, balanced_accuracy, with_intervals
from build_host.evaluation.tflite_file import FileSize, file_size, latency_ratio
from build_host.reproduction.context import Context
from build_host.reproduction.networks import predict, uncalibrated_bundle
from build_host.reproduction.results import MeasuredFile
from device.diagnoses import CODES


def melanoma_recall(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the share of melanomas whose most likely diagnosis is melanoma.

    Parameters
    ----------
    labels
        int64, (n,).
    probabilities
        float64, (n, 7).
    """
    mel = CODES.index("mel")
    return float((probabilities[labels == mel].argmax(axis=1) == mel).mean())


TABLE_METRICS: Final[dict[str, Metric]] = {
    **{
        name: METRICS[name]
        for name in ("accuracy", "balanced_accuracy", "macro_auc", "malignant_auc")
    },
    "melanoma_recall": melanoma_recall,
}


class Measurer:
    """Measures files on the validation and the test fold, and against a reference's latency.

    Parameters
    ----------
    reference
        The base network's float32 ``.tflite`` file.
    """

    def __init__(self, context: Context, reference: bytes) -> None:
        self._context = context
        self._images = context.examples(context.config.fit).images
        self._reference = uncalibrated_bundle(context, reference)

    def measure(
        self, name: str, kind: str, content: bytes, sparsity: dict[str, float]
    ) -> MeasuredFile:
        """Return the table's row of a ``.tflite`` file."""
        bundle = uncalibrated_bundle(self._context, content)
        split = self._context.split
        pixels = np.asarray(self._images[split.test[0]])
        return self.row(
            name,
            kind,
            file_size(content),
            predict(bundle, self._images, split.validation),
            predict(bundle, self._images, split.test),
            sparsity,
            latency_ratio(bundle, self._reference, pixels),
        )

    def row(
        self,
        name: str,
        kind: str,
        size: FileSize,
        validation: NDArray[np.float64],
        test: NDArray[np.float64],
        sparsity: dict[str, float],
        ratio: float,
    ) -> MeasuredFile:
        """Return the table's row of any model.

        Parameters
        ----------
        validation, test
            Its probabilities on the two folds: float64, (n, 7).
        """
        labels, lesions = self._context.dataset.labels, self._context.dataset.lesions
        split = self._context.split
        return MeasuredFile(
            name=name,
            kind=kind,
            size=size,
            figures=with_intervals(
                labels[split.test],
                test,
                lesions[split.test],
                TABLE_METRICS,
                self._context.config.resamples,
            ),
            validation_balanced_accuracy=balanced_accuracy(labels[split.validation], validation),
            efficiency=0.0,
            accuracy_loss=0.0,
            size_reduction=0.0,
            sparsity=sparsity,
            latency_ratio=ratio,
        )


def relative_to_first(rows: list[MeasuredFile]) -> list[MeasuredFile]:
    """Return rows with their efficiency, and what they lose and save against the first."""
    first = rows[0]
    reference = first.figures["accuracy"].value
    result = []
    for row in rows:
        accuracy = row.figures["accuracy"].value
        result.append(
            msgspec.structs.replace(
                row,
                efficiency=accuracy / (row.size.bytes / 2**20),
                accuracy_loss=reference - accuracy,
                size_reduction=1.0 - row.size.bytes / first.size.bytes,
            )
        )
    return result


def smallest_without_loss(rows: list[MeasuredFile], tolerance: float = 0.01) -> MeasuredFile:
    """Return the smallest int8 file whose balanced accuracy is within a point of the base's.

    Chosen on the validation fold, so that the test fold decides nothing.
    """
    base = next(r for r in rows if (r.name, r.kind) == ("base", "float32"))
    floor = base.validation_balanced_accuracy - tolerance
    good = [r for r in rows if r.kind == "int8" and r.validation_balanced_accuracy >= floor]
    return min(good or [base], key=lambda r: r.size.gzip_bytes)
