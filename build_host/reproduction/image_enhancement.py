"""The paper's image-quality step: candidates, how well they restore, and what they are worth."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from build_host.datasets.dataset import Dataset
from build_host.reproduction.results import Restoration

Picture = NDArray[np.uint8]
Step = Callable[[Picture], Picture]

_HAIR_KERNEL: Final = 11
_HAIR_DEPTH: Final = 12
_NOISE: Final = 10.0


def hair_mask(picture: Picture) -> NDArray[np.bool_]:
    """Return where thin dark lines lie: the black-hat of the luminance."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_HAIR_KERNEL, _HAIR_KERNEL))
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel) > _HAIR_DEPTH


def without_hairs(picture: Picture) -> Picture:
    """Paint hairs over from their surroundings (Telea 2004 on the mask of `hair_mask`)."""
    mask = cv2.dilate(hair_mask(picture).astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(cv2.inpaint(picture, mask, 3, cv2.INPAINT_TELEA), np.uint8)


STEPS: Final[dict[str, Step]] = {
    "none": lambda picture: picture,
    "Gaussian blur": lambda p: np.asarray(cv2.GaussianBlur(p, (0, 0), 0.8), np.uint8),
    "median": lambda p: np.asarray(cv2.medianBlur(p, 3), np.uint8),
    "bilateral": lambda p: np.asarray(cv2.bilateralFilter(p, 5, 25, 3), np.uint8),
    "non-local means": lambda p: np.asarray(
        cv2.fastNlMeansDenoisingColored(p, None, 5, 5, 5, 11), np.uint8
    ),
    "hair removal": without_hairs,
}
"""Every candidate by name."""


def cleanest(dataset: Dataset, count: int) -> list[Picture]:
    """Return the images with the fewest dark thin lines: references to spoil and restore."""
    records = dataset.records
    hairs = [hair_mask(dataset.read(r)).mean() for r in track(records, "Looking for hairs")]
    return [dataset.read(records[i]) for i in np.argsort(hairs, kind="stable")[:count]]


def noisy(picture: Picture, random: np.random.Generator) -> Picture:
    """Return a picture with Gaussian noise."""
    spoiled = picture + random.normal(0.0, _NOISE, picture.shape)
    return np.asarray(np.clip(np.rint(spoiled), 0, 255), np.uint8)


def hairy(picture: Picture, random: np.random.Generator) -> Picture:
    """Return a picture with a dozen hairs drawn on it."""
    spoiled = picture.copy()
    height, width = picture.shape[:2]
    for _ in range(12):
        start = random.uniform(0, (width, height))
        heading, bend = random.uniform(0, 2 * np.pi), random.uniform(-0.8, 0.8)
        along = np.linspace(0, random.uniform(0.3, 0.8) * width, 24)
        angle = heading + bend * along / width
        line = start + np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1) * along[1], axis=0)
        colour = random.integers(15, 70, 1).repeat(3) * np.array([1.0, 0.75, 0.65])
        cv2.polylines(
            spoiled, [line.astype(np.int32)], False, colour.tolist(),
            int(random.integers(1, 3)), cv2.LINE_AA,
        )  # fmt: skip
    return spoiled


def restorations(clean: list[Picture], seed: int) -> list[Restoration]:
    """Return how near every step brings noisy and hairy images to the clean ones."""
    result = []
    for spoiled_by, spoil in (("noise", noisy), ("hairs", hairy)):
        random = np.random.default_rng(seed)
        spoiled = [spoil(p, random) for p in clean]
        for name, step in STEPS.items():
            restored = [step(p) for p in spoiled]
            pairs = list(zip(clean, restored, strict=True))
            result.append(
                Restoration(
                    step=name,
                    spoiled_by=spoiled_by,
                    mse=_mean([float(((a.astype(float) - b) ** 2).mean()) for a, b in pairs]),
                    psnr=_mean([peak_signal_noise_ratio(a, b) for a, b in pairs]),
                    ssim=_mean([structural_similarity(a, b, channel_axis=2) for a, b in pairs]),
                )
            )
    return result


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
