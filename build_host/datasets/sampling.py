"""Smaller samples of a dataset."""

import numpy as np

from build_host.datasets.dataset import Dataset
from device.diagnoses import CODES


def balanced_sample(dataset: Dataset, images: int, seed: int = 0) -> Dataset:
    """Return a random sample, spread over the diagnoses as evenly as their images allow.

    Two thirds of HAM10000 are naevi: on a plain random sample, a model that calls everything a
    naevus would look accurate.

    Parameters
    ----------
    images
        How many, or all where the dataset has fewer.
    seed
        Decides which.
    """
    random = np.random.default_rng(seed)
    labels = dataset.labels
    queues = [list(random.permutation(np.flatnonzero(labels == i))) for i in range(len(CODES))]
    chosen: list[int] = []
    while len(chosen) < images and any(queues):
        chosen += [int(queue.pop()) for queue in queues if queue]
    return dataset.subset(np.sort(np.array(chosen[:images], np.int64)))
