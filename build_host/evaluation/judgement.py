"""Whether an instrument sees through a stop, refuses with reason, and lets no melanoma pass."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Dataset
from build_host.evaluation.metrics import Labels, accuracy, melanoma_auc
from build_host.evaluation.stops import STOPS, Pixels
from device.diagnoses import MALIGNANT, Code
from device.frame import frame_now
from device.imaging.field_of_view import central_field
from device.imaging.preprocessing import crop_field, resize_to_input
from device.imaging.quality import Shortcoming
from device.inference import calibration
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding, NoCallReason
from device.inference.network import Network
from device.inference.recommendation import Recommendation
from device.models.bundle import Bundle

_FEW: Final = 30


class Stopped(msgspec.Struct, frozen=True):
    """The live network's figures on images with one kind of stop.

    Attributes
    ----------
    stop
        What was drawn, or empty.
    looked_for
        Whether the square inside the stop is shown to the network, or the frame's own square.
    called, unfamiliar
        Share of the images of which the network makes a call, and which are unlike those it knows;
        whatever their quality.
    """

    stop: str
    looked_for: bool
    called: float
    unfamiliar: float
    accuracy: float
    melanoma_auc: float


class Refused(msgspec.Struct, frozen=True):
    """How many images of a group are refused for their quality, and whether it was for a reason.

    Attributes
    ----------
    group
        A source, a diagnosis or a class of skin tone; of the last two, images that are not too
        small alone, or they would tell which source shows them.
    by_reason
        Share that each shortcoming refuses.
    accuracy_accepted, accuracy_refused
        None where there are none.
    """

    group: str
    images: int
    refused: float
    by_reason: dict[str, float]
    accuracy_accepted: float | None
    accuracy_refused: float | None


class Melanomas(msgspec.Struct, frozen=True):
    """What a source's melanomas that get a call are headlined as.

    Attributes
    ----------
    source
        Of the images.
    called
        How many melanomas get a call.
    benign_diagnosis
        How many of them have a benign diagnosis first, as the headline once was.
    calm
        How many of them have no sign of malignancy for a headline.
    by_recommendation
        Share of all melanomas by what is recommended; under an empty name where nothing is.
    """

    source: str
    called: int
    benign_diagnosis: int
    calm: int
    by_recommendation: dict[str, float]


class Judgement(msgspec.Struct, frozen=True):
    """The three tables."""

    model: str
    images: int
    stops: list[Stopped]
    refused: list[Refused]
    melanomas: list[Melanomas]


def judge(bundle: Bundle, dataset: Dataset, quiet: bool = False) -> Judgement:
    """Measure a bundle's judgement on images that it was not trained on.

    Parameters
    ----------
    dataset
        Of one or several sources; stops are drawn onto those of the first.
    quiet
        No progress bar.
    """
    analyzer = Analyzer(bundle)
    findings = [
        analyzer.analyze(frame_now(dataset.read(record), i, dataset.name))
        for i, record in enumerate(track(dataset.records, "Analyzing images", disable=quiet))
    ]
    first = dataset.subset(np.flatnonzero(dataset.source_indices == 0))
    return Judgement(
        model=bundle.manifest.model_id,
        images=len(dataset),
        stops=_stops(bundle, first, quiet),
        refused=_refused(dataset, findings),
        melanomas=_melanomas(dataset, findings),
    )


def _stops(bundle: Bundle, dataset: Dataset, quiet: bool) -> list[Stopped]:
    network = Network(bundle, bundle.manifest.live)
    drawn: dict[str, Callable[[Pixels], Pixels]] = {"": lambda pixels: pixels, **STOPS}
    found = []
    for name, draw in track(drawn.items(), "Drawing stops", disable=quiet):
        for looked_for in (False, True):
            images = (draw(dataset.read(record)) for record in dataset.records)
            found.append(_stopped(name, looked_for, network, images, dataset.labels))
    return found


def _stopped(
    name: str, looked_for: bool, network: Network, images: Iterable[Pixels], labels: Labels
) -> Stopped:
    spec = network.spec
    side = max(spec.input.height, spec.input.width)
    rows, reasons = [], []
    for pixels in images:
        field = None if looked_for else central_field(*pixels.shape[:2])
        output = network.run(resize_to_input(pixels, spec.input, crop_field(pixels, side, field)))
        probability = calibration.probabilities(output.logits, spec.calibration)
        rows.append(probability)
        reasons.append(calibration.abstention_reason(output, probability, spec.abstention, None))
    probabilities = np.array(rows)
    return Stopped(
        stop=name,
        looked_for=looked_for,
        called=float(np.mean([reason is None for reason in reasons])),
        unfamiliar=float(np.mean([reason == NoCallReason.UNFAMILIAR for reason in reasons])),
        accuracy=accuracy(labels, probabilities),
        melanoma_auc=melanoma_auc(labels, probabilities),
    )


def _groups(dataset: Dataset, findings: list[Finding]) -> dict[str, NDArray[np.bool_]]:
    large = np.array([Shortcoming.TOO_SMALL not in f.quality.shortcomings for f in findings])
    kinds = (
        ([r.source for r in dataset.records], np.ones(len(dataset), bool)),
        ([str(r.dx) for r in dataset.records], large),
        ([f"skin tone {r.skin_tone}" if r.skin_tone else "" for r in dataset.records], large),
    )
    found = {}
    for names, counted in kinds:
        for name in sorted(set(names) - {""}):
            rows = np.array([own == name for own in names]) & counted
            if rows.sum() >= _FEW:
                found[name] = rows
    return found


def _refused(dataset: Dataset, findings: list[Finding]) -> list[Refused]:
    right = np.array([f.leading == r.dx for f, r in zip(findings, dataset.records, strict=True)])
    refused = np.array([not f.quality.sufficient for f in findings])
    reasons = sorted({reason for f in findings for reason in f.quality.shortcomings})
    rows = []
    for group, own in _groups(dataset, findings).items():
        rows.append(
            Refused(
                group=group,
                images=int(own.sum()),
                refused=float(refused[own].mean()),
                by_reason={
                    str(reason): float(
                        np.mean([reason in f.quality.shortcomings for f in findings], where=own)
                    )
                    for reason in reasons
                },
                accuracy_accepted=_mean(right[own & ~refused]),
                accuracy_refused=_mean(right[own & refused]),
            )
        )
    return rows


def _mean(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if values.size else None


def _melanomas(dataset: Dataset, findings: list[Finding]) -> list[Melanomas]:
    rows = []
    for source in dataset.sources:
        own = [
            finding
            for finding, record in zip(findings, dataset.records, strict=True)
            if record.source == source and record.dx == Code.MEL
        ]
        if not own:
            continue
        called = [f for f in own if f.no_call is None]
        made = [f.recommendation or "" for f in own]
        rows.append(
            Melanomas(
                source=source,
                called=len(called),
                benign_diagnosis=sum(f.leading not in MALIGNANT for f in called),
                calm=sum(f.recommendation == Recommendation.NO_SIGN for f in called),
                by_recommendation={
                    str(name): made.count(name) / len(made) for name in (*Recommendation, "")
                },
            )
        )
    return rows
