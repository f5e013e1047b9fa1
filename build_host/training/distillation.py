"""Running a trained teacher on a student's augmented images."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy.special import softmax

from build_host.datasets.image_cache import Examples
from build_host.keras import keras
from build_host.run_folder import RunFolder
from build_host.training.architectures import build_network
from build_host.training.config import RunConfig
from build_host.training.distillation_targets import (
    draw_view,
    predictions_path,
    write_predictions,
)
from build_host.training.input_pipeline import DistillationEpoch, batches, epoch_priors
from device.diagnoses import CODES


def predict_views(
    student: RunConfig,
    examples: Examples,
    teacher: RunConfig,
    teacher_folder: RunFolder,
    folder: Path,
    console: Console,
) -> None:
    """Write a teacher's predictions for every view of the training set that has none yet.

    Parameters
    ----------
    student, teacher
        Their runs.
    teacher_folder
        With the teacher's weights.
    folder
        Where the predictions are kept.

    Raises
    ------
    ValueError
        If the student's run has no teachers.
    """
    distillation = student.fit.distillation
    if distillation is None:
        raise ValueError("the run has no teachers")
    missing = [n for n in range(distillation.views) if not predictions_path(folder, n).is_file()]
    if not missing:
        return
    network = build_network(teacher)
    network.load_weights(teacher_folder.weights)
    for view in track(missing, f"Running {teacher.name}", console=console):
        rows, parameters = draw_view(student, examples, view)
        probabilities = _predict(teacher, network, student, examples, rows, parameters)
        write_predictions(predictions_path(folder, view), probabilities.astype(np.float32))


def _predict(
    teacher: RunConfig,
    network: keras.Model,
    student: RunConfig,
    examples: Examples,
    rows: NDArray[np.int64],
    parameters: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return a teacher's probabilities under equal class frequencies: float64, (n, 7)."""
    # The input pipeline needs targets; these are ignored.
    ignored = np.zeros((len(rows), len(CODES)), np.float32)
    data = batches(
        examples.frames,
        examples.labels,
        rows,
        teacher.input,
        teacher.fit.batch,
        augment=student.fit.augmentation,
        distillation=DistillationEpoch(parameters, ignored),
    )
    logits = network.predict(data, verbose=0).astype(np.float64)
    train = examples.split.train
    priors = epoch_priors(teacher.fit, examples.labels, examples.sources, train)
    logits -= (1.0 - teacher.fit.prior_adjustment) * np.log(priors[examples.sources[rows]])
    return np.asarray(softmax(logits, axis=1))
