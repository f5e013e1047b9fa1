"""The bundle's manifest: the one contract between the build host and the instrument.

Version 2 may hold a second network, each with its own file, calibration and thresholds, and may
grow: keys that a device does not know are passed over, but for those of `input`, which change what
the network sees. What an older device would read wrongly raises the version. Version 1, of one
network, is read as well.
"""

from typing import Annotated, Final, Literal

import msgspec

from device.diagnoses import CODES, MALIGNANT, Code
from device.imaging.preprocessing import InputSpec
from device.imaging.quality import QualityLimits

_ROUNDING: Final = 1e-6

SCHEMA_VERSION: Final = 2
"""What the build host writes."""

READABLE_VERSIONS: Final = (1, 2)
MODEL_FILE: Final = "model.tflite"
CAPTURED_FILE: Final = "captured.tflite"

Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Version = Annotated[str, msgspec.Meta(pattern=r"^\d+\.\d+\.\d+\Z")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]
ModelFile = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\.tflite\Z")]
IndexFile = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\.npz\Z")]
TestTimeAugmentation = Literal["none", "dihedral"]
Seven = Annotated[tuple[float, ...], msgspec.Meta(min_length=7, max_length=7)]


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the manifest: immutable, and keys that are not known are passed over."""


class DiagnosisClass(_Section, frozen=True):
    """One diagnosis.

    Attributes
    ----------
    code
        HAM10000 code.
    names
        Display name by language (``en``, ``es``, ``pt``).
    malignant
        Malignant or pre-malignant.
    snomed_ct, icd10
        Concept identifiers for records.
    """

    code: Code
    names: dict[str, str]
    malignant: bool
    snomed_ct: str
    icd10: str


class TensorSpec(_Section, frozen=True):
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

    index: Annotated[int, msgspec.Meta(ge=0)]
    shape: tuple[int, ...]
    dtype: Literal["int8", "float32"]
    quantization_scale: float = 0.0
    zero_point: int = 0


class Outputs(_Section, frozen=True):
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


class Calibration(_Section, frozen=True):
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

    temperature: Annotated[float, msgspec.Meta(gt=0.0)]
    bias: Seven
    fitted_on: str


class OperatingPoint(_Section, frozen=True):
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

    name: str
    score: Literal["mel", "malignant"]
    threshold: Probability
    sensitivity: Probability
    specificity: Probability
    fitted_on: str


class Conformal(_Section, frozen=True):
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
    thresholds: Seven
    fitted_on: str


class Abstention(_Section, frozen=True):
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
    unfamiliar_below: float | None
    fitted_on: str
    not_dermoscopic_below: float | None = None
    unstable_below: Probability | None = None


class CaseMix(_Section, frozen=True):
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
    shares: Seven
    calibration: Calibration
    operating_points: tuple[OperatingPoint, ...]
    conformal: Conformal
    abstention: Abstention

    def __post_init__(self) -> None:
        if min(self.shares) < 0.0 or abs(sum(self.shares) - 1.0) > _ROUNDING:
            raise ValueError(f"the shares of the case mix {self.name} do not sum to 1")


class Saliency(_Section, frozen=True, omit_defaults=True):
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
    patch: Annotated[int, msgspec.Meta(ge=1)] = 8
    stride: Annotated[int, msgspec.Meta(ge=1)] = 2
    captured_method: Literal["rise"] | None = None
    masks: Annotated[int, msgspec.Meta(ge=1, le=4000)] = 400
    cells: Annotated[int, msgspec.Meta(ge=2, le=32)] = 8


class SimilarCases(_Section, frozen=True):
    """An index of the training lesions, to find those that look most like a captured picture.

    Attributes
    ----------
    file, sha256
        Its file in the bundle's folder.
    lesions, dimensions
        How many it holds, and how many numbers each is.
    """

    file: IndexFile
    sha256: Sha256
    lesions: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=4096)]


class Provenance(_Section, frozen=True):
    """Where the model comes from.

    Attributes
    ----------
    dataset
        Name of the data set.
    dataset_digest
        SHA-256 over the image identifiers, labels and lesions of that data set.
    split
        The rule that divided the images.
    seed
        The random seed.
    code_revision
        The project's revision, or its version where there is none.
    run_digest
        SHA-256 of the run's configuration.
    libraries
        Versions of what trained and converted it.
    created
        UTC date, ISO 8601.
    licence
        Terms that the training data puts on the model.
    further
        What else went into training.
    sources
        Collections that it was trained and calibrated on, as the build host names them.
    """

    dataset: str
    dataset_digest: Sha256
    split: str
    seed: int
    code_revision: str
    run_digest: Sha256
    libraries: dict[str, str]
    created: str
    licence: str
    further: tuple[str, ...] = ()
    sources: tuple[str, ...] = ("ham10000",)


class Interval(_Section, frozen=True):
    """A measured figure with its 95 % bootstrap interval over lesions."""

    value: float
    low: float
    high: float


class NetworkSpec(_Section, frozen=True):
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
    operating_points: tuple[OperatingPoint, ...]
    conformal: Conformal
    abstention: Abstention
    saliency: Saliency
    test_time_augmentation: TestTimeAugmentation = "none"
    case_mixes: tuple[CaseMix, ...] = ()

    def __post_init__(self) -> None:
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

    def with_case_mix(self, mix: CaseMix) -> "NetworkSpec":
        """Return the network as it is read in one of its practices."""
        return msgspec.structs.replace(
            self,
            calibration=mix.calibration,
            operating_points=mix.operating_points,
            conformal=mix.conformal,
            abstention=mix.abstention,
        )


class Manifest(_Section, frozen=True, kw_only=True):
    """Everything the instrument must know of a model, beside the model files themselves.

    Attributes
    ----------
    live
        The network of the live view; of a captured picture too where there is no other.
    captured
        The network of a captured picture, where it has its own.
    similar_cases
        An index for captured pictures, where there is one.
    quality
        Limits below which a picture is not judged.
    metrics
        The figures that its card repeats.
    case_mix
        The one in force; empty where the networks are calibrated for none by name.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    name: Name
    version: Version
    classes: Annotated[tuple[DiagnosisClass, ...], msgspec.Meta(min_length=7, max_length=7)]
    live: NetworkSpec
    captured: NetworkSpec | None = None
    similar_cases: SimilarCases | None = None
    quality: QualityLimits
    provenance: Provenance
    metrics: dict[str, Interval]
    case_mix: str = ""

    def __post_init__(self) -> None:
        codes = tuple(c.code for c in self.classes)
        if codes != CODES:
            raise ValueError(f"classes are {', '.join(codes)}, not {', '.join(CODES)}")
        if frozenset(c.code for c in self.classes if c.malignant) != MALIGNANT:
            raise ValueError(f"the malignant classes are not {', '.join(sorted(MALIGNANT))}")
        if any("en" not in c.names for c in self.classes):
            raise ValueError("the names of a class lack the English one")
        if self.captured is not None and self.captured.file == self.live.file:
            raise ValueError(f"both networks name the file {self.live.file}")
        for network in self.networks:
            if tuple(mix.name for mix in network.case_mixes) != self.case_mixes:
                raise ValueError("the networks are not calibrated for the same case mixes")
        embedding = self.network_for(as_captured=True).outputs.embedding
        cases = self.similar_cases
        if cases and (embedding is None or embedding.shape != (cases.dimensions,)):
            raise ValueError("similar_cases wants an embedding of its size from the network")
        if len(set(self.case_mixes)) < len(self.case_mixes):
            raise ValueError("a case mix is named twice")
        if self.case_mix not in (self.case_mixes or ("",)):
            raise ValueError(f"the case mix {self.case_mix!r} is not one of {self.case_mixes}")

    @property
    def model_id(self) -> str:
        """Name and version, as records and the screen show it."""
        return f"{self.name} {self.version}"

    @property
    def networks(self) -> tuple[NetworkSpec, ...]:
        """Every network of the bundle."""
        return (self.live,) if self.captured is None else (self.live, self.captured)

    @property
    def case_mixes(self) -> tuple[str, ...]:
        """Names of the practices that the bundle can be read for; the first is the default."""
        return tuple(mix.name for mix in self.live.case_mixes)

    def with_case_mix(self, name: str) -> "Manifest":
        """Return the manifest with another case mix in force.

        Raises
        ------
        ValueError
            If the bundle is not calibrated for it.
        """
        if name not in self.case_mixes:
            known = ", ".join(self.case_mixes) or "none by name"
            raise ValueError(f"it is not calibrated for the case mix {name!r}, only for {known}")
        place = self.case_mixes.index(name)
        captured = self.captured
        return msgspec.structs.replace(
            self,
            case_mix=name,
            live=self.live.with_case_mix(self.live.case_mixes[place]),
            captured=captured and captured.with_case_mix(captured.case_mixes[place]),
        )

    def network_for(self, *, as_captured: bool) -> NetworkSpec:
        """Return the network that answers for a captured picture, or for the live view."""
        return self.captured if as_captured and self.captured is not None else self.live


class _SaliencyVersion1(_Section, frozen=True):
    """What version 1 said of the map, with the method for a captured picture under ``frozen``."""

    method: Literal["occlusion", "class-activation-map"]
    patch: Annotated[int, msgspec.Meta(ge=1)] = 8
    stride: Annotated[int, msgspec.Meta(ge=1)] = 2
    frozen: Literal["rise"] | None = None
    masks: Annotated[int, msgspec.Meta(ge=1, le=4000)] = 400
    cells: Annotated[int, msgspec.Meta(ge=2, le=32)] = 8

    def upgraded(self) -> Saliency:
        """Return the same as version 2 has it."""
        return Saliency(
            method=self.method,
            patch=self.patch,
            stride=self.stride,
            captured_method=self.frozen,
            masks=self.masks,
            cells=self.cells,
        )


class _ManifestVersion1(_Section, frozen=True):
    """What version 1 said of its one network."""

    name: Name
    version: Version
    classes: Annotated[tuple[DiagnosisClass, ...], msgspec.Meta(min_length=7, max_length=7)]
    input: InputSpec
    input_tensor: TensorSpec
    outputs: Outputs
    calibration: Calibration
    operating_points: tuple[OperatingPoint, ...]
    conformal: Conformal
    abstention: Abstention
    quality: QualityLimits
    saliency: _SaliencyVersion1
    model_sha256: Sha256
    provenance: Provenance
    metrics: dict[str, Interval]
    averaging: TestTimeAugmentation = "none"

    def upgraded(self) -> Manifest:
        """Return the same as version 2 has it."""
        live = NetworkSpec(
            file=MODEL_FILE,
            sha256=self.model_sha256,
            input=self.input,
            input_tensor=self.input_tensor,
            outputs=self.outputs,
            calibration=self.calibration,
            operating_points=self.operating_points,
            conformal=self.conformal,
            abstention=self.abstention,
            saliency=self.saliency.upgraded(),
            test_time_augmentation=self.averaging,
        )
        return Manifest(
            name=self.name,
            version=self.version,
            classes=self.classes,
            live=live,
            quality=self.quality,
            provenance=self.provenance,
            metrics=self.metrics,
        )


def decode_manifest(content: bytes) -> Manifest:
    """Return the manifest in a file's bytes, whichever of `READABLE_VERSIONS` it is of.

    Raises
    ------
    ValueError
        If it is none, is of another version, or contradicts itself.
    """
    keys = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    if "schema_version" not in keys:
        raise ValueError("it names no schema version (schema_version)")
    version = " ".join(bytes(keys["schema_version"]).decode().split())[:40]
    if version not in map(str, READABLE_VERSIONS):
        readable = " and ".join(map(str, READABLE_VERSIONS))
        raise ValueError(
            f"it has schema version {version}, and this program reads {readable}; use the release "
            "that the bundle was made for"
        )
    if version == "1":
        return msgspec.json.decode(content, type=_ManifestVersion1).upgraded()
    return msgspec.json.decode(content, type=Manifest)
