"""Sections 3.1 and 3.2: what is in the dataset, and how oversampling balances it."""

from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.reproduction.context import Context
from build_host.reproduction.results import DataSummary, Oversampling
from device.diagnoses import CODES

_COLUMNS: dict[str, Callable[[ImageRecord], str]] = {
    "dx": lambda r: r.dx,
    "dx_type": lambda r: r.dx_type or "unknown",
    "age": lambda r: "unknown" if r.age is None else f"{r.age:g}",
    "sex": lambda r: r.sex,
    "localization": lambda r: r.localization,
}


def summarize(dataset: Dataset) -> DataSummary:
    """Return a dataset's counts, missing values, and lesions with several images."""
    records = dataset.records
    lesions = Counter(r.lesion_id for r in records)
    counts = {
        name: dict(Counter(value_of(r) for r in records).most_common())
        for name, value_of in _COLUMNS.items()
    }
    repeated = [n for n in lesions.values() if n > 1]
    return DataSummary(
        images=len(records),
        lesions=len(lesions),
        lesions_with_repeats=len(repeated),
        images_of_repeated_lesions=sum(repeated),
        counts=counts,
        missing={name: groups.get("unknown", 0) for name, groups in counts.items()},
    )


def oversampled_indices(context: Context) -> NDArray[np.int64]:
    """Return the training images as RandomOverSampler repeats them: int64, (n,)."""
    from build_host.training.input_pipeline import epoch_indices

    labels, config = context.dataset.labels, context.config
    return epoch_indices(config.protocol_fit, labels, context.split.train, config.seed)


def summarize_oversampling(context: Context, oversampled: NDArray[np.int64]) -> Oversampling:
    """Return the training part's diagnoses before and after oversampling.

    Parameters
    ----------
    oversampled
        What `oversampled_indices` returns: int64, (n,).
    """
    labels = context.dataset.labels
    before = np.bincount(labels[context.split.train], minlength=len(CODES))
    after = np.bincount(labels[oversampled], minlength=len(CODES))
    return Oversampling(
        before=dict(zip(CODES, map(int, before), strict=True)),
        after=dict(zip(CODES, map(int, after), strict=True)),
    )
