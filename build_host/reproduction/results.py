"""The results of each stage: ``metrics.json``, which a bundle keeps as ``reproduction.json``.

Field names are those of the committed file.
"""

import msgspec

from build_host.evaluation.metrics import ClassFigures
from build_host.evaluation.tflite_file import FileSize
from build_host.training.history import Epoch
from device.diagnoses import Code
from device.models.manifest import Interval


class DataSummary(msgspec.Struct, frozen=True):
    """Section 3.1: what is in the dataset."""

    images: int
    lesions: int
    lesions_with_repeats: int
    images_of_repeated_lesions: int
    counts: dict[str, dict[str, int]]
    missing: dict[str, int]


class Oversampling(msgspec.Struct, frozen=True):
    """Section 3.2, Tables 5 and 6: the training part before and after RandomOverSampler."""

    before: dict[str, int]
    after: dict[str, int]


class Restoration(msgspec.Struct, frozen=True):
    """How near an enhancement brings corrupted images to the clean ones; means over images."""

    step: str
    spoiled_by: str
    mse: float
    psnr: float
    ssim: float


class EnhancementEffect(msgspec.Struct, frozen=True):
    """What an enhancement does to a network that is trained and validated with it."""

    step: str
    accuracy: Interval
    balanced_accuracy: Interval


class EnhancementStudy(msgspec.Struct, frozen=True):
    """Section 3.2: denoising and hair removal."""

    restoration: list[Restoration]
    effect: list[EnhancementEffect]


class ProtocolResult(msgspec.Struct, frozen=True):
    """The same network and settings under one way of splitting."""

    protocol: str
    training_images: int
    test_images: int
    test_images_seen_in_training: int
    test_lesions_seen_in_training: int
    figures: dict[str, Interval]
    history: list[Epoch]


class MeasuredFile(msgspec.Struct, frozen=True):
    """One file of Table 8, measured.

    Attributes
    ----------
    name, kind
        How the network was made smaller, and the file's format.
    paper_mib, paper_accuracy
        What the paper states for it, where it does.
    size
        Of the file itself.
    validation_balanced_accuracy
        On fold 4; files are chosen by it.
    figures
        On the test fold.
    efficiency
        Accuracy per MiB of the file.
    accuracy_loss, size_reduction
        Relative to the base network's file with its optimizer, as in the paper.
    sparsity
        Share of zero weights by layer, and of ``all``.
    latency_ratio
        Time of one run relative to the float32 base, in the same process; 0 where LiteRT cannot
        run the file.
    measured_on
        Which file the accuracy was measured on, where LiteRT cannot run this one.
    """

    name: str
    kind: str
    size: FileSize
    figures: dict[str, Interval]
    validation_balanced_accuracy: float
    efficiency: float
    accuracy_loss: float
    size_reduction: float
    sparsity: dict[str, float]
    latency_ratio: float
    measured_on: str = ""
    paper_mib: float | None = None
    paper_accuracy: float | None = None


class Results(msgspec.Struct, frozen=True):
    """Everything: ``metrics.json``."""

    source: str
    run: str
    seed: int
    data: DataSummary
    oversampling: Oversampling
    image_steps: EnhancementStudy
    protocols: list[ProtocolResult]
    base_history: list[Epoch]
    base_figures: dict[str, Interval]
    base_per_class: dict[Code, ClassFigures]
    base_confusion: list[list[int]]
    artefacts: list[MeasuredFile]
    chosen: str
    deterministic: str
