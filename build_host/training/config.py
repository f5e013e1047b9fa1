"""One TOML file describes a run; its digest names the run's folder."""

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from device.imaging.preprocessing import InputSpec
from device.models.manifest import Name, Saliency, Version
from device.platform.toml_file import read_toml

Rate = Annotated[float, msgspec.Meta(gt=0.0, le=1e32)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Spread = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the run's file: immutable, and unknown keys are refused.

    What is left at its default does not count in the run's digest: so a new setting leaves the
    folders of older runs theirs.
    """


class PlateauConfig(_Section, frozen=True):
    """Lower the learning rate when the validation loss stands still.

    Attributes
    ----------
    patience
        Epochs without a lower loss before the rate falls.
    factor
        What the rate is multiplied by.
    floor
        Lowest rate.
    """

    patience: Positive = 2
    factor: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.5
    floor: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 1e-5


class Augmentation(_Section, frozen=True):
    """How far pictures are changed; 0 leaves a property alone.

    Attributes
    ----------
    source_height, source_width
        Size of the whole frames that are warped into the model's input, in pixels; 0 for the
        size of the model's own input, where that is the full frame.
    turn
        Turn by any angle and mirror: a dermatoscope has no upright.
    zoom_out, zoom_in
        Largest factors by which more, or less, than the model's view is shown.
    aspect
        Largest stretch of one axis against the other, as a natural logarithm.
    shift
        Largest shift, in parts of the short side.
    brightness, contrast, saturation
        Largest change, as a natural logarithm.
    colour
        Largest change of one colour channel against the others, as a natural logarithm: colour
        is diagnostic, so a little.
    cover
        Largest side of a square that hides part of the picture, in parts of the side.
    cover_share
        Share of the pictures on which one is laid.
    noise
        Largest standard deviation of pixel noise, in grey levels.
    blur
        Largest weight of a 3 x 3 mean.
    """

    source_height: Annotated[int, msgspec.Meta(ge=0)] = 0
    source_width: Annotated[int, msgspec.Meta(ge=0)] = 0
    turn: bool = True
    zoom_out: Annotated[float, msgspec.Meta(ge=1.0, le=2.0)] = 1.15
    zoom_in: Annotated[float, msgspec.Meta(ge=1.0, le=4.0)] = 1.5
    aspect: Spread = 0.12
    shift: Share = 0.09
    brightness: Spread = 0.15
    contrast: Spread = 0.2
    saturation: Spread = 0.2
    colour: Spread = 0.06
    cover: Share = 0.4
    cover_share: Share = 0.4
    noise: Annotated[float, msgspec.Meta(ge=0.0, le=64.0)] = 6.0
    blur: Share = 0.0


class Distillation(_Section, frozen=True):
    """Learning from what larger networks say of the same changed images (arXiv:2106.05237).

    Attributes
    ----------
    teachers
        Files of runs, beside the run's own; they are trained first, into the same folder.
    views
        How often each training image is changed anew and shown to the teachers; later epochs show
        the same changes again.
    share
        Of the target: the rest is the diagnosis itself.
    """

    teachers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    views: Positive = 16
    share: Share = 0.8


class FitConfig(_Section, frozen=True):
    """How the network is fitted.

    Attributes
    ----------
    optimizer, weight_decay
        Adam, or AdamW (arXiv:1711.05101) with its decay, gradients clipped to a norm of 5.
    schedule
        ``plateau``: see `PlateauConfig`. ``cosine``: up over `warmup` epochs, then down to 0 along
        a half cosine (arXiv:1608.03983).
    balance
        ``random-oversample``: repeat training images until every diagnosis has as many as the
        commonest; ``power``: draw each diagnosis in proportion to its images to the power of
        `balance_power`; ``none``: as they are.
    prior_adjustment
        Strength of the logit adjustment that makes up for the class frequencies which balancing
        leaves (arXiv:2007.07314); 1 aims at the balanced error.
    label_smoothing
        Share of the target spread over all diagnoses.
    mixup
        Alpha of the Beta distribution by which pairs of images are mixed; 0 for none.
    average
        Decay of the running average of the weights that is judged and kept; 0 for none.
    keep
        Which epoch's weights become the model, judged on the validation part.
    distribution
        ``multi-worker``: on several machines at once (`build_host.training.distribution`).
    """

    epochs: Positive = 25
    batch: Positive = 128
    learning_rate: Rate = 1e-3
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    schedule: Literal["plateau", "cosine"] = "plateau"
    plateau: PlateauConfig = PlateauConfig()
    warmup: Annotated[float, msgspec.Meta(ge=0.0)] = 2.0
    balance: Literal["random-oversample", "power", "none"] = "random-oversample"
    balance_power: Share = 0.5
    prior_adjustment: Share = 0.0
    label_smoothing: Share = 0.0
    mixup: Annotated[float, msgspec.Meta(ge=0.0, le=8.0)] = 0.0
    average: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)] = 0.0
    keep: Literal["best-balanced-accuracy", "last"] = "best-balanced-accuracy"
    distribution: Literal["none", "multi-worker"] = "none"
    augmentation: Augmentation | None = None
    distillation: Distillation | None = None

    def __post_init__(self) -> None:
        if (self.mixup or self.distillation) and not self.augmentation:
            raise ValueError("mixup and distillation want an augmentation")
        if self.distribution == "multi-worker" and self.distillation:
            raise ValueError("teachers are asked on one machine only")
        if self.distribution == "multi-worker" and self.average:
            raise ValueError("a running average of the weights is kept on one machine only")

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the frames that training starts from; (0, 0): the model's input."""
        changes = self.augmentation
        return (changes.source_height, changes.source_width) if changes else (0, 0)


Architecture = Literal[
    "paper", "mobilenet", "slim-mobilenet",
    "efficientnet-lite-0", "efficientnet-lite-1", "efficientnet-lite-2",
]  # fmt: skip

_SMALLEST_FOR_PAPER: Final = 16
_STRIDE: Final = 32
_WIDTH: Final = 0.35


class RunConfig(_Section, frozen=True):
    """Everything that decides what a run makes.

    Attributes
    ----------
    name, version
        Of the bundle.
    seed
        Of every random choice.
    start
        The weights that training begins with.
    width
        Of the MobileNets' layers, in parts of the original.
    head
        Channels of the last convolution of the MobileNets, up to 1,280; 0 to leave it out.
    head_sparsity
        Share of the head's weights, the smallest, that is set to zero before conversion.
    extra_data
        More training images: ``isic-2017``, of which the test part is left alone.
    representative
        Training images that set the ranges of the int8 file.
    """

    name: Name
    version: Version
    seed: Annotated[int, msgspec.Meta(ge=0)]
    input: InputSpec
    architecture: Architecture
    fit: FitConfig
    saliency: Saliency
    start: Literal["random", "imagenet"] = "random"
    width: Annotated[float, msgspec.Meta(gt=0.0, le=1.4)] = _WIDTH
    head: Annotated[int, msgspec.Meta(ge=0, le=1280)] = 0
    head_sparsity: Share = 0.0
    extra_data: Literal["none", "isic-2017"] = "none"
    representative: Positive = 500

    def __post_init__(self) -> None:
        mapped = self.architecture in ("mobilenet", "slim-mobilenet")
        if self.saliency.method == "class-activation-map" and not mapped:
            raise ValueError(f"the network {self.architecture!r} gives no class activation map")
        if (self.head or self.width != _WIDTH) and not mapped:
            raise ValueError(f"the network {self.architecture!r} has no head and width to choose")
        if self.head_sparsity and not self.head:
            raise ValueError("head_sparsity: this network is to have no head")
        if self.architecture == "paper":
            if self.start == "imagenet":
                raise ValueError("the paper's network has no ImageNet weights")
            if min(self.input.height, self.input.width) < _SMALLEST_FOR_PAPER:
                raise ValueError(
                    f"the paper's network halves its input four times and needs at least "
                    f"{_SMALLEST_FOR_PAPER} pixels"
                )
        elif self.input.height % _STRIDE or self.input.width % _STRIDE:
            raise ValueError(f"this network wants an input of a multiple of {_STRIDE} pixels")

    @property
    def digest(self) -> str:
        """SHA-256 over all that differs from the defaults."""
        return digest_of(self)


def digest_of(config: msgspec.Struct) -> str:
    """Return the SHA-256 over what a configuration says that differs from the defaults."""
    return hashlib.sha256(msgspec.json.encode(_told(config), order="sorted")).hexdigest()


def _told(value: object) -> object:
    if not isinstance(value, msgspec.Struct):
        return value
    return {
        field.name: _told(getattr(value, field.name))
        for field in msgspec.structs.fields(value)
        if getattr(value, field.name) != field.default
    }


def read_config(path: Path) -> RunConfig:
    """Return the run that a TOML file describes.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing or holds an unknown or impossible setting.
    """
    return read_toml(path, RunConfig)
