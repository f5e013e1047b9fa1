"""Training batches, read from the memory map as they are needed."""

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from numpy.typing import NDArray

from build_host.keras import tf
from build_host.training.config import FitConfig
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec, scale


def balanced_indices(
    labels: NDArray[np.int64], indices: NDArray[np.int64], balance: str, seed: int
) -> NDArray[np.int64]:
    """Return which images an epoch shows: `indices`, repeated where the run balances classes.

    Parameters
    ----------
    labels
        Diagnosis of every image of the collection: int64, (n,).
    indices
        The training part alone: int64.
    balance
        As in `FitConfig`.
    seed
        Decides which images are repeated.
    """
    if balance == "none":
        return indices
    sampler = RandomOverSampler(random_state=seed)
    repeated, _ = sampler.fit_resample(indices[:, None], labels[indices])
    return np.asarray(repeated[:, 0], dtype=np.int64)


def batches(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    spec: InputSpec,
    batch: int,
    shuffle_seed: int | None = None,
) -> tf.data.Dataset:
    """Return batches of scaled images and one-hot diagnoses.

    Parameters
    ----------
    images, labels
        Of the whole collection; only the rows being shown are read.
    indices
        The rows to show, in this order unless shuffled.
    shuffle_seed
        Decides the order; None keeps it.
    """
    order = (
        indices
        if shuffle_seed is None
        else np.random.default_rng(shuffle_seed).permutation(indices)
    )

    def gather(rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        one_hot = np.eye(len(CODES), dtype=np.float32)[labels[rows]]
        return scale(images[rows], spec), one_hot

    def load(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, one_hot = tf.numpy_function(gather, [rows], (tf.float32, tf.float32))
        pixels.set_shape((None, spec.height, spec.width, 3))
        one_hot.set_shape((None, len(CODES)))
        return pixels, one_hot

    return (
        tf.data.Dataset.from_tensor_slices(order)
        .batch(batch)
        .map(load, num_parallel_calls=2)
        .prefetch(2)
    )


def steps_per_epoch(config: FitConfig, shown: int) -> int:
    """Return the number of batches in an epoch that shows so many images."""
    return -(-shown // config.batch)
