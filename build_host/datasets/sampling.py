"""A part of a data set that stands for the whole."""

import numpy as np

from build_host.datasets.dataset import Collection
from device.diagnoses import CODES


def even_sample(collection: Collection, images: int, seed: int = 0) -> Collection:
    """Return that many images, as even over the diagnoses as there are any.

    Two thirds of the data set are naevi: a model that calls everything a naevus would hide the
    fall.
    """
    random = np.random.default_rng(seed)
    labels = collection.labels
    queues = [list(random.permutation(np.flatnonzero(labels == i))) for i in range(len(CODES))]
    chosen: list[int] = []
    while len(chosen) < images and any(queues):
        chosen += [int(queue.pop()) for queue in queues if queue]
    return collection.subset(np.sort(np.array(chosen[:images], np.int64)))
