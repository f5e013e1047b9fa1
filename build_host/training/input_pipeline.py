"""Training batches, read from the memory map as they are needed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from numpy.typing import NDArray

from build_host.keras import tf
from build_host.training import augmentation
from build_host.training.config import Augmentation, FitConfig
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec, scale


def shown_indices(
    config: FitConfig,
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    seed: int,
    epoch: int = 0,
) -> NDArray[np.int64]:
    """Return which images an epoch shows, drawn from `indices` alone.

    Parameters
    ----------
    labels
        Diagnosis of every image of the dataset: int64, (n,).
    indices
        The training part: int64.
    seed, epoch
        Decide what is drawn; RandomOverSampler repeats the same images in every epoch.
    """
    if config.balance == "none":
        return indices
    if config.balance == "random-oversample":
        sampler = RandomOverSampler(random_state=seed)
        repeated, _ = sampler.fit_resample(indices[:, None], labels[indices])
        return np.asarray(repeated[:, 0], dtype=np.int64)
    chances = _chances(config, labels[indices])
    return np.random.default_rng([seed, epoch]).choice(indices, len(indices), p=chances)


def shown_prior(
    config: FitConfig, labels: NDArray[np.int64], indices: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how often an epoch shows each diagnosis: float64, (7,), summing to 1."""
    if config.balance == "random-oversample":
        return np.full(len(CODES), 1.0 / len(CODES))
    chances = _chances(config, labels[indices])
    return np.bincount(labels[indices], chances, len(CODES))


def _chances(config: FitConfig, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    power = config.balance_power if config.balance == "power" else 1.0
    counts = np.bincount(labels, minlength=len(CODES)).astype(np.float64)
    weights = counts[labels] ** (power - 1.0)
    return weights / weights.sum()


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an epoch shows where teachers have been asked.

    Attributes
    ----------
    changes
        How each image is changed, as it was when its teachers saw it: float32, (n, `PARAMETERS`).
    targets
        What is to be said of it: float32, (n, 7), each row summing to 1.
    """

    changes: NDArray[np.float32]
    targets: NDArray[np.float32]


def batches(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    spec: InputSpec,
    batch: int,
    shuffle_seed: int | None = None,
    changes: Augmentation | None = None,
    lesson: Lesson | None = None,
    mixup: float = 0.0,
) -> tf.data.Dataset:
    """Return batches of scaled images and one-hot diagnoses.

    Parameters
    ----------
    images, labels
        Of the whole dataset; only the rows being shown are read. The images are as the model
        is shown them, or, where they are to be changed, whole frames.
    indices
        The rows to show, in this order unless shuffled.
    shuffle_seed
        Decides the order and the changes; None keeps the order.
    changes
        How the images are changed on the way.
    lesson
        For each of `indices`, instead of changes drawn here and the diagnosis itself.
    mixup
        Where images are changed: the alpha of the Beta distribution by which each is mixed with
        another of its batch, and so are their targets (arXiv:1710.09412); 0 mixes none.
    """
    places = np.arange(len(indices))
    if shuffle_seed is not None:
        places = np.random.default_rng(shuffle_seed).permutation(places)
    order = indices[places]
    one_hot = np.eye(len(CODES), dtype=np.float32)
    if changes is None:

        def gather(rows: NDArray[np.int64]) -> tuple[Any, ...]:
            return scale(images[rows], spec), one_hot[labels[rows]]

        shapes = [(None, spec.height, spec.width, 3), (None, len(CODES))]
        load = _loader(gather, shapes, [tf.float32] * 2)
        data = tf.data.Dataset.from_tensor_slices(order).batch(batch)
        return data.map(load, num_parallel_calls=2).prefetch(2)

    seed = shuffle_seed or 0
    if lesson is None:
        drawn, targets = augmentation.draw(changes, len(order), [seed]), one_hot[labels[order]]
    else:
        drawn, targets = lesson.changes[places], lesson.targets[places]
    partner = augmentation.mixing(mixup, len(order), [seed])

    def gather_frames(at: NDArray[np.int64]) -> tuple[Any, ...]:
        noise = np.array([seed, at[0]], dtype=np.int64)
        return images[order[at]], drawn[at], noise, partner[at], targets[at]

    def change(
        frames: tf.Tensor, numbers: tf.Tensor, noise: tf.Tensor, mixed: tf.Tensor, truth: tf.Tensor
    ) -> Any:
        square = spec.geometry == "center-square"
        pixels = augmentation.apply(frames, numbers, spec.height, spec.width, square, noise)
        if mixup:
            pixels = augmentation.mix(pixels, mixed[:, None, None, None])
            truth = augmentation.mix(truth, mixed[:, None])
        return pixels * spec.scale + spec.offset, truth

    many = len(CODES)
    load = _loader(
        gather_frames,
        [(None, *images.shape[1:]), (None, augmentation.PARAMETERS), (2,), (None,), (None, many)],
        [tf.uint8, tf.float32, tf.int64, tf.float32, tf.float32],
    )
    data = tf.data.Dataset.range(len(order)).batch(batch)
    return data.map(load, num_parallel_calls=2).map(change, num_parallel_calls=2).prefetch(2)


def _loader(
    gather: Callable[[NDArray[np.int64]], tuple[Any, ...]],
    shapes: list[tuple[int | None, ...]],
    dtypes: list[tf.DType],
) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    def load(rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        parts = tf.numpy_function(gather, [rows], dtypes)
        for part, shape in zip(parts, shapes, strict=True):
            part.set_shape(shape)
        return tuple(parts)

    return load


def steps_per_epoch(config: FitConfig, shown: int) -> int:
    """Return the number of batches in an epoch that shows so many images."""
    return -(-shown // config.batch)
