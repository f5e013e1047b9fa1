"""A page to look at: what a model got right and wrong, and what its maps say of it."""

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
from device.capture.frame import Frame, frame_now
from device.diagnoses import CODES, Code
from device.imaging.field import cut, map_over_field
from device.imaging.overlay import blend
from device.imaging.preprocessing import look_at
from device.inference.analyzer import Analyzer
from device.inference.bundle import Bundle

_SIDE: Final = 150
_OF_EACH: Final = 2
_LINE: Final = (0, 230, 230)


@dataclass(frozen=True, slots=True)
class Example:
    """An image and what was said of it.

    Attributes
    ----------
    called
        The likeliest diagnosis.
    probability
        Of that, 0 to 1.
    doubted
        The instrument makes no call.
    """

    record: ImageRecord
    called: Code
    probability: float
    doubted: bool = False

    @property
    def hit(self) -> bool:
        """Whether the likeliest diagnosis is the true one."""
        return self.called == self.record.dx


def choose(examples: Sequence[Example]) -> list[tuple[Code, list[Example], list[Example]]]:
    """Return each diagnosis with hits that are typical and the failures that were surest.

    A hit is typical where half of the hits were less sure: the surest would flatter the model.
    """
    chosen = []
    for code in CODES:
        of_code = [e for e in examples if e.record.dx == code]
        hits = sorted((e for e in of_code if e.hit), key=lambda e: e.probability)
        failures = sorted((e for e in of_code if not e.hit), key=lambda e: -e.probability)
        middle = max(0, (len(hits) - _OF_EACH) // 2)
        chosen.append((code, hits[middle : middle + _OF_EACH], failures[:_OF_EACH]))
    return chosen


def example_sheet(bundle: Bundle, dataset: Dataset, folder: Path) -> Figure:
    """Return a page of hits and failures of each diagnosis, with the maps of what was called.

    Each example is three pictures: the lesion, with the outline that people drew; the map of the
    live view, and that of a held picture, both for what was called.

    Parameters
    ----------
    folder
        HAM10000, for the outlines, where it has them.
    """
    analyzer = Analyzer(bundle)
    predictions = predict(analyzer, dataset)
    called = predictions.probabilities.argmax(axis=1)
    examples = [
        Example(record, CODES[k], float(p[k]), not sure)
        for record, k, p, sure in zip(
            dataset.records, called, predictions.probabilities, predictions.accepted, strict=True
        )
    ]
    columns = 2 * _OF_EACH
    figure = Figure(figsize=(5.4 * columns, 2.3 * len(CODES)), layout="constrained")
    figure.suptitle(
        f"{bundle.manifest.model_id}, {len(examples)} images of {dataset.name}: the lesion and "
        "its outline, and the maps of what was called: the live view's, that of a held picture",
        fontsize=15,
    )
    axes = figure.subplots(len(CODES), columns, squeeze=False)
    for row, (code, hits, failures) in zip(axes, choose(examples), strict=True):
        for ax in row:
            ax.set_axis_off()
        row[0].text(-0.06, 0.5, code, fontsize=15, ha="right", transform=row[0].transAxes)
        for start, some in ((0, hits), (_OF_EACH, failures)):
            for ax, example in zip(row[start:], some, strict=False):
                ax.imshow(_pictures(example, analyzer, dataset, folder))
                verdict = "called so" if example.hit else f"called {example.called}"
                no_call = ", but no call" if example.doubted else ""
                ax.set_title(f"{verdict}, {example.probability:.0%}{no_call}", fontsize=13)
    return figure


def _pictures(
    example: Example, analyzer: Analyzer, dataset: Dataset, folder: Path
) -> NDArray[np.uint8]:
    pixels = dataset.read(example.record)
    frame = frame_now(pixels, 0, dataset.name)
    field = look_at(pixels).field
    seen = cv2.resize(cut(pixels, field), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    outlined = np.asarray(seen, np.uint8).copy()
    if (folder / SEGMENTATIONS_FOLDER).is_dir():
        inside = read_segmentation(folder, example.record.image_id).astype(np.uint8)
        size = (pixels.shape[1], pixels.shape[0])
        inside = np.asarray(cv2.resize(inside, size, interpolation=cv2.INTER_NEAREST))
        _draw_contour(outlined, cut(inside, field))
    geometry = analyzer.manifest.input.geometry

    def mapped(frame: Frame, frozen: bool) -> NDArray[np.uint8]:
        values = analyzer.explain(frame, example.called, frozen=frozen).values
        return blend(
            np.asarray(seen, np.uint8), map_over_field(values, pixels.shape, geometry, field)
        )

    gap = np.full((_SIDE, 4, 3), 255, np.uint8)
    return np.hstack([outlined, gap, mapped(frame, False), gap, mapped(frame, True)])


def _draw_contour(pixels: NDArray[np.uint8], inside: NDArray[np.uint8]) -> None:
    wide = cv2.resize(inside, pixels.shape[:2], interpolation=cv2.INTER_NEAREST)
    lines, _ = cv2.findContours(wide, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(pixels, lines, -1, _LINE, 1)
