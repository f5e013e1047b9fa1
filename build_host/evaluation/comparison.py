"""Models side by side: what each part of a recipe gives, and what others reach."""

from typing import Final

import msgspec

from build_host.datasets.dataset import Dataset
from build_host.evaluation.assessment import assess_first
from build_host.evaluation.speed import Speed, measure, reference_model
from build_host.evaluation.tflite_file import FileSize
from device.inference.bundle import Bundle
from device.inference.manifest import Interval

PEER_FIGURES: Final = (
    "accuracy",
    "balanced_accuracy",
    "balanced_accuracy_as_if_equally_common",
    "macro_auc",
    "malignant_auc",
    "melanoma_sensitivity_at_0.90_specificity",
    "expected_calibration_error",
)


class AblationRow(msgspec.Struct, frozen=True):
    """What a variant is worth on the validation fold, as a float network in one pass."""

    name: str
    run: str
    epochs: int
    parameters: int
    figures: dict[str, Interval]


class Ablation(msgspec.Struct, frozen=True):
    """What each part of a recipe gives: all rows of a table, in its order."""

    base: str
    images: int
    rows: list[AblationRow]


class Peer(msgspec.Struct, frozen=True):
    """Another model on the same images of the test fold, in one pass."""

    name: str
    model_sha256: str
    input: str
    size: FileSize
    speed: Speed
    figures: dict[str, Interval]


def measure_peer(bundle: Bundle, test: Dataset) -> Peer:
    """Return what a model reaches on the test fold."""
    evaluation = assess_first(bundle, test).evaluations[0]
    spec = bundle.manifest.input
    return Peer(
        name=bundle.manifest.model_id,
        model_sha256=bundle.manifest.model_sha256,
        input=f"{spec.width} x {spec.height}",
        size=evaluation.size,
        speed=measure(bundle, reference_model()),
        figures={name: evaluation.figures[name] for name in PEER_FIGURES},
    )
