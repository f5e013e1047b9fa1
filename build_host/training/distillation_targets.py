"""What teachers predict for augmented views of the training set, as it is kept on disk.

A student that sees what its teachers saw, augmented in the same way, learns their function rather
than a few of their answers (Beyer et al. 2022, arXiv:2106.05237).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.datasets.image_cache import Examples
from build_host.files import replacing
from build_host.training import augmentation
from build_host.training.config import RunConfig
from build_host.training.input_pipeline import DistillationEpoch, epoch_indices, epoch_priors
from device.diagnoses import CODES

# Keeps these random numbers apart from those of an epoch without teachers.
_STREAM: Final = 1


def predictions_path(folder: Path, view: int) -> Path:
    """Return where a teacher's predictions for a view are kept."""
    return folder / f"view-{view}.npy"


def draw_view(
    config: RunConfig, examples: Examples, view: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the images of an augmented view of the training set, and how each is augmented.

    Both follow from the student's run alone, so that they are the same for all of its teachers.

    Returns
    -------
    numpy.ndarray
        Rows of `examples`: int64, (n,).
    numpy.ndarray
        float32, (n, `build_host.training.augmentation.PARAMETER_COUNT`).

    Raises
    ------
    ValueError
        If the run has no augmentation.
    """
    settings = config.fit
    if settings.augmentation is None:
        raise ValueError("the run has no augmentation, and so no teachers")
    rows = epoch_indices(settings, examples.labels, examples.split.train, config.seed, view)
    seed = [config.seed, view, _STREAM]
    return rows, augmentation.draw_parameters(settings.augmentation, len(rows), seed)


def write_predictions(path: Path, probabilities: NDArray[np.float32]) -> None:
    """Write a teacher's predictions for a view.

    Parameters
    ----------
    probabilities
        Under equal class frequencies: float32, (n, 7).
    """
    with replacing(path) as part:
        np.save(part, probabilities)


def read_epoch(
    config: RunConfig, examples: Examples, folders: Sequence[Path], epoch: int
) -> tuple[NDArray[np.int64], DistillationEpoch]:
    """Return the images of an epoch (rows of `examples`: int64, (n,)), and what to learn of them.

    Parameters
    ----------
    folders
        One for each teacher, with its predictions; they are averaged.

    Raises
    ------
    ValueError
        If the run has no teachers.
    """
    settings = config.fit
    if settings.distillation is None:
        raise ValueError("the run has no teachers")
    view = epoch % settings.distillation.views
    rows, parameters = draw_view(config, examples, view)
    predicted = np.mean([np.load(predictions_path(folder, view)) for folder in folders], axis=0)
    # The predictions assume equal class frequencies; an epoch shows some diagnoses more often.
    train = examples.split.train
    priors = epoch_priors(settings, examples.labels, examples.sources, train)
    adjusted = predicted * priors[examples.sources[rows]]
    adjusted /= adjusted.sum(axis=1, keepdims=True)
    truth = np.eye(len(CODES))[examples.labels[rows]]
    share = settings.distillation.share
    targets = (share * adjusted + (1.0 - share) * truth).astype(np.float32)
    return rows, DistillationEpoch(parameters, targets)
