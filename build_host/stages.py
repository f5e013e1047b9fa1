"""The stages of a model's way, each leaving its result in the run's folder."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from build_host.bundling.drafting import calibrated, draft, provenance
from build_host.bundling.writing import read_key, write_bundle
from build_host.datasets.collection import Collection
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.split import split_by_lesion
from build_host.datasets.tensors import read_examples, resized_images
from build_host.evaluation.calibrating import fit_quality_limits
from build_host.evaluation.degrading import Study, even_sample, study
from build_host.evaluation.evaluating import Evaluation, evaluate, predict
from build_host.evaluation.metrics import RESAMPLES
from build_host.training.config import RunConfig, read_config
from device.errors import DataError
from device.imaging.field import cut, find_field
from device.imaging.quality import QualityLimits
from device.inference.analyzer import Analyzer
from device.inference.bundle import MODEL_FILE, Bundle
from device.inference.manifest import Manifest

CONFIG_FILE: Final = "run.toml"
DRAFT_FILE: Final = "draft.json"
EVALUATION_FILE: Final = "evaluation.json"
SECTIONS_FILE: Final = "sections.md"
REPRODUCTION_FILE: Final = "reproduction.json"
QUALITY_FILE: Final = "quality.json"
QUALITY_PLOT: Final = "quality.png"

PROTOCOL: Final = "Lesion-disjoint: no lesion of the test fold was seen in training."
_QUALITY_SAMPLE: Final = 1000


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder and what it was told."""

    folder: Path
    config: RunConfig


def open_run(folder: Path) -> Run:
    """Return the run in a folder.

    Raises
    ------
    device.errors.DataError
        If there is none.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise DataError(f"{folder}: holds no run ({CONFIG_FILE} is missing); train one first")
    return Run(folder, read_config(path))


def start_run(config_path: Path, out: Path) -> Run:
    """Return the run of a configuration, in the folder below `out` that its digest names."""
    config = read_config(config_path)
    folder = out / f"{config.name}-{config.digest[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_bytes(config_path.read_bytes())
    return Run(folder, config)


def train(run: Run, data: Path, console: Console) -> None:
    """Fit the run's network: ``weights.h5`` and ``history.json``."""
    # TensorFlow takes seconds to import; bad data or settings are told before that.
    collection = read_ham10000(data)
    split = split_by_lesion(collection)
    config = run.config
    cache = run.folder.parent / "cache"
    examples = read_examples(collection, split, config.input, config.fit.frame_size, cache)
    from build_host.keras import keras
    from build_host.training.architectures import build
    from build_host.training.distribution import strategy_for
    from build_host.training.fitting import fit

    with strategy_for(config.fit).scope():
        keras.utils.set_random_seed(config.seed)
        network = build(config)
    fit(config, network, examples, run.folder, console)


def compress(run: Run, data: Path, console: Console) -> None:
    """Convert the network to int8 and calibrate it on the validation fold."""
    from build_host.compression.quantization import to_int8
    from build_host.training.architectures import build
    from build_host.training.fitting import WEIGHTS

    weights = run.folder / WEIGHTS
    if not weights.is_file():
        raise DataError(f"{run.folder}: is not trained yet ({WEIGHTS} is missing)")
    collection = read_ham10000(data)
    split = split_by_lesion(collection)
    config = run.config
    images = resized_images(collection, config.input, run.folder.parent / "cache")
    chosen = np.random.default_rng(config.seed).permutation(split.train)
    network = build(config)
    network.load_weights(weights)
    console.print("Converting to int8")
    representative = np.asarray(images[np.sort(chosen[: config.representative])])
    bundle = draft(
        config.name,
        config.version,
        config.input,
        config.saliency,
        to_int8(network, representative, config.input),
        measured_limits(collection, chosen),
        provenance(collection, config.seed, config.digest),
    )
    leave_draft(run.folder, calibrated(bundle, collection.subset(split.validation)))


def leave_draft(folder: Path, bundle: Bundle) -> None:
    """Write a model and its unsigned manifest into a run's folder."""
    (folder / MODEL_FILE).write_bytes(bundle.model)
    (folder / DRAFT_FILE).write_bytes(msgspec.json.encode(bundle.manifest))


def measured_limits(collection: Collection, training: NDArray[np.int64]) -> QualityLimits:
    """Return the quality limits that a thousand of the training images pass."""
    frames = (collection.read(collection.records[i]) for i in training[:_QUALITY_SAMPLE])
    fields = [cut(frame, find_field(frame)) for frame in frames]
    described = f"1st and 99th percentiles of {len(fields)} HAM10000 training images"
    return fit_quality_limits(fields, described)


def study_run(folder: Path, data: Path, images: int, levels: int) -> Study:
    """Derive the draft's quality limits from where accuracy falls, in place of percentiles."""
    bundle = _unsigned(folder)
    result = study_bundle(bundle, data, folder, images, levels)
    manifest = msgspec.structs.replace(bundle.manifest, quality=result.limits)
    (folder / DRAFT_FILE).write_bytes(msgspec.json.encode(manifest))
    return result


def study_bundle(bundle: Bundle, data: Path, out: Path, images: int, levels: int) -> Study:
    """Spoil images of the validation fold: ``quality.json`` and ``quality.png`` into `out`."""
    from build_host.evaluation.plots import degradations

    collection = read_ham10000(data)
    validation = collection.subset(split_by_lesion(collection).validation)
    result = study(bundle, even_sample(validation, images), levels)
    out.mkdir(parents=True, exist_ok=True)
    (out / QUALITY_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    degradations(result).savefig(out / QUALITY_PLOT, dpi=120)
    return result


def evaluate_run(folder: Path, data: Path) -> Evaluation:
    """Measure a run's int8 file on the test fold: ``evaluation.json``."""
    bundle = _unsigned(folder)
    result = evaluate_bundle(bundle, read_ham10000(data))
    (folder / EVALUATION_FILE).write_bytes(msgspec.json.encode(result))
    return result


def evaluate_bundle(
    bundle: Bundle, collection: Collection, resamples: int = RESAMPLES
) -> Evaluation:
    """Measure a bundle on the test fold, through the instrument's own Analyzer."""
    test = collection.subset(split_by_lesion(collection).test)
    predictions = predict(Analyzer(bundle), test)
    return evaluate(predictions, bundle.manifest.model_id, bundle.model, PROTOCOL, resamples)


def make_bundle(folder: Path, models: Path, key_path: Path) -> Path:
    """Write and sign the bundle of the run in a folder below `models`, and return its own."""
    draft = _unsigned(folder)
    path = folder / EVALUATION_FILE
    if not path.is_file():
        raise DataError(f"{folder}: is not evaluated yet ({EVALUATION_FILE} is missing)")
    evaluation = msgspec.json.decode(path.read_bytes(), type=Evaluation)
    if evaluation.model_sha256 != draft.manifest.model_sha256:
        raise DataError(f"{folder}: {MODEL_FILE} is newer than its evaluation; evaluate it again")
    manifest = msgspec.structs.replace(draft.manifest, metrics=evaluation.figures)
    written = models / manifest.name
    sections = folder / SECTIONS_FILE
    told = sections.read_text(encoding="utf-8") if sections.is_file() else ""
    write_bundle(written, manifest, draft.model, [evaluation], read_key(key_path), told)
    if (folder / REPRODUCTION_FILE).is_file():
        (written / REPRODUCTION_FILE).write_bytes((folder / REPRODUCTION_FILE).read_bytes())
    return written


def _unsigned(folder: Path) -> Bundle:
    path = folder / DRAFT_FILE
    if not path.is_file():
        missing = "" if (folder / CONFIG_FILE).is_file() else "holds no run, or "
        raise DataError(f"{folder}: {missing}is not compressed yet ({DRAFT_FILE} is missing)")
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    model = (folder / MODEL_FILE).read_bytes()
    if hashlib.sha256(model).hexdigest() != manifest.model_sha256:
        raise DataError(
            f"{folder}: {MODEL_FILE} is not what {DRAFT_FILE} describes; compress again"
        )
    return Bundle(folder, manifest, model, "")
