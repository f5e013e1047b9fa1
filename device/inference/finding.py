"""What the model says of one frame."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from device.diagnoses import CODES, Code
from device.imaging.field_of_view import FieldOfView
from device.imaging.quality import Quality, Remark, Shortcoming
from device.inference.likeness import Likeness
from device.inference.recommendation import Recommendation


class NoCallReason(StrEnum):
    """Why no diagnosis should be read from a finding.

    ``quality``: the picture is not good enough. The model abstains: ``not-dermoscopic``, no
    dermatoscope took the picture; ``unfamiliar``, it is unlike those that the model knows;
    ``uncertain``, no diagnosis is likely enough; ``unstable``, turned or mirrored it would be
    called something else.
    """

    QUALITY = "quality"
    UNFAMILIAR = "unfamiliar"
    UNCERTAIN = "uncertain"
    NOT_DERMOSCOPIC = "not-dermoscopic"
    UNSTABLE = "unstable"


@dataclass(frozen=True, slots=True, eq=False)
class SaliencyMap:
    """Where the image spoke for a diagnosis.

    Attributes
    ----------
    code
        The diagnosis.
    values
        float32, (rows, columns), 0 to 1 on a scale that is the same for every diagnosis
        (`device.inference.saliency.FULL_EVIDENCE`), over the part of the frame that the model is
        shown; all 0 where nothing in it spoke for the diagnosis.
    method
        ``occlusion``, ``class-activation-map`` or ``rise``.
    """

    code: Code
    values: NDArray[np.float32]
    method: str


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What the model says of one frame.

    Attributes
    ----------
    model
        Name and version of the model.
    probabilities
        Seven calibrated probabilities in the order of `device.diagnoses.CODES`.
    malignancy
        Probability of the malignant group (akiec, bcc, mel).
    prediction_set
        Diagnoses that cannot be excluded at the bundle's coverage, likeliest first.
    abstention
        Why no call should be made of a good picture, or None.
    field
        The field of view, in the frame's own pixels.
    quality
        What was measured of the field of view.
    saliency
        Where the image spoke for one diagnosis, where that was asked for.
    timings
        Milliseconds by step.
    case_mix
        Name of the practice whose shares of diagnoses the probabilities assume, or empty.
    similar
        Diagnoses of the training lesions that look most like a captured picture, the likest first;
        empty where the bundle has no index of them.
    as_captured
        Whether it was analyzed as a captured picture is; findings that were not cannot be compared
        with those that were.
    recommendation
        What it asks for, or None (`device.inference.recommendation.recommend`).
    likeness
        What the network makes of a captured picture, to be compared with others; None where the
        bundle gives no such thing, or the finding was read back.
    """

    model: str
    probabilities: tuple[float, ...]
    malignancy: float
    prediction_set: tuple[Code, ...]
    abstention: NoCallReason | None
    field: FieldOfView
    quality: Quality
    saliency: SaliencyMap | None
    timings: dict[str, float]
    case_mix: str = ""
    similar: tuple[Code, ...] = ()
    as_captured: bool = True
    recommendation: Recommendation | None = None
    likeness: Likeness | None = None

    @property
    def no_call(self) -> NoCallReason | None:
        """Why no call should be made, or None; a bad picture comes before any other reason."""
        return self.abstention if self.quality.sufficient else NoCallReason.QUALITY

    @property
    def rankable(self) -> bool:
        """Whether the probabilities may be shown: of what the model does not know they mislead."""
        return self.no_call not in (
            NoCallReason.QUALITY, NoCallReason.NOT_DERMOSCOPIC, NoCallReason.UNFAMILIAR,
        )  # fmt: skip

    @property
    def headlined(self) -> Recommendation | None:
        """What it asks for, where that may come first: the probabilities may be shown."""
        return self.recommendation if self.rankable else None

    def explainable(self, code: Code) -> bool:
        """Return whether a map may be shown: a call is made, and the diagnosis not excluded."""
        return self.no_call is None and code in self.prediction_set

    def parts_from(self, other: "Finding") -> bool:
        """Return whether another finding of the same skin asks for, or calls, something else.

        Where one makes no call, that it sees no sign of malignancy is as good as silence.
        """
        called = self.no_call is None and other.no_call is None
        if called and self.leading != other.leading:
            return True
        mine, others = (
            None if finding.recommendation == Recommendation.NO_SIGN else finding.recommendation
            for finding in (self, other)
        )
        return mine != others

    @property
    def leading(self) -> Code:
        """The likeliest diagnosis."""
        # Asked for by every part of every picture of the screen.
        return CODES[self.probabilities.index(max(self.probabilities))]

    def probability(self, code: Code) -> float:
        """Return the probability of one diagnosis."""
        return self.probabilities[CODES.index(code)]


class QualityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The quality part of a `FindingRecord`."""

    sufficient: bool
    shortcomings: list[Shortcoming]
    focus: float
    exposure: float
    glare: float
    coverage: float
    contrast: float
    off_centre: float
    motion: float | None
    extent: float = 1.0
    remarks: list[Remark] = []


class FindingRecord(msgspec.Struct, frozen=True, kw_only=True):
    r"""One line of ``dermascope analyze --json``; its JSON Schema is ``dermascope schema``.

    Attributes
    ----------
    image
        The file as it was named; bytes of the name that are no UTF-8 are written as ``\xe9``.
    model
        Name and version of the model.
    diagnosis
        HAM10000 code of the likeliest diagnosis, also where `no_call` is set.
    probabilities
        Calibrated probability by HAM10000 code; they sum to 1.
    malignancy
        Probability of the malignant group: akiec, bcc and mel.
    prediction_set
        Codes that cannot be excluded at the bundle's coverage, likeliest first.
    flags
        Names of the bundle's operating points whose threshold is reached.
    no_call
        ``quality``, ``not-dermoscopic``, ``unfamiliar``, ``uncertain`` or ``unstable``: why no call
        should be made; else null.
    case_mix
        Name of the practice whose shares of diagnoses the probabilities assume, or empty.
    similar
        Codes of the training lesions that look most like the picture, the likest first; empty
        where the bundle has no index of them.
    recommendation
        ``refer``, ``not-excluded`` or ``no-sign``: what the finding asks for; null where no call is
        made and no threshold reached, or where the bundle lacks the thresholds.
    quality
        What was measured of the field of view (`device.imaging.quality.Quality`), and what falls
        short.
    timings_ms
        Milliseconds by step.
    """

    image: str
    model: str
    diagnosis: Code
    probabilities: dict[Code, float]
    malignancy: float
    prediction_set: list[Code]
    flags: list[str]
    no_call: NoCallReason | None
    quality: QualityRecord
    timings_ms: dict[str, float]
    case_mix: str = ""
    similar: list[Code] = []
    recommendation: Recommendation | None = None


def to_record(finding: Finding, image: str, flags: list[str]) -> FindingRecord:
    """Return what is written of a finding, without its arrays."""
    quality = finding.quality
    return FindingRecord(
        image=image,
        model=finding.model,
        diagnosis=finding.leading,
        probabilities=dict(zip(CODES, finding.probabilities, strict=True)),
        malignancy=finding.malignancy,
        prediction_set=list(finding.prediction_set),
        flags=flags,
        no_call=finding.no_call,
        quality=QualityRecord(
            sufficient=quality.sufficient,
            shortcomings=list(quality.shortcomings),
            focus=round(quality.focus, 3),
            exposure=round(quality.exposure, 4),
            glare=round(quality.glare, 4),
            coverage=round(quality.coverage, 4),
            contrast=round(quality.contrast, 2),
            off_centre=round(quality.off_centre, 3),
            motion=None if quality.motion is None else round(quality.motion, 4),
            extent=round(quality.extent, 3),
            remarks=list(quality.remarks),
        ),
        timings_ms={step: round(ms, 3) for step, ms in finding.timings.items()},
        case_mix=finding.case_mix,
        similar=list(finding.similar),
        recommendation=finding.recommendation,
    )


def from_record(record: FindingRecord, field: FieldOfView) -> Finding:
    """Return a finding as far as its record tells it: without saliency.

    Parameters
    ----------
    field
        The field of view of the picture that it is of.
    """
    quality = record.quality
    abstention = None if record.no_call == NoCallReason.QUALITY else record.no_call
    return Finding(
        model=record.model,
        probabilities=tuple(record.probabilities[code] for code in CODES),
        malignancy=record.malignancy,
        prediction_set=tuple(record.prediction_set),
        abstention=abstention,
        field=field,
        quality=Quality(
            focus=quality.focus,
            exposure=quality.exposure,
            glare=quality.glare,
            coverage=quality.coverage,
            shortcomings=tuple(quality.shortcomings),
            contrast=quality.contrast,
            off_centre=quality.off_centre,
            motion=quality.motion,
            extent=quality.extent,
            remarks=tuple(quality.remarks),
        ),
        saliency=None,
        timings=dict(record.timings_ms),
        case_mix=record.case_mix,
        similar=tuple(record.similar),
        recommendation=record.recommendation,
    )
