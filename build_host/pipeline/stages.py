"""The stages from images to a measured model, each leaving its result in the run's folder."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np
from rich.console import Console

from build_host.bundle.draft import calibrate_draft, draft, provenance
from build_host.calibration.degradation import Study, study_degradation
from build_host.calibration.fits import percentile_quality_limits
from build_host.datasets.dataset import Dataset
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.image_cache import load_examples, resized_images
from build_host.datasets.isic2017 import LICENCE as ISIC2017_LICENCE
from build_host.datasets.sampling import balanced_sample
from build_host.datasets.split import split_by_lesion
from build_host.errors import DataError
from build_host.evaluation.assessment import Assessment, assess
from build_host.evaluation.comparison import Peer, measure_peer
from build_host.files import replacing, write_file
from build_host.pipeline.release import open_run_or_bundle
from build_host.pipeline.workspace import (
    DataSources,
    Run,
    open_draft,
    prediction_folders,
    training_data,
    write_draft,
)
from build_host.results import write_result
from build_host.run_folder import RunFolder
from build_host.training.config import RunConfig
from device.models.bundle import Bundle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GPTQ_IMAGES: Final = 256
"""So many are enough to estimate the second moments of a layer's inputs."""


def train(run: Run, sources: DataSources, teachers: Sequence[Run], console: Console) -> None:
    """Train the run's network; resumes where it was stopped."""
    config = run.config
    dataset, split = training_data(config, sources)
    examples = load_examples(dataset, split, config.input, config.fit.frame_size, run.folder.cache)
    # TensorFlow takes seconds to import: errors in data or settings come before that.
    from build_host.keras import keras
    from build_host.training.architectures import build_network, load_imagenet_weights
    from build_host.training.distillation import predict_views
    from build_host.training.distribution import strategy_for
    from build_host.training.fit import fit

    with strategy_for(config.fit).scope():
        keras.utils.set_random_seed(config.seed)
        network = build_network(config)
        if config.start == "imagenet":
            load_imagenet_weights(config, network, sources.pretrained)
    predictions = prediction_folders(run, teachers, dataset) if teachers else []
    for teacher, folder in zip(teachers, predictions, strict=True):
        predict_views(config, examples, teacher.config, teacher.folder, folder, console)
    fit(config, network, examples, run.folder, console, predictions=predictions)


def compress(run: Run, data: Path, console: Console) -> None:
    """Quantize the run's network to int8 and calibrate it on the validation fold.

    Raises
    ------
    build_host.errors.DataError
        If the run is not trained yet.
    """
    from build_host.compression.gptq import round_weights
    from build_host.compression.pruning import prune_smallest
    from build_host.compression.quantization import to_float32, to_int8
    from build_host.compression.whitening import with_whitened_features
    from build_host.training.architectures import build_network, with_class_activation_map
    from build_host.training.mobilenet import HEAD

    folder, config = run.folder, run.config
    if not folder.weights.is_file():
        raise DataError(f"{folder.path}: is not trained yet ({folder.weights.name} is missing)")
    dataset = read_ham10000(data)
    split = split_by_lesion(dataset)
    images = resized_images(dataset, config.input, folder.cache)
    shuffled = np.random.default_rng(config.seed).permutation(split.train)
    network = build_network(config)
    network.load_weights(folder.weights)
    if config.head:
        prune_smallest(network.get_layer(HEAD), config.head_sparsity)
    network = with_class_activation_map(network)
    network = with_whitened_features(network, images, split.train, config.input)
    console.print("Converting to int8")
    write_file(folder.float_model, to_float32(network))
    representative = np.asarray(images[np.sort(shuffled[: config.representative])])
    round_weights(network, representative[:_GPTQ_IMAGES], config.input)
    bundle = draft(
        config.name,
        config.version,
        config.input,
        config.saliency,
        to_int8(network, representative, config.input),
        percentile_quality_limits(dataset, shuffled),
        provenance(dataset, config.seed, config.digest, further_training(config)),
    )
    write_draft(folder, calibrate_draft(bundle, dataset.subset(split.validation)))


def calibrate(folder: RunFolder, data: Path) -> None:
    """Refit what is fitted on the validation fold, for a run that is compressed already."""
    validation = _fold(data, "validation")
    write_draft(folder, calibrate_draft(open_draft(folder), validation))


def further_training(config: RunConfig) -> tuple[str, ...]:
    """Return what goes into a run's training besides HAM10000, for the model card."""
    further = []
    if config.extra_data == "isic-2017":
        further.append(f"images of {ISIC2017_LICENCE}: train and validation")
    if config.start == "imagenet":
        further.append("a start from ImageNet weights")
    if config.fit.distillation:
        names = ", ".join(Path(t).stem for t in config.fit.distillation.teachers)
        further.append(f"what larger networks say of the same images ({names})")
    return tuple(further)


def set_quality_limits(folder: RunFolder, data: Path, images: int, levels: int) -> Study:
    """Derive the draft's quality limits from where accuracy falls, in place of percentiles.

    Parameters
    ----------
    images, levels
        As in `study_quality`.
    """
    bundle = open_draft(folder)
    result = study_quality(bundle, data, folder, images, levels)
    manifest = msgspec.structs.replace(bundle.manifest, quality=result.limits)
    write_draft(folder, replace(bundle, manifest=manifest))
    return result


def study_quality(bundle: Bundle, data: Path, out: RunFolder, images: int, levels: int) -> Study:
    """Write where a model's accuracy falls on degraded images, and its plot.

    Parameters
    ----------
    out
        Where to; for a bundle, which is not changed, a folder of its own.
    images
        How many of the validation fold to degrade.
    levels
        Amounts of each degradation.
    """
    from build_host.reporting.plots import degradation_curves

    validation = _fold(data, "validation")
    result = study_degradation(bundle, balanced_sample(validation, images), levels)
    write_result(out.quality_study, result)
    _write_figure(out.quality_plot, degradation_curves(result), dpi=120)
    return result


def write_example_sheet(bundle: Bundle, data: Path, path: Path) -> None:
    """Write a page of what a bundle gets right and wrong on the validation fold."""
    from build_host.reporting.example_sheet import example_sheet

    _write_figure(path, example_sheet(bundle, _fold(data, "validation"), data), dpi=90)


def _write_figure(path: Path, figure: "Figure", dpi: int) -> None:
    with replacing(path) as part:
        figure.savefig(part, dpi=dpi, format=path.suffix.removeprefix(".") or "png")


def evaluate_run(folder: RunFolder, sources: DataSources, console: Console) -> Assessment:
    """Measure a run's int8 file in every way, and write the result."""
    result = evaluate_bundle(open_draft(folder), sources, console, folder.float_model)
    write_result(folder.metrics, result)
    return result


def evaluate_bundle(
    bundle: Bundle, sources: DataSources, console: Console, float_file: Path | None = None
) -> Assessment:
    """Measure a bundle in every way, through the device's own Analyzer.

    Parameters
    ----------
    float_file
        The same network before quantization, where there is one.
    """
    test = _fold(sources.ham10000, "test")
    float_model = float_file.read_bytes() if float_file and float_file.is_file() else None
    return assess(bundle, test, sources.ham10000, sources.isic2017, float_model, console)


def compare(
    folder: RunFolder, others: Sequence[Path], data: Path, trusted_keys: Iterable[str]
) -> list[Peer]:
    """Measure a run, other runs and bundles on the same test images, and write the result.

    Raises
    ------
    device.errors.DermascopeError
        If one of them cannot be opened; before any is measured.
    """
    trusted = tuple(trusted_keys)
    bundles = [open_draft(folder), *(open_run_or_bundle(path, trusted) for path in others)]
    test = _fold(data, "test")
    peers = [measure_peer(bundle, test) for bundle in bundles]
    write_result(folder.peers, peers)
    return peers


def _fold(data: Path, part: Literal["validation", "test"]) -> Dataset:
    """Return HAM10000's validation or test fold."""
    dataset = read_ham10000(data)
    split = split_by_lesion(dataset)
    return dataset.subset(split.validation if part == "validation" else split.test)
