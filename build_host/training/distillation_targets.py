"""What teachers said of changed images, as it is kept from one epoch to the next.

A student that is shown what its teachers were shown, changed in the same way, learns their
function rather than a few answers (Beyer et al. 2022, arXiv:2106.05237).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from build_host.datasets.image_cache import Examples
from build_host.training import augmentation
from build_host.training.config import RunConfig
from build_host.training.input_pipeline import Lesson, shown_indices, shown_prior
from device.diagnoses import CODES

# Apart from the changes that are drawn for an epoch without teachers.
_STREAM: Final = 1


def lesson_path(folder: Path, number: int) -> Path:
    """Return where a lesson is kept."""
    return folder / f"lesson-{number}.npy"


def drawn(
    config: RunConfig, examples: Examples, number: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the images that a lesson shows, and how each is changed.

    They follow from the student's run alone, and are the same for all of its teachers: int64,
    (n,), and float32, (n, `PARAMETERS`).

    Raises
    ------
    ValueError
        If the run changes no images.
    """
    settings = config.fit
    if settings.augmentation is None:
        raise ValueError("the run has no teachers")
    rows = shown_indices(settings, examples.labels, examples.split.train, config.seed, number)
    seed = [config.seed, number, _STREAM]
    return rows, augmentation.draw(settings.augmentation, len(rows), seed)


def write_lesson(path: Path, said: NDArray[np.float32]) -> None:
    """Keep what a teacher said, in one step.

    Parameters
    ----------
    said
        The teacher's probabilities, as if all diagnoses were as common: float32, (n, 7).
    """
    part = path.with_name(f"part-{path.name}")
    np.save(part, said)
    part.replace(path)


def read_lesson(
    config: RunConfig, examples: Examples, folders: Sequence[Path], epoch: int
) -> tuple[NDArray[np.int64], Lesson]:
    """Return the images of an epoch, and what is to be said of them as they are changed.

    Parameters
    ----------
    folders
        Of each teacher's lessons; their mean counts.
    """
    settings = config.fit
    if settings.distillation is None:
        raise ValueError("the run has no teachers")
    number = epoch % settings.distillation.views
    rows, changes = drawn(config, examples, number)
    said = np.mean([np.load(lesson_path(folder, number)) for folder in folders], axis=0)
    # The teachers speak as if all diagnoses were as common; the epoch shows some more often.
    shown = said * shown_prior(settings, examples.labels, examples.split.train)
    shown /= shown.sum(axis=1, keepdims=True)
    truth = np.eye(len(CODES))[examples.labels[rows]]
    share = settings.distillation.share
    return rows, Lesson(changes, (share * shown + (1.0 - share) * truth).astype(np.float32))
