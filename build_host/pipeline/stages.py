"""The stages from images to a calibrated model, each leaving its result in the run's folder."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from build_host.bundle.draft import calibrate_draft, draft, provenance
from build_host.calibration.degradation import Study
from build_host.calibration.fits import percentile_quality_limits
from build_host.datasets.dataset import Dataset
from build_host.datasets.image_cache import load_examples, resized_images
from build_host.datasets.sources import SOURCES, DataFolders, SourceName, at_full_size
from build_host.datasets.split import Split
from build_host.errors import DataError
from build_host.evaluation.inference import network_outputs
from build_host.evaluation.similar_cases import embed_lesions, measure_retrieval
from build_host.files import write_file
from build_host.pipeline.folds import fold, own_fold, photograph_inputs
from build_host.pipeline.measurement import study_quality
from build_host.pipeline.workspace import (
    Run,
    forget_figures,
    open_draft,
    prediction_folders,
    separated_data,
    write_draft,
)
from build_host.run_folder import RunFolder
from build_host.training.config import RunConfig
from device.inference.similar_cases import SimilarCases, encode_cases
from device.models.manifest import SimilarCases as SimilarCasesSection

_LIMITS_IMAGES: Final = 1500
_MOST_LOST: Final = 0.01
_GPTQ_IMAGES: Final = 256
"""So many are enough to estimate the second moments of a layer's inputs."""


def train(run: Run, folders: DataFolders, teachers: Sequence[Run], console: Console) -> None:
    """Train the run's network; resumes where it was stopped."""
    config = run.config
    dataset, split = separated_data(config, folders, run.folder.cache)
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
    predictions = prediction_folders(run, teachers, dataset, split) if teachers else []
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
    dataset, split = separated_data(config, folders, folder.cache)
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
    rows = shuffled[: config.representative]
    representative = np.asarray(images[np.sort(rows)])
    round_weights(network, np.asarray(images[rows_for_gptq(rows)]), config.input)
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


def rows_for_gptq(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which images give the statistics of each layer's inputs, in the order of their rows.

    Parameters
    ----------
    rows
        Those of the representative dataset in random order: int64, (n,). Sorted, they would begin
        with those of the first source alone.
    """
    return np.sort(rows[:_GPTQ_IMAGES])


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
    if lost and float(np.mean(lost)) <= _MOST_LOST:
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
        As in `compress`; a run that was compressed or calibrated so stays so.
    on
        Sources to fit it on; by default those that it was trained on.
    """
    bundle = open_draft(folder)
    validation = fold(on, folders, "validation") if on else own_fold(bundle, folders, "validation")
    write_draft(folder, calibrate_draft(bundle, validation, captured))
    forget_figures(folder)


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
    forget_figures(folder)
    return result


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
