"""The stages from images to a measured model, each leaving its result in the run's folder."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from build_host.bundle.draft import calibrate_draft, draft, provenance
from build_host.calibration.degradation import Study, study_degradation
from build_host.calibration.fits import percentile_quality_limits
from build_host.datasets.dataset import Dataset, concatenate
from build_host.datasets.image_cache import (
    load_examples,
    resized_images,
    without_look_alikes_of_others,
)
from build_host.datasets.isic2017 import read_isic2017
from build_host.datasets.milk10k import Photograph, milk10k_out_of_scope, milk10k_photographs
from build_host.datasets.sampling import balanced_sample
from build_host.datasets.sources import (
    SOURCES,
    DataFolders,
    SourceName,
    at_full_size,
    read_sources,
    split_sources,
)
from build_host.datasets.split import TEST_FOLD, VALIDATION_FOLD, Split, fold_of
from build_host.errors import DataError
from build_host.evaluation.assessment import Assessment, assess
from build_host.evaluation.comparison import Peer, measure_peer
from build_host.evaluation.inference import network_outputs
from build_host.evaluation.judgement import Judgement, judge
from build_host.evaluation.similar_cases import embed_lesions, measure_retrieval
from build_host.files import replacing, write_file
from build_host.pipeline.release import open_run_or_bundle
from build_host.pipeline.workspace import (
    Run,
    open_draft,
    prediction_folders,
    training_data,
    write_draft,
)
from build_host.results import write_result
from build_host.run_folder import RunFolder
from build_host.training.config import RunConfig
from device.imaging.image_file import read_image
from device.imaging.preprocessing import InputSpec, resize_to_input
from device.inference.similar_cases import SimilarCases, encode_cases
from device.models.bundle import Bundle
from device.models.manifest import SimilarCases as SimilarCasesSection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LIMITS_IMAGES: Final = 1500
_MOST_LOST: Final = 0.01
_GPTQ_IMAGES: Final = 256
"""So many are enough to estimate the second moments of a layer's inputs."""


def train(run: Run, folders: DataFolders, teachers: Sequence[Run], console: Console) -> None:
    """Train the run's network; resumes where it was stopped."""
    config = run.config
    dataset, split = training_data(config, folders)
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
            load_imagenet_weights(config, network, folders.pretrained)
    predictions = prediction_folders(run, teachers, dataset) if teachers else []
    for teacher, folder in zip(teachers, predictions, strict=True):
        predict_views(config, examples, teacher.config, teacher.folder, folder, console)
    fit(config, network, examples, run.folder, console, predictions=predictions)


def compress(run: Run, folders: DataFolders, console: Console, captured: bool = False) -> None:
    """Quantize the run's network to int8 and calibrate it on the validation folds.

    Parameters
    ----------
    captured
        It is for captured pictures: the mean over eight views is calibrated.

    Raises
    ------
    build_host.errors.DataError
        If the run is not trained yet.
    """
    from build_host.compression.dermoscopic import with_dermoscopic_output
    from build_host.compression.embedding import with_embedding
    from build_host.compression.gptq import round_weights
    from build_host.compression.pruning import prune_smallest
    from build_host.compression.quantization import to_float32, to_int8
    from build_host.compression.whitening import with_whitened_features
    from build_host.training.architectures import build_network, with_class_activation_map
    from build_host.training.mobilenet import HEAD

    folder, config = run.folder, run.config
    if not folder.weights.is_file():
        raise DataError(f"{folder.path}: is not trained yet ({folder.weights.name} is missing)")
    dataset, split = training_data(config, folders)
    split = without_look_alikes_of_others(dataset, split, folder.cache)
    images = resized_images(dataset, config.input, folder.cache)
    shuffled = np.random.default_rng(config.seed).permutation(split.train)
    network = build_network(config)
    network.load_weights(folder.weights)
    if config.head:
        prune_smallest(network.get_layer(HEAD), config.head_sparsity)
    network = with_class_activation_map(network)
    network = with_whitened_features(network, images, split.train, config.input)
    if "milk10k" in config.sources:
        photographs = photograph_inputs(folders, config.input, "train")
        network = with_dermoscopic_output(
            network, images, split.train, photographs, config.input, config.seed
        )
    if captured:
        network = with_embedding(network, images, split.train, config.input, config.seed)
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
        percentile_quality_limits(at_full_size(dataset.subset(shuffled[:_LIMITS_IMAGES]))),
        provenance(dataset, config.seed, config.digest, config.sources, further_training(config)),
    )
    write_draft(folder, bundle)
    calibrate(folder, folders, captured)
    if captured and bundle.manifest.live.outputs.embedding is not None:
        index_cases(folder, dataset, split, console)


def index_cases(folder: RunFolder, dataset: Dataset, split: Split, console: Console) -> None:
    """Write an index of the training lesions, if what it finds is worth showing.

    It is where the sixteen nearest lesions tell the diagnoses apart as well as the network does, on
    the validation folds, but for a hundredth of the macro AUC.
    """
    bundle = open_draft(folder)
    vectors, diagnoses = embed_lesions(bundle, dataset.subset(split.train))
    content = encode_cases(vectors, diagnoses)
    section = SimilarCasesSection(
        file=folder.similar_cases.name,
        sha256=hashlib.sha256(content).hexdigest(),
        lesions=len(vectors),
        dimensions=vectors.shape[1],
    )
    manifest = msgspec.structs.replace(bundle.manifest, similar_cases=section)
    indexed = replace(bundle, manifest=manifest, similar_cases=content)
    validation = dataset.subset(split.validation)
    outputs = network_outputs(indexed, validation)
    measured = measure_retrieval(SimilarCases(indexed), indexed, validation, outputs)
    for row in measured:
        console.print(
            f"Similar cases, {row.source}: macro AUC {row.similar_macro_auc.value:.3f}, the "
            f"network's {row.network_macro_auc.value:.3f}"
        )
    lost = [r.network_macro_auc.value - r.similar_macro_auc.value for r in measured]
    if float(np.mean(lost)) <= _MOST_LOST:
        write_draft(folder, indexed)
    else:
        console.print("They are left out: they tell less than the network does")


def calibrate(
    folder: RunFolder,
    folders: DataFolders,
    captured: bool = False,
    on: tuple[SourceName, ...] = (),
) -> None:
    """Refit what is fitted on the validation folds, for a run that is compressed already.

    Parameters
    ----------
    captured
        As in `compress`.
    on
        Sources to fit it on; by default those that it was trained on.
    """
    bundle = open_draft(folder)
    validation = fold(on, folders, "validation") if on else own_fold(bundle, folders, "validation")
    write_draft(folder, calibrate_draft(bundle, validation, captured))


def photograph_inputs(
    folders: DataFolders, spec: InputSpec, part: Literal["train", "validation", "test"]
) -> NDArray[np.uint8]:
    """Return photographs that no dermatoscope took as a model's input: uint8, (n, h, w, 3), RGB."""
    chosen = photographs(folders, part)
    pixels = [resize_to_input(read_image(photo.path), spec) for photo in chosen]
    return np.array(pixels, np.uint8).reshape(-1, spec.height, spec.width, 3)


def photographs(
    folders: DataFolders, part: Literal["train", "validation", "test"]
) -> list[Photograph]:
    """Return MILK10k's photographs without a dermatoscope of a part, split by lesion as all are."""
    wanted = {"train": (1, 2, 3), "validation": (VALIDATION_FOLD,), "test": (TEST_FOLD,)}[part]
    everything = milk10k_photographs(folders.folder("milk10k"))
    return [photo for photo in everything if fold_of(photo.lesion_id) in wanted]


def further_training(config: RunConfig) -> tuple[str, ...]:
    """Return what goes into a run's training besides the images it is tested on."""
    further = []
    if "isic-2017" in config.sources:
        extra = SOURCES["isic-2017"]
        further.append(f"images of {extra.title} ({extra.licence}): train and validation")
    if config.start == "imagenet":
        further.append("a start from ImageNet weights")
    if config.fit.distillation:
        names = ", ".join(Path(t).stem for t in config.fit.distillation.teachers)
        further.append(f"what larger networks say of the same images ({names})")
    return tuple(further)


def set_quality_limits(folder: RunFolder, folders: DataFolders, images: int, levels: int) -> Study:
    """Derive the draft's quality limits from where accuracy falls, in place of percentiles.

    Parameters
    ----------
    images, levels
        As in `study_quality`.
    """
    bundle = open_draft(folder)
    result = study_quality(bundle, folders, folder, images, levels)
    manifest = msgspec.structs.replace(bundle.manifest, quality=result.limits)
    write_draft(folder, replace(bundle, manifest=manifest))
    return result


def study_quality(
    bundle: Bundle, folders: DataFolders, out: RunFolder, images: int, levels: int
) -> Study:
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

    validation = own_fold(bundle, folders, "validation")
    sample = balanced_sample(at_full_size(validation), images)
    result = study_degradation(bundle, sample, validation, levels)
    write_result(out.quality_study, result)
    _write_figure(out.quality_plot, degradation_curves(result), dpi=120)
    return result


def judge_bundle(
    bundle: Bundle,
    folders: DataFolders,
    part: Literal["validation", "test"],
    images: int | None = None,
) -> Judgement:
    """Measure a bundle's judgement on a fold of every collection that is there, HAM10000's first.

    Parameters
    ----------
    images
        How many of each collection, or None for all.
    """
    held: list[SourceName] = [n for n in folders.sources if n not in ("isic-2017", "ham10000")]
    named = (*(("ham10000",) if "ham10000" in folders.sources else ()), *held)
    dataset = fold(named, folders, part)
    order = np.random.default_rng(0).permutation(len(dataset))
    source = dataset.source_indices
    rows = [order[source[order] == i][: images or len(order)] for i in range(len(dataset.sources))]
    judged = dataset.subset(np.concatenate([np.sort(own) for own in rows]))
    if part == "test" and "isic-2017" in folders.sources:
        judged = concatenate(judged, read_isic2017(folders.folder("isic-2017"), ("test",)))
    return judge(bundle, judged)


def write_example_sheet(bundle: Bundle, folders: DataFolders, path: Path) -> None:
    """Write a page of what a bundle gets right and wrong on the validation fold."""
    from build_host.reporting.example_sheet import example_sheet

    validation = main_fold(bundle, folders, "validation")
    sheet = example_sheet(bundle, validation, folders.sources.get("ham10000"))
    _write_figure(path, sheet, dpi=90)


def write_data_sheet(dataset: Dataset, path: Path) -> None:
    """Write a page of what is in a collection, which has an image at least."""
    from build_host.reporting.data_sheet import data_sheet

    _write_figure(path, data_sheet(dataset), dpi=80)


def _write_figure(path: Path, figure: "Figure", dpi: int) -> None:
    with replacing(path) as part:
        figure.savefig(part, dpi=dpi, format=path.suffix.removeprefix(".") or "png")


def evaluate_run(folder: RunFolder, folders: DataFolders, console: Console) -> Assessment:
    """Measure a run's int8 file in every way, and write the result."""
    result = evaluate_bundle(open_draft(folder), folders, console, folder.float_model)
    write_result(folder.metrics, result)
    return result


def evaluate_bundle(
    bundle: Bundle, folders: DataFolders, console: Console, float_file: Path | None = None
) -> Assessment:
    """Measure a bundle in every way, through the device's own Analyzer.

    Parameters
    ----------
    float_file
        The same network before quantization, where there is one.
    """
    test = main_fold(bundle, folders, "test")
    float_model = float_file.read_bytes() if float_file and float_file.is_file() else None
    isic2017 = folders.sources.get("isic-2017")
    named: list[SourceName] = [n for n in folders.sources if n not in ("isic-2017", "ham10000")]
    own = bundle.manifest.provenance.sources
    known: list[SourceName] = ["ham10000"] if "ham10000" in folders.sources else []
    several = len(own) > 1 or set(named) - set(own)
    sources = fold((*known, *named), folders, "test") if named and several else None
    taken: list[Photograph] = []
    others: list[Path] = []
    if "milk10k" in folders.sources:
        taken = photographs(folders, "test")
        others = list(milk10k_out_of_scope(folders.folder("milk10k")).values())
    return assess(
        bundle,
        test,
        folders.sources.get("ham10000"),
        isic2017,
        float_model,
        console,
        sources,
        [photo.path for photo in taken],
        others,
    )


def compare(
    folder: RunFolder, others: Sequence[Path], folders: DataFolders, trusted_keys: Iterable[str]
) -> list[Peer]:
    """Measure a run, other runs and bundles on the same test images, and write the result.

    Raises
    ------
    device.errors.DermascopeError
        If one of them cannot be opened; before any is measured.
    """
    trusted = tuple(trusted_keys)
    bundles = [open_draft(folder), *(open_run_or_bundle(path, trusted) for path in others)]
    test = main_fold(bundles[0], folders, "test")
    peers = [measure_peer(bundle, test) for bundle in bundles]
    write_result(folder.peers, peers)
    return peers


def main_fold(bundle: Bundle, folders: DataFolders, part: Literal["validation", "test"]) -> Dataset:
    """Return HAM10000's fold, by which models are compared, or those of its own sources.

    The latter for a model that HAM10000 had no part in.
    """
    if "ham10000" in bundle.manifest.provenance.sources:
        return fold(("ham10000",), folders, part)
    return own_fold(bundle, folders, part)


def own_fold(bundle: Bundle, folders: DataFolders, part: Literal["validation", "test"]) -> Dataset:
    """Return the validation or test folds of all the sources that a bundle was trained on."""
    try:
        names = msgspec.convert(bundle.manifest.provenance.sources, tuple[SourceName, ...])
    except msgspec.ValidationError as error:
        raise DataError(f"{bundle.folder}: names a source that is not known ({error})") from None
    return fold(names, folders, part)


def fold(
    names: tuple[SourceName, ...], folders: DataFolders, part: Literal["validation", "test"]
) -> Dataset:
    """Return the validation or test folds of sources."""
    dataset = read_sources(names, folders)
    split = split_sources(dataset)
    return dataset.subset(split.validation if part == "validation" else split.test)
