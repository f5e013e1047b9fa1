"""The stages of a model's way, each leaving its result in the run's folder."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from build_host.bundle.draft import calibrated, draft, provenance
from build_host.calibration.degradation import Study, study
from build_host.calibration.fits import fit_quality_limits
from build_host.datasets.dataset import Dataset
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.image_cache import load_examples, resized_images
from build_host.datasets.isic2017 import LICENCE as ISIC2017_LICENCE
from build_host.datasets.sampling import balanced_sample
from build_host.datasets.split import split_by_lesion
from build_host.evaluation.assessment import Assessment, assess
from build_host.evaluation.comparison import Peer, measure_peer
from build_host.pipeline.release import PEERS_FILE, open_bundle
from build_host.pipeline.workspace import (
    Run,
    Sources,
    leave_draft,
    lessons_folders,
    open_draft,
    training_data,
)
from build_host.results import write_result
from build_host.training.config import RunConfig
from device.errors import DataError
from device.imaging.preprocessing import look_at
from device.imaging.quality import QualityLimits
from device.inference.bundle import METRICS_FILE, Bundle

FLOAT_FILE: Final = "float.tflite"
QUALITY_FILE: Final = "quality.json"
QUALITY_PLOT: Final = "quality.png"

_QUALITY_SAMPLE: Final = 1000
_ROUNDED_BY: Final = 256
"""Images are enough to know a layer's inputs by."""


def train(run: Run, sources: Sources, teachers: Sequence[Run], console: Console) -> None:
    """Fit the run's network: ``weights.h5`` and ``history.json``."""
    # TensorFlow takes seconds to import; bad data or settings are told before that.
    config = run.config
    dataset, split = training_data(config, sources)
    cache = run.folder.parent / "cache"
    examples = load_examples(dataset, split, config.input, config.fit.frame_size, cache)
    from build_host.keras import keras
    from build_host.training.architectures import build, start_from_imagenet
    from build_host.training.distillation import ask
    from build_host.training.distribution import strategy_for
    from build_host.training.fit import fit

    with strategy_for(config.fit).scope():
        keras.utils.set_random_seed(config.seed)
        network = build(config)
        if config.start == "imagenet":
            start_from_imagenet(config, network, sources.pretrained)
    lessons = lessons_folders(run, teachers, dataset) if teachers else []
    for teacher, folder in zip(teachers, lessons, strict=True):
        ask(config, examples, teacher.config, teacher.folder, folder, console)
    fit(config, network, examples, run.folder, console, lessons=lessons)


def compress(run: Run, data: Path, console: Console) -> None:
    """Convert the network to int8 and calibrate it on the validation fold."""
    from build_host.compression.gptq import round_weights
    from build_host.compression.pruning import set_smallest_to_zero
    from build_host.compression.quantization import to_float32, to_int8
    from build_host.compression.whitening import with_whitened
    from build_host.training.architectures import build, with_map
    from build_host.training.fit import WEIGHTS
    from build_host.training.mobilenet import HEAD

    weights = run.folder / WEIGHTS
    if not weights.is_file():
        raise DataError(f"{run.folder}: is not trained yet ({WEIGHTS} is missing)")
    dataset = read_ham10000(data)
    split = split_by_lesion(dataset)
    config = run.config
    images = resized_images(dataset, config.input, run.folder.parent / "cache")
    chosen = np.random.default_rng(config.seed).permutation(split.train)
    network = build(config)
    network.load_weights(weights)
    if config.head:
        set_smallest_to_zero(network.get_layer(HEAD), config.head_sparsity)
    network = with_whitened(with_map(network), images, split.train, config.input)
    console.print("Converting to int8")
    (run.folder / FLOAT_FILE).write_bytes(to_float32(network))
    representative = np.asarray(images[np.sort(chosen[: config.representative])])
    round_weights(network, representative[:_ROUNDED_BY], config.input)
    bundle = draft(
        config.name,
        config.version,
        config.input,
        config.saliency,
        to_int8(network, representative, config.input),
        measured_limits(dataset, chosen),
        provenance(dataset, config.seed, config.digest, further_training(config)),
    )
    leave_draft(run.folder, calibrated(bundle, dataset.subset(split.validation)))


def calibrate(folder: Path, data: Path) -> None:
    """Fit everything anew that is fitted on the validation fold, to a file that is converted."""
    validation = _part(data, "validation")
    leave_draft(folder, calibrated(open_draft(folder), validation))


def further_training(config: RunConfig) -> tuple[str, ...]:
    """Return what goes into a run's training beside HAM10000, for the card."""
    told = []
    if config.extra_data == "isic-2017":
        told.append(f"images of {ISIC2017_LICENCE}: train and validation")
    if config.start == "imagenet":
        told.append("a start from ImageNet weights")
    if config.fit.distillation:
        names = ", ".join(Path(t).stem for t in config.fit.distillation.teachers)
        told.append(f"what larger networks say of the same images ({names})")
    return tuple(told)


def measured_limits(dataset: Dataset, training: NDArray[np.int64]) -> QualityLimits:
    """Return the quality limits that a thousand of the training images pass."""
    frames = (dataset.read(dataset.records[i]) for i in training[:_QUALITY_SAMPLE])
    fields = [look_at(frame).pixels for frame in frames]
    described = f"1st and 99th percentiles of {len(fields)} HAM10000 training images"
    return fit_quality_limits(fields, described)


def study_run(folder: Path, data: Path, images: int, levels: int) -> Study:
    """Derive the draft's quality limits from where accuracy falls, in place of percentiles."""
    bundle = open_draft(folder)
    result = study_bundle(bundle, data, folder, images, levels)
    manifest = msgspec.structs.replace(bundle.manifest, quality=result.limits)
    leave_draft(folder, replace(bundle, manifest=manifest))
    return result


def study_bundle(bundle: Bundle, data: Path, out: Path, images: int, levels: int) -> Study:
    """Spoil images of the validation fold: ``quality.json`` and ``quality.png`` into `out`."""
    from build_host.reporting.plots import degradations

    validation = _part(data, "validation")
    result = study(bundle, balanced_sample(validation, images), levels)
    out.mkdir(parents=True, exist_ok=True)
    write_result(out / QUALITY_FILE, result)
    degradations(result).savefig(out / QUALITY_PLOT, dpi=120)
    return result


def show_examples(bundle: Bundle, data: Path, path: Path) -> None:
    """Draw a page of what a bundle gets right and wrong on the validation fold."""
    from build_host.reporting.example_sheet import examples_page

    validation = _part(data, "validation")
    page = examples_page(bundle, validation, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.savefig(path, dpi=90)


def evaluate_run(folder: Path, sources: Sources, console: Console) -> Assessment:
    """Measure a run's int8 file on the test fold and beside it: ``metrics.json``."""
    result = evaluate_bundle(open_draft(folder), sources, console, folder / FLOAT_FILE)
    write_result(folder / METRICS_FILE, result)
    return result


def evaluate_bundle(
    bundle: Bundle, sources: Sources, console: Console, float_file: Path | None = None
) -> Assessment:
    """Measure a bundle on the test fold and beside it, through the instrument's own Analyzer."""
    test = _part(sources.ham10000, "test")
    exact = float_file.read_bytes() if float_file and float_file.is_file() else None
    return assess(bundle, test, sources.ham10000, sources.isic2017, exact, console)


def compare_peers(
    folder: Path, others: Sequence[Path], data: Path, trusted_keys: Iterable[str]
) -> list[Peer]:
    """Measure other runs and bundles on a run's own test images: ``peers.json`` beside it.

    Raises
    ------
    device.errors.DermascopeError
        If one of them cannot be opened; before any is measured.
    """
    trusted = tuple(trusted_keys)
    bundles = [open_draft(folder), *(open_bundle(path, trusted) for path in others)]
    test = _part(data, "test")
    peers = [measure_peer(bundle, test) for bundle in bundles]
    write_result(folder / PEERS_FILE, peers)
    return peers


def _part(data: Path, part: Literal["validation", "test"]) -> Dataset:
    """Return HAM10000's images of one part of the split."""
    dataset = read_ham10000(data)
    split = split_by_lesion(dataset)
    return dataset.subset(split.validation if part == "validation" else split.test)
