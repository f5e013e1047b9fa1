"""Models compared on the same images: variants of a run, and other models."""

from typing import Final

import msgspec

from build_host.datasets.dataset import Dataset
from build_host.evaluation.assessment import assess_test_fold
from build_host.evaluation.speed import Speed, measure_speed, reference_model
from build_host.evaluation.tflite_file import FileSize
from device.models.bundle import Bundle
from device.models.manifest import Interval

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
    """The figures of a variant on the validation fold, as a float network in one pass."""

    name: str
    run: str
    epochs: int
    parameters: int
    figures: dict[str, Interval]


class Ablation(msgspec.Struct, frozen=True):
    """The variants of a run, in the order of the table."""

    base: str
    images: int
    rows: list[AblationRow]


class LeftOut(msgspec.Struct, frozen=True):
    """A network on the test fold of a source that it was not trained on.

    Attributes
    ----------
    coverage
        Share of its images whose prediction set holds the true diagnosis.
    """

    source: str
    images: int
    figures: dict[str, Interval]
    coverage: float


class TrainedWithout(msgspec.Struct, frozen=True):
    """A network on the validation fold of every source, its own and that which it lacks.

    Attributes
    ----------
    source
        The one that it was not trained on; empty where it was trained on all.
    figures
        By source and figure.
    """

    source: str
    figures: dict[str, dict[str, Interval]]


class LeaveOneOut(msgspec.Struct, frozen=True):
    """What to expect at a clinic that a network has never seen, and what each source gives.

    Attributes
    ----------
    epochs, full_epochs
        For how long each was trained, and the run itself.
    rows
        Of the test fold of each source that tests.
    contributions
        Of the validation folds: of all sources first, then without each.
    """

    base: str
    epochs: int
    full_epochs: int
    rows: list[LeftOut]
    contributions: list[TrainedWithout]


class Peer(msgspec.Struct, frozen=True):
    """One of the compared models on the test fold, in one pass."""

    name: str
    model_sha256: str
    input: str
    size: FileSize
    speed: Speed
    figures: dict[str, Interval]


def measure_peer(bundle: Bundle, test: Dataset) -> Peer:
    """Return the figures of a model on the test fold."""
    evaluation = assess_test_fold(bundle, test).evaluations[0]
    spec = bundle.manifest.live.input
    return Peer(
        name=bundle.manifest.model_id,
        model_sha256=bundle.manifest.live.sha256,
        input=f"{spec.width} x {spec.height}",
        size=evaluation.size,
        speed=measure_speed(bundle.live_model, reference_model()),
        figures={n: evaluation.figures[n] for n in PEER_FIGURES if n in evaluation.figures},
    )
