"""A sheet of example images: what a model gets right and wrong, with its saliency maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.segmentations import SEGMENTATIONS_FOLDER, read_segmentation
from build_host.evaluation.predictions import predict
from device.diagnoses import CODES, Code
from device.frame import frame_now
from device.imaging.field_of_view import crop, saliency_over_field
from device.imaging.overlay import blend_overlay
from device.imaging.preprocessing import crop_field
from device.inference.analyzer import Analyzer
from device.models.bundle import Bundle

_SIDE: Final = 150
_OF_EACH: Final = 2
_CONTOUR: Final = (0, 230, 230)


@dataclass(frozen=True, slots=True)
class Example:
    """An image and its prediction.

    Attributes
    ----------
    predicted
        The most likely diagnosis.
    probability
        Of that, 0 to 1.
    abstained
        Whether the model makes no call.
    """

    record: ImageRecord
    predicted: Code
    probability: float
    abstained: bool = False

    @property
    def correct(self) -> bool:
        """Whether the most likely diagnosis is the true one."""
        return self.predicted == self.record.dx


def choose_examples(
    examples: Sequence[Example],
) -> list[tuple[Code, list[Example], list[Example]]]:
    """Return, for each diagnosis, typical correct predictions and the most confident wrong ones.

    A correct prediction is typical where half of them are less confident: the most confident ones
    would flatter the model.
    """
    chosen = []
    for code in CODES:
        of_code = [e for e in examples if e.record.dx == code]
        correct = sorted((e for e in of_code if e.correct), key=lambda e: e.probability)
        wrong = sorted((e for e in of_code if not e.correct), key=lambda e: -e.probability)
        middle = max(0, (len(correct) - _OF_EACH) // 2)
        chosen.append((code, correct[middle : middle + _OF_EACH], wrong[:_OF_EACH]))
    return chosen


def example_sheet(bundle: Bundle, dataset: Dataset, data: Path | None) -> Figure:
    """Return a sheet of correct and wrong predictions of each diagnosis, with saliency maps.

    Each example is three pictures: the lesion, with its segmentation; the map of the live view;
    and that of a captured picture. Both maps are of the predicted diagnosis.

    Parameters
    ----------
    data
        HAM10000, for the segmentations, where it has them; or None.
    """
    analyzer = Analyzer(bundle)
    predictions = predict(analyzer, dataset)
    likeliest = predictions.probabilities.argmax(axis=1)
    examples = [
        Example(record, CODES[k], float(p[k]), not accepted)
        for record, k, p, accepted in zip(
            dataset.records,
            likeliest,
            predictions.probabilities,
            predictions.accepted,
            strict=True,
        )
    ]
    columns = 2 * _OF_EACH
    figure = Figure(figsize=(5.4 * columns, 2.3 * len(CODES)), layout="constrained")
    figure.suptitle(
        f"{bundle.manifest.model_id}, {len(examples)} images of {dataset.name}: the lesion and its "
        "segmentation, and maps of the predicted diagnosis: the live view's, a captured picture's",
        fontsize=15,
    )
    axes = figure.subplots(len(CODES), columns, squeeze=False)
    for row, (code, correct, wrong) in zip(axes, choose_examples(examples), strict=True):
        for ax in row:
            ax.set_axis_off()
        row[0].text(-0.06, 0.5, code, fontsize=15, ha="right", transform=row[0].transAxes)
        for start, some in ((0, correct), (_OF_EACH, wrong)):
            for ax, example in zip(row[start:], some, strict=False):
                ax.imshow(_pictures(example, analyzer, dataset, data))
                verdict = "correct" if example.correct else f"predicted {example.predicted}"
                no_call = ", but no call" if example.abstained else ""
                ax.set_title(f"{verdict}, {example.probability:.0%}{no_call}", fontsize=13)
    return figure


def _pictures(
    example: Example, analyzer: Analyzer, dataset: Dataset, data: Path | None
) -> NDArray[np.uint8]:
    pixels = dataset.read(example.record)
    frame = frame_now(pixels, 0, dataset.name)
    field = crop_field(pixels).field
    resized = cv2.resize(crop(pixels, field), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    seen = np.asarray(resized, np.uint8)
    outlined = seen.copy()
    if data is not None and (data / SEGMENTATIONS_FOLDER).is_dir():
        lesion = read_segmentation(data, example.record.image_id).astype(np.uint8)
        size = (pixels.shape[1], pixels.shape[0])
        lesion = np.asarray(cv2.resize(lesion, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        _draw_contour(outlined, crop(lesion, field))
    geometry = analyzer.manifest.live.input.geometry

    def with_map(as_captured: bool) -> NDArray[np.uint8]:
        values = analyzer.explain(frame, example.predicted, as_captured=as_captured).values
        return blend_overlay(seen, saliency_over_field(values, pixels.shape, geometry, field))

    gap = np.full((_SIDE, 4, 3), 255, np.uint8)
    return np.hstack([outlined, gap, with_map(as_captured=False), gap, with_map(as_captured=True)])


def _draw_contour(pixels: NDArray[np.uint8], lesion: NDArray[np.uint8]) -> None:
    resized = cv2.resize(lesion, pixels.shape[:2], interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(resized, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(pixels, contours, -1, _CONTOUR, 1)
