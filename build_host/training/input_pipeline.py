"""The training input pipeline: batches read from the memory map as they are needed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from imblearn.over_sampling import RandomOverSampler
from numpy.typing import NDArray

from build_host.keras import tf
from build_host.training import augmentation
from build_host.training.config import AugmentationConfig, FitConfig
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec, scale_pixels

_ABSENT: Final = 0.5


def epoch_indices(
    config: FitConfig,
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    seed: int,
    epoch: int = 0,
) -> NDArray[np.int64]:
    """Return which images an epoch trains on: int64, (m,), drawn from `indices` alone.

    Parameters
    ----------
    labels
        Diagnosis of every image of the dataset: int64, (n,).
    indices
        The training part: int64, (k,).
    seed, epoch
        Decide what is drawn; RandomOverSampler repeats the same images in every epoch.
    """
    if config.balance == "none":
        return indices
    if config.balance == "random-oversample":
        sampler = RandomOverSampler(random_state=seed)
        repeated, _ = sampler.fit_resample(indices[:, None], labels[indices])
        return np.asarray(repeated[:, 0], dtype=np.int64)
    weights = _sampling_weights(config, labels[indices])
    drawn = np.random.default_rng([seed, epoch]).choice(indices, len(indices), p=weights)
    return np.asarray(drawn, dtype=np.int64)


def epoch_priors(
    config: FitConfig,
    labels: NDArray[np.int64],
    sources: NDArray[np.int64],
    indices: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return how often an epoch shows each diagnosis among a source's images.

    A network that is told these frequencies by the loss (logit adjustment) has nothing to gain by
    guessing the clinic from the picture: what is left to learn is how likely the picture is of each
    diagnosis.

    Parameters
    ----------
    labels, indices
        As in `epoch_indices`.
    sources
        Source of every image of the dataset: int64, (n,).

    Returns
    -------
    numpy.ndarray
        float64, (sources, 7), each row summing to 1. A diagnosis that a source does not have counts
        for half an image.
    """
    count = int(sources.max(initial=0)) + 1
    if config.balance == "random-oversample" and count == 1:
        return np.full((1, len(CODES)), 1.0 / len(CODES))
    own = labels[indices]
    power = 0.0 if config.balance == "random-oversample" else None
    weights = _sampling_weights(config, own, power)
    least = _ABSENT * weights.mean() if len(weights) else 1.0
    priors = np.zeros((count, len(CODES)))
    np.add.at(priors, (sources[indices], own), weights)
    priors = np.maximum(priors, least)
    rows: NDArray[np.float64] = priors / priors.sum(axis=1, keepdims=True)
    return rows


def _sampling_weights(
    config: FitConfig, labels: NDArray[np.int64], power: float | None = None
) -> NDArray[np.float64]:
    if power is None:
        power = config.balance_power if config.balance == "power" else 1.0
    counts = np.bincount(labels, minlength=len(CODES)).astype(np.float64)
    weights: NDArray[np.float64] = counts[labels] ** (power - 1.0)
    weights /= weights.sum()
    return weights


@dataclass(frozen=True, slots=True)
class DistillationEpoch:
    """What an epoch trains on where a run has teachers: a row for each of its images.

    Attributes
    ----------
    parameters
        How each image is augmented, just as its teachers saw it: float32, (n,
        `build_host.training.augmentation.PARAMETER_COUNT`).
    targets
        The probabilities to learn: float32, (n, 7), each row summing to 1.
    """

    parameters: NDArray[np.float32]
    targets: NDArray[np.float32]


def batches(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    spec: InputSpec,
    batch: int,
    shuffle_seed: int | None = None,
    augment: AugmentationConfig | None = None,
    distillation: DistillationEpoch | None = None,
    mixup: float = 0.0,
    adjustment: NDArray[np.float32] | None = None,
) -> tf.data.Dataset:
    """Return batches of scaled images and one-hot, or soft, targets.

    Parameters
    ----------
    images
        Of the whole dataset; only the rows that are used are read. uint8, (n, height, width, 3),
        RGB: the model's input before scaling, or whole frames where they are augmented.
    labels
        int64, (n,).
    indices
        The rows to use, in this order unless shuffled: int64, (m,).
    spec
        The model's input.
    batch
        Images in a batch.
    shuffle_seed
        Decides the order and the augmentation; None keeps the order.
    augment
        How to augment the images.
    distillation
        For each of `indices`, in place of an augmentation drawn here and of the true diagnosis.
    mixup
        Alpha of mixup (arXiv:1710.09412) of augmented images and their targets; 0 for none.
    adjustment
        What the loss adds to the logits of each of `indices`, behind the targets: float32, (m, 7).

    Returns
    -------
    tensorflow.data.Dataset
        Pairs of float32, (batch, height, width, 3), and float32, (batch, 7), or (batch, 14) with
        an adjustment.
    """
    places = np.arange(len(indices))
    if shuffle_seed is not None:
        places = np.random.default_rng(shuffle_seed).permutation(places)
    order = indices[places]
    if distillation is None:
        targets = np.eye(len(CODES), dtype=np.float32)[labels[order]]
    else:
        targets = distillation.targets[places]
    if adjustment is not None:
        targets = np.hstack([targets, adjustment[places]])
    if augment is None:

        def gather(at: NDArray[np.int64]) -> tuple[Any, ...]:
            return scale_pixels(images[order[at]], spec), targets[at]

        shapes = [(None, spec.height, spec.width, 3), (None, targets.shape[1])]
        load = _loader(gather, shapes, [tf.float32] * 2)
        data = tf.data.Dataset.range(len(order)).batch(batch)
        return data.map(load, num_parallel_calls=2).prefetch(2)

    seed = shuffle_seed or 0
    if distillation is None:
        parameters = augmentation.draw_parameters(augment, len(order), [seed])
    else:
        parameters = distillation.parameters[places]
    weights = augmentation.draw_mixup(mixup, len(order), [seed])

    def gather_frames(at: NDArray[np.int64]) -> tuple[Any, ...]:
        noise_seed = np.array([seed, at[0]], dtype=np.int64)
        return images[order[at]], parameters[at], noise_seed, weights[at], targets[at]

    def to_model_input(
        frames: tf.Tensor,
        drawn: tf.Tensor,
        noise_seed: tf.Tensor,
        mix: tf.Tensor,
        target: tf.Tensor,
    ) -> Any:
        square = spec.geometry == "center-square"
        pixels = augmentation.augment(frames, drawn, spec.height, spec.width, square, noise_seed)
        if mixup:
            pixels = augmentation.mixup(pixels, mix[:, None, None, None])
            target = augmentation.mixup(target, mix[:, None])
        return pixels * spec.scale + spec.offset, target

    load = _loader(
        gather_frames,
        [
            (None, *images.shape[1:]),
            (None, augmentation.PARAMETER_COUNT),
            (2,),
            (None,),
            (None, targets.shape[1]),
        ],
        [tf.uint8, tf.float32, tf.int64, tf.float32, tf.float32],
    )
    data = tf.data.Dataset.range(len(order)).batch(batch)
    data = data.map(load, num_parallel_calls=2)
    return data.map(to_model_input, num_parallel_calls=2).prefetch(2)


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


def steps_per_epoch(config: FitConfig, images: int) -> int:
    """Return the number of batches in an epoch of so many images."""
    return -(-images // config.batch)
