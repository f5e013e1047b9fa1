"""One network of a bundle, and how its answers are read."""

import itertools
from typing import Annotated, Final, Literal

import msgspec

from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec

_ROUNDING: Final = 1e-6

_MOST_PASSES: Final = 4096
"""That a map by occlusion may take: with more, nobody waits for it."""

_PLAIN: Final = r"[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
"""Neither control characters nor what turns the direction of writing."""

Label = Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern=rf"^{_PLAIN}+\Z")]
"""A name that is shown in a line."""

Words = Annotated[str, msgspec.Meta(max_length=2000, pattern=rf"^{_PLAIN}*\Z")]
Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]
ModelFile = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\.tflite\Z")]
TestTimeAugmentation = Literal["none", "dihedral"]
Size = Annotated[int, msgspec.Meta(ge=1, le=65_536)]
LogOdds = Annotated[float, msgspec.Meta(ge=-50.0, le=50.0)]
Score = Annotated[float, msgspec.Meta(ge=-10_000.0, le=10_000.0)]
SevenLogOdds = Annotated[tuple[LogOdds, ...], msgspec.Meta(min_length=7, max_length=7)]
SevenProbabilities = Annotated[tuple[Probability, ...], msgspec.Meta(min_length=7, max_length=7)]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the manifest: immutable, and keys that are not known are passed over."""


class TensorSpec(Section, frozen=True):
    """One tensor of the model file.

    Attributes
    ----------
    index
        Place among the model's outputs, or 0 for its only input.
    shape
        Shape without the leading batch axis.
    dtype
        ``int8`` with `quantization_scale` and `zero_point`, or ``float32`` without.
    """

    index: Annotated[int, msgspec.Meta(ge=0, le=255)]
    shape: Annotated[tuple[Size, ...], msgspec.Meta(min_length=1, max_length=4)]
    dtype: Literal["int8", "float32"]
    quantization_scale: Annotated[float, msgspec.Meta(ge=0.0, le=10_000.0)] = 0.0
    zero_point: Annotated[int, msgspec.Meta(ge=-128, le=127)] = 0

    def __post_init__(self) -> None:
        if self.dtype == "int8" and self.quantization_scale == 0.0:
            raise ValueError("an int8 tensor has no quantization_scale")


class Outputs(Section, frozen=True):
    """What the model file returns, by name.

    Attributes
    ----------
    logits
        Seven numbers before the softmax.
    class_activation_map
        (rows, columns, 7): how much each place of the image speaks for each diagnosis.
    whitened
        (n,): the network's features, turned and scaled so that those of training images are
        uncorrelated, about 0 and of variance 1.
    dermoscopic
        (1,): the log-odds that a dermatoscope took the picture.
    embedding
        (n,): the network's last features in few numbers, by whose directions pictures are compared.
    """

    logits: TensorSpec
    class_activation_map: TensorSpec | None = None
    whitened: TensorSpec | None = None
    dermoscopic: TensorSpec | None = None
    embedding: TensorSpec | None = None

    def __post_init__(self) -> None:
        for name in ("whitened", "embedding"):
            tensor: TensorSpec | None = getattr(self, name)
            if tensor and len(tensor.shape) != 1:
                raise ValueError(f"the {name} output has the shape {tensor.shape}")
        if self.dermoscopic and self.dermoscopic.shape != (1,):
            raise ValueError(f"the dermoscopic output has the shape {self.dermoscopic.shape}")


class Calibration(Section, frozen=True):
    """From logits to probabilities: ``softmax(logits / temperature + bias)``.

    Attributes
    ----------
    temperature
        Above 1 softens over-confident logits (Guo et al. 2017, arXiv:1706.04599).
    bias
        One number for each diagnosis: moves from the balanced classes of training to
        how often the diagnoses occur (Alexandari et al. 2020, arXiv:1901.06852).
    fitted_on
        Which images it was fitted on.
    """

    temperature: Annotated[float, msgspec.Meta(ge=0.01, le=100.0)]
    bias: SevenLogOdds
    fitted_on: Words


class OperatingPoint(Section, frozen=True):
    """A threshold on a score, with what it gave on the images it was chosen on.

    Attributes
    ----------
    name
        For instance ``melanoma-0.90``.
    score
        ``mel``: the probability of melanoma; ``malignant``: of the malignant group.
    threshold
        Flag when the score is at or above it.
    sensitivity, specificity
        As measured on `fitted_on`.
    """

    name: Label
    score: Literal["mel", "malignant"]
    threshold: Probability
    sensitivity: Probability
    specificity: Probability
    fitted_on: Words


OperatingPoints = Annotated[tuple[OperatingPoint, ...], msgspec.Meta(max_length=32)]


def check_points(points: tuple[OperatingPoint, ...]) -> None:
    """See to it that operating points can be told apart, and can have been measured.

    Raises
    ------
    ValueError
        If two have one name, or if of two on one score, measured on the same images, the one with
        the higher threshold has the higher sensitivity or the lower specificity.
    """
    if len({point.name for point in points}) < len(points):
        raise ValueError("two operating points have one name")
    for one, other in itertools.permutations(points, 2):
        if (one.score, one.fitted_on) != (other.score, other.fitted_on):
            continue
        rises = other.sensitivity > one.sensitivity + _ROUNDING
        falls = other.specificity < one.specificity - _ROUNDING
        if one.threshold < other.threshold and (rises or falls):
            raise ValueError(
                f"the thresholds of {one.name} and {other.name} are the wrong way round"
            )


class Conformal(Section, frozen=True):
    """Class-conditional split-conformal prediction sets (Vovk 2012, arXiv:1209.2673).

    A diagnosis belongs to the set when its probability is at least its threshold; the instrument
    adds those that are likelier still (`device.inference.calibration.prediction_set`).

    Attributes
    ----------
    coverage
        Aimed share of lesions whose true diagnosis is in the set, for every diagnosis.
    thresholds
        One probability for each diagnosis.
    """

    coverage: Probability
    thresholds: SevenProbabilities
    fitted_on: Words


class Abstention(Section, frozen=True):
    """When to say "no call".

    Attributes
    ----------
    score
        ``confidence``: the highest probability.
        ``energy``: the log-sum-exp of the logits (Liu et al. 2020, arXiv:2010.03759).
        ``distance``: minus the squared Mahalanobis distance of the features from those of training
        images, in parts of their number (Lee et al. 2018, arXiv:1807.03888).
    uncertain_below
        No call, "too uncertain", when the highest probability is below this.
    unfamiliar_below
        No call, "not like the images the model knows", when the score is below this.
    not_dermoscopic_below
        No call, "not taken through a dermatoscope", when the log-odds of it are below this.
    unstable_below
        No call, "the views disagree", when the share of the eight views of a captured picture that
        call what their mean calls is below this.
    """

    score: Literal["confidence", "energy", "distance"]
    uncertain_below: Probability
    unfamiliar_below: Score | None
    fitted_on: Words
    not_dermoscopic_below: Score | None = None
    unstable_below: Probability | None = None


class CaseMix(Section, frozen=True):
    """How often a practice sees each diagnosis, and how a network is read there.

    What a picture says (the likelihood) is the same everywhere; how probable a diagnosis is also
    depends on how often it comes through the door.

    Attributes
    ----------
    name
        For instance ``screening``.
    shares
        Of each diagnosis among the lesions that are photographed; they sum to 1.
    calibration, operating_points, conformal, abstention
        As in `NetworkSpec`, fitted for these shares.
    """

    name: Name
    shares: SevenProbabilities
    calibration: Calibration
    operating_points: OperatingPoints
    conformal: Conformal
    abstention: Abstention

    def __post_init__(self) -> None:
        if abs(sum(self.shares) - 1.0) > _ROUNDING:
            raise ValueError(f"the shares of the case mix {self.name} do not sum to 1")
        check_points(self.operating_points)


class Saliency(Section, frozen=True, omit_defaults=True):
    """How the map of what mattered is made.

    Attributes
    ----------
    method
        ``occlusion``: how much the diagnosis loses when a patch is covered.
        ``class-activation-map``: the output of that name.
    patch, stride
        For occlusion, in input pixels.
    captured_method
        How it is made of a captured picture, where that may take its time; None for the same.
        ``rise``: what the diagnosis gains where random masks leave the picture uncovered.
    masks, cells
        For RISE: how many masks, and into how many cells a side each divides the picture.
    """

    method: Literal["occlusion", "class-activation-map"]
    patch: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 8
    stride: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 2
    captured_method: Literal["rise"] | None = None
    masks: Annotated[int, msgspec.Meta(ge=1, le=4000)] = 400
    cells: Annotated[int, msgspec.Meta(ge=2, le=32)] = 8


class NetworkSpec(Section, frozen=True):
    """One network of the bundle, and how its answers are read.

    Attributes
    ----------
    file
        Name of the model file in the bundle's folder.
    sha256
        Of that file.
    test_time_augmentation
        What is done with a captured picture: ``dihedral`` averages the logits over the eight flips
        and rotations of the input, which must be square; ``none`` takes the picture as it is.
    case_mixes
        For which practices it can be read. `calibration` and what follows from it are those of the
        one in force, at first the first.
    """

    file: ModelFile
    sha256: Sha256
    input: InputSpec
    input_tensor: TensorSpec
    outputs: Outputs
    calibration: Calibration
    operating_points: OperatingPoints
    conformal: Conformal
    abstention: Abstention
    saliency: Saliency
    test_time_augmentation: TestTimeAugmentation = "none"
    case_mixes: Annotated[tuple[CaseMix, ...], msgspec.Meta(max_length=16)] = ()

    def __post_init__(self) -> None:
        check_points(self.operating_points)
        steps = [side / self.saliency.stride for side in (self.input.height, self.input.width)]
        if self.saliency.method == "occlusion" and steps[0] * steps[1] > _MOST_PASSES:
            raise ValueError(f"a map by occlusion would take more than {_MOST_PASSES} passes")
        if self.input_tensor.shape != (self.input.height, self.input.width, 3):
            raise ValueError(f"the input tensor {self.input_tensor.shape} is not the input's size")
        class_map = self.outputs.class_activation_map
        if self.outputs.logits.shape != (len(CODES),):
            raise ValueError(f"the logits tensor has the shape {self.outputs.logits.shape}")
        if class_map and (len(class_map.shape) != 3 or class_map.shape[2] != len(CODES)):
            raise ValueError(f"the class activation map has the shape {class_map.shape}")
        if self.saliency.method == "class-activation-map" and not class_map:
            raise ValueError("saliency wants a class activation map that the model does not give")
        if self.abstention.score == "distance" and not self.outputs.whitened:
            raise ValueError("abstention wants whitened features that the model does not give")
        if self.abstention.not_dermoscopic_below is not None and not self.outputs.dermoscopic:
            raise ValueError("abstention wants a dermoscopic output that the model does not give")
        if self.test_time_augmentation == "dihedral" and self.input.height != self.input.width:
            raise ValueError("averaging over rotations wants a square input")

    def is_read_for(self, mix: CaseMix) -> bool:
        """Return whether the network is read as it is in one of its practices."""
        return self == self.with_case_mix(mix)

    def with_case_mix(self, mix: CaseMix) -> "NetworkSpec":
        """Return the network as it is read in one of its practices."""
        return msgspec.structs.replace(
            self,
            calibration=mix.calibration,
            operating_points=mix.operating_points,
            conformal=mix.conformal,
            abstention=mix.abstention,
        )
