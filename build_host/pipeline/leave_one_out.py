"""A clinic that a network has never seen: trained on all sources but one, tested on that one."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from build_host.calibration.case_mixes import (
    CASE_MIXES,
    Likelihood,
    fit_likelihood,
    source_weights,
)
from build_host.calibration.fits import fit_conformal
from build_host.datasets.dataset import Dataset
from build_host.datasets.image_cache import resized_images
from build_host.datasets.separation import without_tests_like_training
from build_host.datasets.sources import (
    SOURCES,
    TRAINING_ONLY,
    DataFolders,
    read_sources,
)
from build_host.evaluation.comparison import LeaveOneOut, LeftOut, TrainedWithout
from build_host.evaluation.metrics import (
    Metric,
    balanced_accuracy,
    macro_auc,
    malignant_auc,
    melanoma_auc,
    with_intervals,
)
from build_host.pipeline.stages import train
from build_host.pipeline.workspace import Run, folder_of, training_data
from build_host.results import write_result
from build_host.run_folder import RunFolder
from build_host.training.config import RunConfig, read_run_config
from device.diagnoses import CODES
from device.errors import ConfigError
from device.inference.calibration import prediction_set, probabilities
from device.models.manifest import Interval
from device.models.network_spec import Conformal

Logits = NDArray[np.float32]

_BALANCED: Final = "balanced_accuracy_as_if_equally_common"
_SHARES: Final = next(iter(CASE_MIXES.values()))
"""The case mix that a bundle has in force unless told."""


def leave_one_out(
    path: Path,
    epochs: int,
    folders: DataFolders,
    out: Path,
    console: Console,
    attach_to: RunFolder | None = None,
) -> LeaveOneOut:
    """Train a run on all sources and without each that is not trained yet, and return the tables.

    Without teachers, which have seen them all. No image is tested on that looks like one of another
    source's training images.

    Parameters
    ----------
    path
        TOML file of the run.
    epochs
        Of each, for all of which there is seldom time.
    out
        The folder of all runs.
    attach_to
        The run whose bundle is to keep the tables.

    Raises
    ------
    device.errors.ConfigError
        If the run has fewer than two sources that can be tested.
    """
    config = read_run_config(path)
    tested = [name for name in config.sources if SOURCES[name].title not in TRAINING_ONLY]
    if len(tested) < 2:
        raise ConfigError(f"{path}: has no two sources of which one could be left out")
    dataset, split = training_data(config, folders)
    # A clinic's table may name several.
    named = {name: read_sources((name,), folders).sources for name in config.sources}
    fit = msgspec.structs.replace(config.fit, epochs=epochs, distillation=None)
    base = msgspec.structs.replace(config, fit=fit)
    rows, contributions = [], []
    for name in (None, *config.sources):
        console.rule(f"Without {SOURCES[name].title}" if name else "With all", align="left")
        kept = tuple(source for source in config.sources if source != name)
        variant = msgspec.structs.replace(base, sources=kept)
        folder = folder_of(variant, out)
        write_result(folder.variant, variant)
        train(Run(folder, variant), folders, [], console)
        apart = without_tests_like_training(dataset, split, folder.cache)
        validation = dataset.subset(apart.validation)
        logits = _logits(variant, folder, dataset, apart.validation)
        own = _of_sources(validation, [s for source in kept for s in named[source]])
        known, known_logits = validation.subset(own), logits[own]
        likelihood = fit_likelihood(known_logits, known.labels, known.source_indices)
        title = SOURCES[name].title if name else ""
        contributions.append(TrainedWithout(title, _on_each(validation, logits, likelihood)))
        if name in tested:
            test = apart.test[_of_sources(dataset.subset(apart.test), named[name])]
            found = _logits(variant, folder, dataset, test)
            conformal = _conformal(known, known_logits, likelihood)
            rows.append(_row(title, dataset.subset(test), found, likelihood, conformal))
    table = LeaveOneOut(config.name, epochs, config.fit.epochs, rows, contributions)
    if attach_to is not None:
        write_result(attach_to.leave_one_out, table)
    return table


def _of_sources(dataset: Dataset, sources: Collection[str]) -> NDArray[np.int64]:
    return np.array([i for i, r in enumerate(dataset.records) if r.source in sources], np.int64)


def _logits(
    config: RunConfig, folder: RunFolder, dataset: Dataset, rows: NDArray[np.int64]
) -> Logits:
    """Return what a trained network says of some of a dataset's images: float32, (n, 7)."""
    from build_host.training.architectures import build_network
    from build_host.training.input_pipeline import batches

    images = resized_images(dataset, config.input, folder.cache)
    network = build_network(config)
    network.load_weights(folder.weights)
    data = batches(images, dataset.labels, rows, config.input, config.fit.batch)
    return np.asarray(network.predict(data, verbose=0), np.float32)


def _on_each(
    validation: Dataset, logits: Logits, likelihood: Likelihood
) -> dict[str, dict[str, Interval]]:
    """Return the figures of a network on the validation fold of each source."""
    found = {}
    for source in validation.sources:
        rows = _of_sources(validation, (source,))
        metrics: dict[str, Metric] = {"malignant_auc": malignant_auc}
        found[source] = _figures(validation.subset(rows), logits[rows], likelihood, metrics)
    return found


def _conformal(validation: Dataset, logits: Logits, likelihood: Likelihood) -> Conformal:
    labels = validation.labels
    weights = source_weights(labels, validation.source_indices)
    return fit_conformal(logits, labels, likelihood.under(_SHARES, ""), weights)


def _row(
    title: str, test: Dataset, logits: Logits, likelihood: Likelihood, conformal: Conformal
) -> LeftOut:
    """Return the figures of a network on the test fold of the source that it has never seen."""
    metrics: dict[str, Metric] = {
        "malignant_auc": malignant_auc,
        "melanoma_auc": melanoma_auc,
        "macro_auc": macro_auc,
    }
    probability = probabilities(logits, likelihood.under(_SHARES, ""))
    covered = [
        record.dx in prediction_set(row, conformal)
        for record, row in zip(test.records, probability, strict=True)
    ]
    figures = _figures(test, logits, likelihood, metrics)
    return LeftOut(title, len(test), figures, float(np.mean(covered)))


def _figures(
    dataset: Dataset, logits: Logits, likelihood: Likelihood, metrics: dict[str, Metric]
) -> dict[str, Interval]:
    probability = probabilities(logits, likelihood.under(_SHARES, ""))
    even = probabilities(logits, likelihood.under((1 / len(CODES),) * len(CODES), ""))
    labels, lesions = dataset.labels, dataset.lesions
    return with_intervals(labels, probability, lesions, metrics) | with_intervals(
        labels, even, lesions, {_BALANCED: balanced_accuracy}
    )
