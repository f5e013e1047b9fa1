"""The bundle's manifest: the one contract between the build host and the instrument.

Version 2 may hold a second network, each with its own file, calibration and thresholds, and may
grow: keys that a device does not know are passed over, but for those of `input`, which change what
the network sees. What an older device would read wrongly raises the version. Version 1, of one
network, is read as well.
"""

from typing import Annotated, Final, Literal

import msgspec

from device.diagnoses import CODES, MALIGNANT, Code
from device.imaging.quality import QualityLimits
from device.models.network_spec import Label, Name, NetworkSpec, Section, Sha256, Words

SCHEMA_VERSION: Final = 2
"""What the build host writes."""

MODEL_FILE: Final = "model.tflite"
CAPTURED_FILE: Final = "captured.tflite"

_MOST_NUMBERS: Final = 16_000_000
"""In an index of similar cases: 64 MB of memory."""

Version = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}\Z")]
Language = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?\Z")]
Figure = Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
IndexFile = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\.npz\Z")]


class DiagnosisClass(Section, frozen=True):
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
    names: dict[Language, Label]
    malignant: bool
    snomed_ct: Annotated[str, msgspec.Meta(pattern=r"^([0-9]{6,18})?\Z")]
    icd10: Annotated[str, msgspec.Meta(pattern=r"^([A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4})?)?\Z")]


class SimilarCases(Section, frozen=True):
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

    def __post_init__(self) -> None:
        if self.lesions * self.dimensions > _MOST_NUMBERS:
            raise ValueError(f"the index holds more than {_MOST_NUMBERS} numbers")


class Provenance(Section, frozen=True):
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

    dataset: Words
    dataset_digest: Sha256
    split: Words
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    code_revision: Label
    run_digest: Sha256
    libraries: Annotated[dict[Label, Label], msgspec.Meta(max_length=100)]
    created: Annotated[str, msgspec.Meta(pattern=r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]\Z")]
    licence: Words
    further: Annotated[tuple[Words, ...], msgspec.Meta(max_length=100)] = ()
    sources: Annotated[tuple[Label, ...], msgspec.Meta(max_length=100)] = ("ham10000",)


class Interval(Section, frozen=True):
    """A measured figure with its 95 % bootstrap interval over lesions."""

    value: Figure
    low: Figure
    high: Figure

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"an interval goes from {self.low} down to {self.high}")


class Manifest(Section, frozen=True, kw_only=True):
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
    metrics: Annotated[dict[Label, Interval], msgspec.Meta(max_length=200)]
    case_mix: str = ""

    def __post_init__(self) -> None:
        _check_classes(self.classes)
        if self.captured is not None and self.captured.file == self.live.file:
            raise ValueError(f"both networks name the file {self.live.file}")
        embedding = self.network_for(as_captured=True).outputs.embedding
        cases = self.similar_cases
        if cases and (embedding is None or embedding.shape != (cases.dimensions,)):
            raise ValueError("similar_cases wants an embedding of its size from the network")
        self._check_case_mixes()

    def _check_case_mixes(self) -> None:
        for network in self.networks:
            if tuple(mix.name for mix in network.case_mixes) != self.case_mixes:
                raise ValueError("the networks are not calibrated for the same case mixes")
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


def _check_classes(classes: tuple[DiagnosisClass, ...]) -> None:
    codes = tuple(c.code for c in classes)
    if codes != CODES:
        raise ValueError(f"classes are {', '.join(codes)}, not {', '.join(CODES)}")
    if frozenset(c.code for c in classes if c.malignant) != MALIGNANT:
        raise ValueError(f"the malignant classes are not {', '.join(sorted(MALIGNANT))}")
    if any("en" not in c.names for c in classes):
        raise ValueError("the names of a class lack the English one")
    for language in {language for c in classes for language in c.names}:
        names = [c.names[language] for c in classes if language in c.names]
        if len(set(names)) < len(names):
            raise ValueError(f"two classes have one name in {language!r}")
