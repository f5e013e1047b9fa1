"""A clinic that a network has never seen: trained on all sources but one, tested on that one."""

from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from build_host.calibration.case_mixes import CASE_MIXES, fit_likelihood, source_weights
from build_host.calibration.fits import fit_conformal
from build_host.datasets.dataset import Dataset
from build_host.datasets.image_cache import resized_images
from build_host.datasets.sources import SOURCES, TRAINING_ONLY, DataFolders, SourceName
from build_host.evaluation.comparison import LeaveOneOut, LeftOut
from build_host.evaluation.metrics import (
    balanced_accuracy,
    macro_auc,
    malignant_auc,
    melanoma_auc,
    with_intervals,
)
from build_host.pipeline.stages import fold, train
from build_host.pipeline.workspace import Run, folder_of
from build_host.results import write_result
from build_host.run_folder import RunFolder
from build_host.training.config import RunConfig, read_run_config
from device.diagnoses import CODES
from device.errors import ConfigError
from device.inference.calibration import prediction_set, probabilities


def leave_one_out(
    path: Path,
    epochs: int,
    folders: DataFolders,
    out: Path,
    console: Console,
    attach_to: RunFolder | None = None,
) -> LeaveOneOut:
    """Train a run once without each of its sources that are not trained yet, and return the table.

    Without teachers, which have seen them all.

    Parameters
    ----------
    path
        TOML file of the run.
    epochs
        Of each, for all of which there is seldom time.
    out
        The folder of all runs.
    attach_to
        The run whose bundle is to keep the table.

    Raises
    ------
    device.errors.ConfigError
        If the run has fewer than two sources that can be left out.
    """
    config = read_run_config(path)
    tested = [name for name in config.sources if SOURCES[name].title not in TRAINING_ONLY]
    if len(tested) < 2:
        raise ConfigError(f"{path}: has no two sources of which one could be left out")
    rows = []
    for name in tested:
        console.rule(f"Without {SOURCES[name].title}", align="left")
        rows.append(_row(config, name, epochs, folders, out, console))
    table = LeaveOneOut(config.name, epochs, config.fit.epochs, rows)
    if attach_to is not None:
        write_result(attach_to.leave_one_out, table)
    return table


def _row(
    config: RunConfig,
    left_out: SourceName,
    epochs: int,
    folders: DataFolders,
    out: Path,
    console: Console,
) -> LeftOut:
    kept = tuple(name for name in config.sources if name != left_out)
    fit = msgspec.structs.replace(config.fit, epochs=epochs, distillation=None)
    variant = msgspec.structs.replace(config, sources=kept, fit=fit)
    folder = folder_of(variant, out)
    write_result(folder.variant, variant)
    train(Run(folder, variant), folders, [], console)
    test = fold((left_out,), folders, "test")
    validation = fold(kept, folders, "validation")
    of_validation = _logits(variant, folder, validation)
    labels, sources = validation.labels, validation.source_indices
    likelihood = fit_likelihood(of_validation, labels, sources)
    shares = next(iter(CASE_MIXES.values()))
    calibration = likelihood.under(shares, "")
    weights = source_weights(labels, sources)
    conformal = fit_conformal(of_validation, labels, calibration, weights)
    logits = _logits(variant, folder, test)
    probability = probabilities(logits, calibration)
    even = probabilities(logits, likelihood.under((1 / len(CODES),) * len(CODES), ""))
    covered = [
        record.dx in prediction_set(row, conformal)
        for record, row in zip(test.records, probability, strict=True)
    ]
    figures = with_intervals(
        test.labels, probability, test.lesions,
        {
            "malignant_auc": malignant_auc,
            "melanoma_auc": melanoma_auc,
            "macro_auc": macro_auc,
        },
    ) | with_intervals(
        test.labels, even, test.lesions,
        {"balanced_accuracy_as_if_equally_common": balanced_accuracy},
    )  # fmt: skip
    return LeftOut(SOURCES[left_out].title, len(test), figures, float(np.mean(covered)))


def _logits(config: RunConfig, folder: RunFolder, dataset: Dataset) -> np.ndarray:
    from build_host.training.architectures import build_network
    from build_host.training.input_pipeline import batches

    images = resized_images(dataset, config.input, folder.cache)
    network = build_network(config)
    network.load_weights(folder.weights)
    rows = np.arange(len(dataset))
    data = batches(images, dataset.labels, rows, config.input, config.fit.batch)
    return np.asarray(network.predict(data, verbose=0), np.float32)
