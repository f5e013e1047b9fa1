"""Asking a trained network what it says of a student's changed images."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from build_host.datasets.image_cache import Examples
from build_host.keras import keras
from build_host.training.architectures import build
from build_host.training.config import RunConfig
from build_host.training.distillation_targets import drawn, lesson_path, write_lesson
from build_host.training.fit import WEIGHTS
from build_host.training.input_pipeline import Lesson, batches, shown_prior
from device.diagnoses import CODES


def ask(
    config: RunConfig,
    examples: Examples,
    teacher: RunConfig,
    trained: Path,
    folder: Path,
    console: Console,
) -> None:
    """Ask a teacher about every lesson that is not kept yet.

    Parameters
    ----------
    config
        The student's run.
    teacher
        The teacher's run.
    trained
        The folder with the teacher's weights.
    folder
        Keeps the lessons.
    """
    distillation = config.fit.distillation
    if distillation is None:
        raise ValueError("the run has no teachers")
    wanted = [n for n in range(distillation.views) if not lesson_path(folder, n).is_file()]
    if not wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    network = build(teacher)
    network.load_weights(trained / WEIGHTS)
    for number in track(wanted, f"Asking {teacher.name}", console=console):
        said = _said(teacher, network, config, examples, *drawn(config, examples, number))
        write_lesson(lesson_path(folder, number), said.astype(np.float32))


def _said(
    run: RunConfig,
    network: keras.Model,
    config: RunConfig,
    examples: Examples,
    rows: NDArray[np.int64],
    changes: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return a teacher's probabilities as if all diagnoses were as common: float64, (n, 7)."""
    data = batches(
        examples.frames,
        examples.labels,
        rows,
        run.input,
        run.fit.batch,
        changes=config.fit.augmentation,
        lesson=Lesson(changes, np.zeros((len(rows), len(CODES)), np.float32)),
    )
    logits = network.predict(data, verbose=0).astype(np.float64)
    prior = shown_prior(run.fit, examples.labels, examples.split.train)
    logits -= (1.0 - run.fit.prior_adjustment) * np.log(prior)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
