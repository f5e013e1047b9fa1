"""A page of what is in a collection: how often each diagnosis occurs, and examples of each."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset, ImageRecord
from device.diagnoses import CODES

_EXAMPLES: Final = 8
_SIDE: Final = 150
_MOST_BARS: Final = 14


def _decade(record: ImageRecord) -> str:
    return "unknown" if record.age is None else f"{int(record.age // 10) * 10:>3}s"


_COUNTED: Final[Mapping[str, Callable[[ImageRecord], str]]] = {
    "Diagnosis": lambda r: str(r.dx),
    "Source": lambda r: r.source or "unknown",
    "Age": _decade,
    "Sex": lambda r: r.sex,
    "Site": lambda r: r.localization,
    "Skin tone, 0 very dark to 5 very light": lambda r: r.skin_tone or "unknown",
}


def data_sheet(dataset: Dataset, seed: int = 0) -> Figure:
    """Return the page.

    Parameters
    ----------
    dataset
        The collection; each image that is drawn is read.
    seed
        Decides which examples are drawn.
    """
    columns = 3
    rows = -(-len(_COUNTED) // columns)
    figure = Figure(figsize=(14, 3.2 * rows + 1.55 * len(CODES)), layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=[3.2 * rows, 1.55 * len(CODES)])
    upper, lower = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    lesions = len({r.lesion_id for r in dataset.records})
    upper.suptitle(f"{dataset.name}: {len(dataset):,} images of {lesions:,} lesions")
    for axes, (title, value_of) in zip(
        upper.subplots(rows, columns).flat, _COUNTED.items(), strict=True
    ):
        _draw_counts(axes, title, Counter(value_of(r) for r in dataset.records))
    random = np.random.default_rng(seed)
    lines = lower.subplots(len(CODES), 1)
    for axes, (i, code) in zip(lines, enumerate(CODES), strict=True):
        own = np.flatnonzero(dataset.labels == i)
        chosen = random.permutation(own)[:_EXAMPLES]
        strip = [_square(dataset.read(dataset.records[row])) for row in chosen]
        strip += [np.full((_SIDE, _SIDE, 3), 255, np.uint8)] * (_EXAMPLES - len(strip))
        axes.imshow(np.hstack(strip))
        axes.set_ylabel(f"{code}\n{len(own):,}", rotation=0, ha="right", va="center")
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def _draw_counts(axes: Axes, title: str, counts: Counter[str]) -> None:
    ordered = sorted(counts.items()) if title.startswith(("Age", "Skin")) else counts.most_common()
    shown = ordered[:_MOST_BARS]
    rest = sum(counts.values()) - sum(count for _, count in shown)
    if rest:
        shown.append(("others", rest))
    names, values = zip(*shown, strict=True)
    bars = axes.barh(range(len(names)), values, color="#4878a8")
    axes.bar_label(bars, [f"{v:,}" for v in values], padding=2, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.18 * max(values))
    axes.set_title(title, fontsize=10)


def _square(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    framed = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    top, left = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
    framed[top : top + size[1], left : left + size[0]] = small
    return framed
