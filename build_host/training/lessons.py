"""What teachers said of changed images, as it is kept from one epoch to the next.

A student that is shown what its teachers were shown, changed in the same way, learns their
function rather than a few answers (Beyer et al. 2022, arXiv:2106.05237).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from build_host.datasets.tensors import Examples
from build_host.training.config import RunConfig
from build_host.training.feed import Lesson, shown_prior
from device.diagnoses import CODES


def lesson_path(folder: Path, number: int) -> Path:
    """Return where a lesson is kept."""
    return folder / f"lesson-{number}.npz"


def write_lesson(
    path: Path,
    rows: NDArray[np.int64],
    changes: NDArray[np.float32],
    said: NDArray[np.float32],
) -> None:
    """Keep what a teacher said, in one step.

    Parameters
    ----------
    rows
        The images shown: int64, (n,).
    changes
        How each was changed: float32, (n, `PARAMETERS`).
    said
        The teacher's probabilities, as if all diagnoses were as common: float32, (n, 7).
    """
    part = path.with_name(f"part-{path.name}")
    np.savez(part, rows=rows, changes=changes, said=said)
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
    answers = []
    for folder in folders:
        with np.load(lesson_path(folder, epoch % settings.distillation.views)) as file:
            rows, changes = file["rows"], file["changes"]
            answers.append(file["said"])
    said = np.mean(answers, axis=0)
    # The teachers speak as if all diagnoses were as common; the epoch shows some more often.
    shown = said * shown_prior(settings, examples.labels, examples.split.train)
    shown /= shown.sum(axis=1, keepdims=True)
    truth = np.eye(len(CODES))[examples.labels[rows]]
    share = settings.distillation.share
    return rows, Lesson(changes, (share * shown + (1.0 - share) * truth).astype(np.float32))
