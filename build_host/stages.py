"""The stages of a model's way, each leaving its result in the run's folder."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from build_host.bundling.drafting import calibrated, draft, provenance
from build_host.bundling.writing import read_key, write_bundle
from build_host.datasets.collection import Collection, joined
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.isic2017 import LICENCE as ISIC2017_LICENCE
from build_host.datasets.isic2017 import read_isic2017
from build_host.datasets.split import Split, split_by_lesion
from build_host.datasets.tensors import read_examples, resized_images
from build_host.evaluation.assessing import Assessment, assess
from build_host.evaluation.calibrating import fit_quality_limits
from build_host.evaluation.comparing import (
    Ablation,
    Peer,
    ablation_section,
    measure_peer,
    peers_section,
)
from build_host.evaluation.degrading import Study, even_sample, study
from build_host.reproduction.results import Results
from build_host.reproduction.tables import card_sections
from build_host.results import read_result, write_result
from build_host.training.config import RunConfig, read_config
from build_host.training.history import read_history
from device.errors import ConfigError, DataError
from device.imaging.preprocessing import look_at
from device.imaging.quality import QualityLimits
from device.inference.bundle import MANIFEST_FILE, METRICS_FILE, MODEL_FILE, Bundle, load_bundle
from device.inference.manifest import Manifest

CONFIG_FILE: Final = "run.toml"
DRAFT_FILE: Final = "draft.json"
FLOAT_FILE: Final = "float.tflite"
REPRODUCTION_FILE: Final = "reproduction.json"
ABLATION_FILE: Final = "ablation.json"
PEERS_FILE: Final = "peers.json"
KEPT_FILES: Final = (REPRODUCTION_FILE, ABLATION_FILE, PEERS_FILE)
"""What a run may hold beside its own files, and its bundle keeps."""
LESSONS_FILE: Final = "lessons.txt"
QUALITY_FILE: Final = "quality.json"
QUALITY_PLOT: Final = "quality.png"

_QUALITY_SAMPLE: Final = 1000
_ROUNDED_BY: Final = 256
"""Images are enough to know a layer's inputs by."""


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
    folder = run_folder(config, out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).write_bytes(config_path.read_bytes())
    return Run(folder, config)


def run_folder(config: RunConfig, out: Path) -> Path:
    """Return the folder of a run below `out`."""
    return out / f"{config.name}-{config.digest[:8]}"


def find_teachers(config: RunConfig, beside: Path, out: Path) -> list[Run]:
    """Return the trained runs that a run names as its teachers.

    Parameters
    ----------
    beside
        The folder of the run's own file, where those of its teachers lie.
    out
        The folder of all runs.

    Raises
    ------
    device.errors.DataError
        If one is not trained yet.
    """
    distillation = config.fit.distillation
    found = []
    for name in distillation.teachers if distillation else ():
        path = beside / name
        teacher = read_config(path)
        folder = run_folder(teacher, out)
        done = len(read_history(folder))
        if done < teacher.fit.epochs:
            raise DataError(
                f"{folder}: this teacher has {done} of {teacher.fit.epochs} epochs; first run: "
                f"dermascope-build train --config {path} --out {out}"
            )
        found.append(Run(folder, teacher))
    return found


def lessons_folders(run: Run, teachers: Sequence[Run], collection: Collection) -> list[Path]:
    """Return where each teacher's lessons lie, beside the run: runs that ask the same share them.

    Raises
    ------
    device.errors.DataError
        If the run was begun with other lessons: it cannot go on with these.
    """
    config, fit = run.config, run.config.fit
    shown = (
        collection.digest, config.seed, fit.balance, fit.balance_power, fit.augmentation,
        config.input if fit.frame_size == (0, 0) else None,
    )  # fmt: skip
    asked = [msgspec.json.encode((*shown, t.config.digest, _lessons_of(t))) for t in teachers]
    names = [f"lessons-{hashlib.sha256(told).hexdigest()[:8]}" for told in asked]
    if _lessons_of(run) not in ([], names):
        raise DataError(f"{run.folder}: was begun with other teachers or data; name another --out")
    (run.folder / LESSONS_FILE).write_text("\n".join(names), encoding="utf-8")
    return [run.folder.parent / name for name in names]


def _lessons_of(run: Run) -> list[str]:
    """Return the names of the lessons that a run was taught by, none where it had no teachers."""
    path = run.folder / LESSONS_FILE
    return path.read_text(encoding="utf-8").split() if path.is_file() else []


@dataclass(frozen=True, slots=True)
class Sources:
    """Where things lie that a run may need.

    Attributes
    ----------
    ham10000
        The data set.
    isic2017
        More images, where the run asks for them.
    pretrained
        Folder of ImageNet weights; None to have them downloaded, or taken from packages.
    """

    ham10000: Path
    isic2017: Path | None = None
    pretrained: Path | None = None


def training_data(config: RunConfig, sources: Sources) -> tuple[Collection, Split]:
    """Return HAM10000 split by lesion, its training part with the run's extra images.

    Raises
    ------
    device.errors.DataError
        If the data is not whole, or the extra images are not named.
    """
    collection = read_ham10000(sources.ham10000)
    split = split_by_lesion(collection)
    if config.extra_data == "none":
        return collection, split
    if sources.isic2017 is None:
        raise DataError(f"{config.name}: trains on ISIC 2017 too; name its folder with --isic2017")
    extra = read_isic2017(sources.isic2017, ("train", "validation"))
    both = joined(collection, extra)
    more = np.arange(len(collection), len(both))
    return both, replace(split, train=np.concatenate([split.train, more]))


def train(run: Run, sources: Sources, teachers: Sequence[Run], console: Console) -> None:
    """Fit the run's network: ``weights.h5`` and ``history.json``."""
    # TensorFlow takes seconds to import; bad data or settings are told before that.
    config = run.config
    collection, split = training_data(config, sources)
    cache = run.folder.parent / "cache"
    examples = read_examples(collection, split, config.input, config.fit.frame_size, cache)
    from build_host.keras import keras
    from build_host.training.architectures import build, start_from_imagenet
    from build_host.training.distribution import strategy_for
    from build_host.training.fitting import fit
    from build_host.training.teaching import ask

    with strategy_for(config.fit).scope():
        keras.utils.set_random_seed(config.seed)
        network = build(config)
        if config.start == "imagenet":
            start_from_imagenet(config, network, sources.pretrained)
    lessons = lessons_folders(run, teachers, collection) if teachers else []
    for teacher, folder in zip(teachers, lessons, strict=True):
        ask(config, examples, teacher.config, teacher.folder, folder, console)
    fit(config, network, examples, run.folder, console, lessons=lessons)


def compress(run: Run, data: Path, console: Console) -> None:
    """Convert the network to int8 and calibrate it on the validation fold."""
    from build_host.compression.pruning import set_smallest_to_zero
    from build_host.compression.quantization import to_float32, to_int8
    from build_host.compression.rounding import round_weights
    from build_host.compression.whitening import with_whitened
    from build_host.training.architectures import build, with_map
    from build_host.training.fitting import WEIGHTS
    from build_host.training.mobilenet import HEAD

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
        measured_limits(collection, chosen),
        provenance(collection, config.seed, config.digest, further_training(config)),
    )
    leave_draft(run.folder, calibrated(bundle, collection.subset(split.validation)))


def calibrate(folder: Path, data: Path) -> None:
    """Fit everything anew that is fitted on the validation fold, to a file that is converted."""
    collection = read_ham10000(data)
    validation = collection.subset(split_by_lesion(collection).validation)
    leave_draft(folder, calibrated(_unsigned(folder), validation))


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


def leave_draft(folder: Path, bundle: Bundle) -> None:
    """Write a model and its unsigned manifest into a run's folder."""
    (folder / MODEL_FILE).write_bytes(bundle.model)
    (folder / DRAFT_FILE).write_bytes(msgspec.json.encode(bundle.manifest))


def measured_limits(collection: Collection, training: NDArray[np.int64]) -> QualityLimits:
    """Return the quality limits that a thousand of the training images pass."""
    frames = (collection.read(collection.records[i]) for i in training[:_QUALITY_SAMPLE])
    fields = [look_at(frame).pixels for frame in frames]
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
    write_result(out / QUALITY_FILE, result)
    degradations(result).savefig(out / QUALITY_PLOT, dpi=120)
    return result


def show_examples(bundle: Bundle, data: Path, path: Path) -> None:
    """Draw a page of what a bundle gets right and wrong on the validation fold."""
    from build_host.evaluation.showing import examples_page

    collection = read_ham10000(data)
    validation = collection.subset(split_by_lesion(collection).validation)
    page = examples_page(bundle, validation, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.savefig(path, dpi=90)


def evaluate_run(folder: Path, sources: Sources, console: Console) -> Assessment:
    """Measure a run's int8 file on the test fold and beside it: ``metrics.json``."""
    result = evaluate_bundle(_unsigned(folder), sources, console, folder / FLOAT_FILE)
    write_result(folder / METRICS_FILE, result)
    return result


def evaluate_bundle(
    bundle: Bundle, sources: Sources, console: Console, float_file: Path | None = None
) -> Assessment:
    """Measure a bundle on the test fold and beside it, through the instrument's own Analyzer."""
    collection = read_ham10000(sources.ham10000)
    test = collection.subset(split_by_lesion(collection).test)
    exact = float_file.read_bytes() if float_file and float_file.is_file() else None
    return assess(bundle, test, sources.ham10000, sources.isic2017, exact, console)


def reopen(
    folder: Path, out: Path, trusted_keys: Iterable[str], version: str | None = None
) -> Path:
    """Return a run made of a bundle, to be calibrated, measured or signed anew.

    Parameters
    ----------
    version
        Of the new bundle, where it is to differ.

    Raises
    ------
    device.errors.BundleError
        If the bundle is not whole or signed by a key that is not trusted.
    """
    bundle = load_bundle(folder, trusted_keys)
    if version:
        told = msgspec.to_builtins(bundle.manifest) | {"version": version}
        try:
            manifest = msgspec.convert(told, Manifest)
        except msgspec.ValidationError as error:
            raise ConfigError(f"--version {version}: {error}") from None
        bundle = Bundle(folder, manifest, bundle.model, "")
    run = out / f"{bundle.manifest.name}-{bundle.manifest.model_sha256[:8]}"
    run.mkdir(parents=True, exist_ok=True)
    leave_draft(run, bundle)
    for name in (METRICS_FILE, *KEPT_FILES):
        if (folder / name).is_file():
            (run / name).write_bytes((folder / name).read_bytes())
    return run


def keep_ablation(folder: Path, table: Ablation) -> None:
    """Leave a table of variants in a run's folder, for its bundle to keep."""
    write_result(folder / ABLATION_FILE, table)


def compare_peers(
    folder: Path, others: Sequence[Path], data: Path, trusted_keys: Iterable[str]
) -> list[Peer]:
    """Measure other runs and bundles on a run's own test images: ``peers.json`` beside it.

    Raises
    ------
    device.errors.DermascopeError
        If one of them cannot be opened; before any is measured.
    """
    bundles = [_unsigned(folder), *(open_bundle(path, tuple(trusted_keys)) for path in others)]
    collection = read_ham10000(data)
    test = collection.subset(split_by_lesion(collection).test)
    peers = [measure_peer(bundle, test) for bundle in bundles]
    write_result(folder / PEERS_FILE, peers)
    return peers


def make_bundle(folder: Path, models: Path, key_path: Path) -> Path:
    """Write and sign the bundle of the run in a folder below `models`, and return its own."""
    draft = _unsigned(folder)
    path = folder / METRICS_FILE
    if not path.is_file():
        raise DataError(f"{folder}: is not evaluated yet ({METRICS_FILE} is missing)")
    assessment = read_result(path, Assessment)
    evaluation = assessment.evaluations[0]
    if evaluation.model_sha256 != draft.manifest.model_sha256:
        raise DataError(f"{folder}: {MODEL_FILE} is newer than its evaluation; evaluate it again")
    peers = folder / PEERS_FILE
    if peers.is_file():
        first = read_result(peers, list[Peer])[0]
        if first.model_sha256 != draft.manifest.model_sha256:
            raise DataError(f"{peers}: is of an older {MODEL_FILE}; measure the peers again")
    manifest = msgspec.structs.replace(draft.manifest, metrics=evaluation.figures)
    written = models / manifest.name
    write_bundle(written, manifest, draft.model, assessment, read_key(key_path), _sections(folder))
    for name in KEPT_FILES:
        if (folder / name).is_file():
            (written / name).write_bytes((folder / name).read_bytes())
        else:
            (written / name).unlink(missing_ok=True)
    return written


def _sections(folder: Path) -> str:
    """Return what the card says of the files that a bundle keeps beside its own."""
    tellers: dict[str, tuple[Any, Callable[[Any], str]]] = {
        REPRODUCTION_FILE: (Results, card_sections),
        ABLATION_FILE: (Ablation, ablation_section),
        PEERS_FILE: (list[Peer], peers_section),
    }
    told = [
        tell(read_result(folder / name, kind))
        for name, (kind, tell) in tellers.items()
        if (folder / name).is_file()
    ]
    return "\n\n".join(section.strip() for section in told)


def open_bundle(folder: Path, trusted_keys: Iterable[str]) -> Bundle:
    """Return the bundle in a folder, or the unsigned one of a run.

    Raises
    ------
    device.errors.DermascopeError
        If the bundle is not whole or not trusted, or the run is not compressed yet.
    """
    if (folder / MANIFEST_FILE).is_file():
        return load_bundle(folder, trusted_keys)
    return _unsigned(folder)


def _unsigned(folder: Path) -> Bundle:
    path = folder / DRAFT_FILE
    if not path.is_file():
        missing = "" if (folder / CONFIG_FILE).is_file() else "holds no run, or "
        raise DataError(f"{folder}: {missing}is not compressed yet ({DRAFT_FILE} is missing)")
    manifest = read_result(path, Manifest)
    model = (folder / MODEL_FILE).read_bytes()
    if hashlib.sha256(model).hexdigest() != manifest.model_sha256:
        raise DataError(
            f"{folder}: {MODEL_FILE} is not what {DRAFT_FILE} describes; compress again"
        )
    return Bundle(folder, manifest, model, "")
