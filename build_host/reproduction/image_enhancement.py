"""Section 3.2: the paper's image enhancement, denoising and hair removal, and what it is worth.

Images are uint8, (height, width, 3), RGB.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from build_host.datasets.dataset import Dataset, ImageRecord
from build_host.datasets.image_cache import resized_images
from build_host.evaluation import corruptions
from build_host.evaluation.metrics import METRICS, with_intervals
from build_host.reproduction.context import Context
from build_host.reproduction.networks import (
    build_seeded_network,
    predict_with_float_file,
    train,
)
from build_host.reproduction.results import EnhancementEffect, EnhancementStudy, Restoration
from device.imaging.hair import hair_mask

Pixels = NDArray[np.uint8]
Enhancement = Callable[[Pixels], Pixels]

_HAIR_KERNEL: Final = 11
_HAIR_DEPTH: Final = 12
_NOISE: Final = 10.0
_CANDIDATES_FOR_CLEANEST: Final = 2000


def remove_hairs(pixels: Pixels) -> Pixels:
    """Inpaint the hairs of an image (Telea 2004), found by their mask."""
    mask = cv2.dilate(
        hair_mask(pixels, _HAIR_KERNEL, _HAIR_DEPTH).astype(np.uint8), np.ones((3, 3), np.uint8)
    )
    return np.asarray(cv2.inpaint(pixels, mask, 3, cv2.INPAINT_TELEA), np.uint8)


ENHANCEMENTS: Final[dict[str, Enhancement]] = {
    "none": lambda p: p,
    "Gaussian blur": lambda p: np.asarray(cv2.GaussianBlur(p, (0, 0), 0.8), np.uint8),
    "median": lambda p: np.asarray(cv2.medianBlur(p, 3), np.uint8),
    "bilateral": lambda p: np.asarray(cv2.bilateralFilter(p, 5, 25, 3), np.uint8),
    "non-local means": lambda p: np.asarray(
        cv2.fastNlMeansDenoisingColored(p, None, 5, 5, 5, 11), np.uint8
    ),
    "hair removal": remove_hairs,
}
"""Every candidate by name."""


def add_noise(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Return an image with the noise that the enhancements are to remove."""
    return corruptions.gaussian_noise(pixels, _NOISE, random)


def cleanest(dataset: Dataset, count: int) -> list[Pixels]:
    """Return the images with the fewest hairs: references to corrupt and restore."""
    records = dataset.records
    shares = [
        hair_mask(dataset.read(r), _HAIR_KERNEL, _HAIR_DEPTH).mean()
        for r in track(records, "Looking for hairs")
    ]
    return [dataset.read(records[i]) for i in np.argsort(shares, kind="stable")[:count]]


def restorations(clean: list[Pixels], seed: int) -> list[Restoration]:
    """Return how near every enhancement brings corrupted images to the clean ones."""
    result = []
    for name, corrupt in (("noise", add_noise), ("hairs", corruptions.hairs)):
        random = np.random.default_rng(seed)
        corrupted = [corrupt(p, random) for p in clean]
        for step, enhance in ENHANCEMENTS.items():
            pairs = list(zip(clean, (enhance(p) for p in corrupted), strict=True))
            result.append(
                Restoration(
                    step=step,
                    spoiled_by=name,
                    mse=_mean([float(((a.astype(float) - b) ** 2).mean()) for a, b in pairs]),
                    psnr=_mean([peak_signal_noise_ratio(a, b) for a, b in pairs]),
                    ssim=_mean([structural_similarity(a, b, channel_axis=2) for a, b in pairs]),
                )
            )
    return result


def study_enhancements(context: Context) -> EnhancementStudy:
    """Return how well every enhancement restores, and what it does to a network's accuracy."""
    candidates = context.dataset.subset(context.split.train[:_CANDIDATES_FOR_CLEANEST])
    clean = cleanest(candidates, context.config.enhancement_references)
    effects = []
    labels, lesions = context.dataset.labels, context.dataset.lesions
    validation = context.split.validation
    settings = context.config.enhancement_fit
    for name in ("none", *context.config.enhancements):
        dataset = _enhanced(context.dataset, name)
        folder = context.training_folder(f"image-enhancement/{name.replace(' ', '-')}")
        network = build_seeded_network(context)
        model = train(context, folder, network, settings, dataset, context.split)
        images = resized_images(dataset, context.config.input, context.cache)
        figures = with_intervals(
            labels[validation],
            predict_with_float_file(context, model, images, validation),
            lesions[validation],
            {metric: METRICS[metric] for metric in ("accuracy", "balanced_accuracy")},
            context.config.resamples,
        )
        effects.append(EnhancementEffect(step=name, **figures))
    return EnhancementStudy(restorations(clean, context.config.seed), effects)


def _enhanced(dataset: Dataset, name: str) -> Dataset:
    """Return a dataset whose images have gone through an enhancement."""

    def read(record: ImageRecord) -> Pixels:
        return ENHANCEMENTS[name](dataset.read(record))

    return Dataset(f"{dataset.name}, {name}", dataset.records, read)


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
