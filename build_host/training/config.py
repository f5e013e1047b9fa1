"""The settings of a run: one TOML file, whose digest names the run's folder.

The digest is also in the signed manifest of every bundle made from a run. Renaming a key that a
shipped run sets would break that link (but for `_NAMES_IN_DIGESTS`), and so would a new default.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from build_host.datasets.sources import SourceName
from device.imaging.preprocessing import InputSpec
from device.models.manifest import Version
from device.models.network_spec import Name, Saliency
from device.platform.toml_file import read_toml

Rate = Annotated[float, msgspec.Meta(gt=0.0, le=1e32)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Spread = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a settings file: immutable, and unknown keys are refused.

    Settings left at their defaults are not part of the digest, so that adding a setting does not
    rename the folders of older runs.
    """


class PlateauConfig(Section, frozen=True):
    """Reduce the learning rate when the validation loss stops falling.

    Attributes
    ----------
    patience
        Epochs without a lower loss before the rate is reduced.
    factor
        What the rate is multiplied by.
    floor
        Lowest learning rate.
    """

    patience: Positive = 2
    factor: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.5
    floor: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 1e-5


class AugmentationConfig(Section, frozen=True):
    """How strongly images are augmented; 0 turns an augmentation off.

    Attributes
    ----------
    source_height, source_width
        Size in pixels of the whole frames that are warped into the model's input; 0 to start from
        the model's input itself, where that shows the full frame.
    rotate_and_flip
        Rotate by any angle and mirror: a dermatoscope has no upright.
    zoom_out, zoom_in
        Largest factors by which the image is shrunk or enlarged about its centre.
    aspect
        Largest natural logarithm of the stretch of one axis against the other.
    shift
        Largest translation, as a fraction of the short side.
    brightness, contrast, saturation
        Largest natural logarithm of the factor.
    colour
        The same for each colour channel by itself; little, since colour is diagnostic.
    cutout
        Largest side of a square that is masked out (arXiv:1708.04552), as a fraction of the
        image's.
    cutout_probability
        Share of the images that get one.
    noise
        Largest standard deviation of Gaussian noise, in grey levels.
    blur
        Largest weight of a 3 x 3 box blur.
    softness
        Largest weight of a 5 x 5 box blur, for images that are enlarged from a few pixels.
    gamma
        Largest natural logarithm of the exponent of a tone curve: the colours of film.
    ruler
        Share of the images with a ruler along one side.
    bubbles
        Share of the images with bubbles in the immersion fluid, which have bright rims.
    """

    source_height: Annotated[int, msgspec.Meta(ge=0)] = 0
    source_width: Annotated[int, msgspec.Meta(ge=0)] = 0
    rotate_and_flip: bool = True
    zoom_out: Annotated[float, msgspec.Meta(ge=1.0, le=2.0)] = 1.15
    zoom_in: Annotated[float, msgspec.Meta(ge=1.0, le=4.0)] = 1.5
    aspect: Spread = 0.12
    shift: Share = 0.09
    brightness: Spread = 0.15
    contrast: Spread = 0.2
    saturation: Spread = 0.2
    colour: Spread = 0.06
    cutout: Share = 0.4
    cutout_probability: Share = 0.4
    noise: Annotated[float, msgspec.Meta(ge=0.0, le=64.0)] = 6.0
    blur: Share = 0.0
    softness: Share = 0.0
    gamma: Spread = 0.0
    ruler: Share = 0.0
    bubbles: Share = 0.0


class DistillationConfig(Section, frozen=True):
    """Knowledge distillation from larger networks that see the same augmented images.

    Consistent teaching: Beyer et al. 2022, arXiv:2106.05237.

    Attributes
    ----------
    teachers
        TOML files of the teachers' runs, beside the run's own; they must be trained first, into the
        same output folder.
    views
        How many augmented views of the training set the teachers predict; later epochs cycle
        through them.
    share
        Weight of the teachers' predictions in the target; the rest is the true diagnosis.
    """

    teachers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    views: Positive = 16
    share: Share = 0.8


class FitConfig(Section, frozen=True):
    """How the network is trained.

    Attributes
    ----------
    optimizer, weight_decay
        Adam, or AdamW (arXiv:1711.05101) with this weight decay and gradients clipped to a norm
        of 5.
    schedule
        ``plateau``: see `PlateauConfig`. ``cosine``: linear warm-up over `warmup` epochs, then
        cosine decay to 0 (arXiv:1608.03983).
    balance
        ``random-oversample``: repeat training images until every diagnosis has as many as the
        most common; ``power``: sample each diagnosis in proportion to its number of images to the
        power of `balance_power`; ``none``: as they are.
    prior_adjustment
        Strength (tau) of logit adjustment for the class frequencies that balancing leaves
        (arXiv:2007.07314); 1 minimizes the balanced error.
    label_smoothing
        Share of the target that is spread evenly over all diagnoses.
    mixup
        Alpha of the Beta distribution of mixup (arXiv:1710.09412); 0 for none.
    average
        Decay of the exponential moving average (EMA) of the weights, which is then what is
        validated and saved; 0 for none.
    keep
        Which epoch's weights to save: the one with the best balanced accuracy on the validation
        part, or the last.
    distribution
        ``multi-worker``: train on several machines at once (`build_host.training.distribution`).
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
    augmentation: AugmentationConfig | None = None
    distillation: DistillationConfig | None = None

    def __post_init__(self) -> None:
        if (self.mixup or self.distillation) and not self.augmentation:
            raise ValueError("mixup and distillation need an augmentation")
        if self.distribution == "multi-worker" and self.distillation:
            raise ValueError("distillation works on one machine only")
        if self.distribution == "multi-worker" and self.average:
            raise ValueError("a moving average of the weights works on one machine only")

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width in pixels of the frames that augmentation starts from.

        (0, 0) stands for the model's input itself.
        """
        augmentation = self.augmentation
        if augmentation is None:
            return 0, 0
        return augmentation.source_height, augmentation.source_width


class SaliencyConfig(Saliency, Section, frozen=True, omit_defaults=True):
    """How the map of what mattered is made, as the manifest has it; unknown keys are refused."""


Architecture = Literal[
    "paper", "mobilenet", "slim-mobilenet",
    "efficientnet-lite-0", "efficientnet-lite-1", "efficientnet-lite-2",
]  # fmt: skip

_SMALLEST_FOR_PAPER: Final = 16
_STRIDE: Final = 32
_WIDTH: Final = 0.35


class RunConfig(Section, frozen=True):
    """Everything that decides what a run produces.

    Attributes
    ----------
    name, version
        Of the bundle.
    seed
        Random seed of every stage.
    start
        Initial weights.
    width
        Width multiplier (alpha) of the MobileNets.
    head
        Channels of the MobileNets' last convolution, 1,280 in the original; 0 to omit it.
    head_sparsity
        Share of that convolution's weights that is pruned, smallest first, before conversion.
    sources
        Collections that it is trained and calibrated on (`build_host.datasets.sources`); of ISIC
        2017 all but its test part trains.
    representative
        Training images in the representative dataset of post-training quantization.
    """

    name: Name
    version: Version
    seed: Annotated[int, msgspec.Meta(ge=0)]
    input: InputSpec
    architecture: Architecture
    fit: FitConfig
    saliency: SaliencyConfig
    start: Literal["random", "imagenet"] = "random"
    width: Annotated[float, msgspec.Meta(gt=0.0, le=1.4)] = _WIDTH
    head: Annotated[int, msgspec.Meta(ge=0, le=1280)] = 0
    head_sparsity: Share = 0.0
    sources: tuple[SourceName, ...] = ("ham10000",)
    representative: Positive = 500

    def __post_init__(self) -> None:
        if not any(name != "isic-2017" for name in self.sources):
            raise ValueError("sources needs one that calibrates and tests: ISIC 2017 only trains")
        if len(set(self.sources)) < len(self.sources):
            raise ValueError("sources names one twice")
        mobilenet = self.architecture in ("mobilenet", "slim-mobilenet")
        mapped = self.architecture != "paper"
        if self.saliency.method == "class-activation-map" and not mapped:
            raise ValueError(f"the network {self.architecture!r} gives no class activation map")
        if (self.head or self.width != _WIDTH) and not mobilenet:
            raise ValueError(f"the network {self.architecture!r} takes neither head nor width")
        if self.head_sparsity and not self.head:
            raise ValueError("head_sparsity needs a head")
        if self.architecture == "paper":
            if self.start == "imagenet":
                raise ValueError("the paper's network has no ImageNet weights")
            if min(self.input.height, self.input.width) < _SMALLEST_FOR_PAPER:
                raise ValueError(
                    f"the paper's network halves its input four times and needs at least "
                    f"{_SMALLEST_FOR_PAPER} pixels"
                )
        elif self.input.height % _STRIDE or self.input.width % _STRIDE:
            raise ValueError(f"the input of this network must be a multiple of {_STRIDE} pixels")

    @property
    def digest(self) -> str:
        """SHA-256 of the settings that differ from their defaults: 64 hexadecimal digits."""
        return digest_of(self)


_NAMES_IN_DIGESTS: Final = {"captured_method": "frozen"}
"""What a setting was called when the runs that set it shipped."""


def digest_of(config: msgspec.Struct) -> str:
    """Return the SHA-256 of the settings that differ from their defaults."""
    return hashlib.sha256(msgspec.json.encode(_non_defaults(config), order="sorted")).hexdigest()


def _non_defaults(value: object) -> object:
    if not isinstance(value, msgspec.Struct):
        return value
    settings = {
        _NAMES_IN_DIGESTS.get(field.name, field.name): _non_defaults(getattr(value, field.name))
        for field in msgspec.structs.fields(value)
        if getattr(value, field.name) != field.default
    }
    if settings.get("sources") == ("ham10000", "isic-2017"):
        # So runs had it when no others could be named.
        del settings["sources"]
        settings["extra_data"] = "isic-2017"
    return settings


def read_run_config(path: Path) -> RunConfig:
    """Return the run that a TOML file describes.

    Raises
    ------
    device.errors.ConfigError
        If the file is missing or holds an unknown or impossible setting.
    """
    return read_toml(path, RunConfig)
