"""The same network and settings under three ways of splitting the images."""

from typing import Final

import msgspec

from build_host.datasets.split import oversample_then_split, split_by_image
from build_host.evaluation.metrics import METRICS, with_intervals
from build_host.reproduction.context import Context
from build_host.reproduction.networks import (
    build_seeded_network,
    predict_with_float_file,
    train,
)
from build_host.reproduction.results import ProtocolResult
from build_host.training.history import read_history

PROTOCOLS: Final = ("oversample-then-split", "split-by-image", "lesion-disjoint")

_FIGURES: Final = ("accuracy", "balanced_accuracy", "macro_auc", "malignant_auc", "f1_weighted")


def run_protocol(context: Context, name: str) -> ProtocolResult:
    """Train and test the paper's network under one of `PROTOCOLS`."""
    dataset, seed = context.dataset, context.config.seed
    settings = context.config.protocol_fit
    if name == "oversample-then-split":
        split = oversample_then_split(dataset, seed)
        settings = msgspec.structs.replace(settings, balance="none")
    elif name == "split-by-image":
        split = split_by_image(dataset, seed)
    else:
        split = context.split
    folder = context.training_folder(f"protocol-{name}")
    model = train(context, folder, build_seeded_network(context), settings, dataset, split)
    images = context.examples(settings, split).images
    labels, lesions = dataset.labels, dataset.lesions
    trained_on = set(split.train.tolist())
    lesions_trained_on = set(lesions[split.train])
    return ProtocolResult(
        protocol=name,
        training_images=len(split.train),
        test_images=len(split.test),
        test_images_seen_in_training=sum(int(i) in trained_on for i in split.test),
        test_lesions_seen_in_training=sum(lesions[i] in lesions_trained_on for i in split.test),
        figures=with_intervals(
            labels[split.test],
            predict_with_float_file(context, model, images, split.test),
            lesions[split.test],
            {figure: METRICS[figure] for figure in _FIGURES},
            context.config.resamples,
        ),
        history=read_history(folder),
    )
