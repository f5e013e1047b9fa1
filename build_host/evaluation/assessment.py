"""Everything that is measured of a model before it ships: ``metrics.json``."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from rich.console import Console

from build_host.datasets.dataset import Dataset
from build_host.datasets.sampling import balanced_sample
from build_host.datasets.segmentations import SEGMENTATIONS_FOLDER
from build_host.evaluation.evaluation import Evaluation, evaluate
from build_host.evaluation.inference import in_distribution_score
from build_host.evaluation.metrics import (
    RESAMPLES,
    Metric,
    accuracy,
    balanced_accuracy,
    melanoma_auc,
)
from build_host.evaluation.out_of_distribution import DetectionFigures, measure_detection
from build_host.evaluation.predictions import Predictions, predict
from build_host.evaluation.saliency_faithfulness import Faithfulness, compare_maps
from build_host.evaluation.sources import NetworkName, SourceEvaluation, evaluate_sources
from build_host.evaluation.speed import Speed, measure_speed, reference_model
from device.diagnoses import CODES
from device.frame import frame_now
from device.imaging.image_file import read_image
from device.inference.analyzer import Analyzer, likeliest_malignant
from device.inference.network import Network
from device.models.bundle import Bundle

SHIPPED: Final = "Lesion-disjoint: no lesion of the test fold was seen in training. One pass."
CAPTURED: Final = "Captured pictures: their own network, the mean of eight flips and rotations"
AVERAGED: Final = "The mean of the eight flips and rotations"
FLOAT: Final = "The same network before quantization"
EXTERNAL: Final = "External: ISIC 2017 test, other clinics and cameras (nv, mel and bkl alone)"
NOT_QUITE_EXTERNAL: Final = "ISIC 2017 test, whose other parts were trained on (nv, mel, bkl alone)"

_COVERAGES: Final = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
SALIENCY_IMAGES: Final = 210
"""Images of the test fold, spread over the diagnoses, on which saliency maps are compared."""

CAPTURED_SALIENCY_IMAGES: Final = 42
"""The same for the network of captured pictures, whose passes take longer."""


class CoveragePoint(msgspec.Struct, frozen=True):
    """A point of the accuracy-coverage curve: accuracy on the most confident share of images."""

    coverage: float
    accuracy: float
    balanced_accuracy: float


class Separation(msgspec.Struct, frozen=True):
    """How the images that test were kept apart from those that trained.

    Attributes
    ----------
    left_out
        How many test images of each source were left out, since they look like one that trained or
        validated.
    not_compared
        Sources that the model was trained on and that were not at hand.
    """

    left_out: dict[str, int]
    not_compared: list[str]


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured.

    Attributes
    ----------
    evaluations
        The shipped file in one pass on the test fold first; then its variants, and other images.
    surest
        The accuracy-coverage curve of what a captured picture is acted upon by.
    averaged
        Whether the only network is run over the flips and rotations of a captured picture.
    unfamiliar
        Out-of-distribution detection of a captured picture; empty without HAM10000's segmentations.
    maps
        Kinds of saliency maps of the most likely diagnosis compared; empty where the model has no
        class activation map.
    unasked_maps
        The same of the diagnosis that the screen explains by default, the likeliest malignant one.
    captured_maps
        As `maps`, of the network of captured pictures, where there is one.
    speed
        Against the reference model; None where it was not measured.
    captured_speed
        That of the network of captured pictures, where there is one.
    sources
        Each network on the test fold of each source, where there are several.
    photographs
        Share of photographs without a dermatoscope of which a call is made, by network; empty
        where there are none.
    out_of_scope
        The same of dermoscopic images that show none of the seven diagnoses.
    separation
        How the images were kept apart from those that trained; None where they were not compared.
    """

    evaluations: list[Evaluation]
    surest: list[CoveragePoint]
    averaged: bool = False
    unfamiliar: list[DetectionFigures] = []
    maps: list[Faithfulness] = []
    unasked_maps: list[Faithfulness] = []
    captured_maps: list[Faithfulness] = []
    speed: Speed | None = None
    captured_speed: Speed | None = None
    sources: list[SourceEvaluation] = []
    photographs: dict[str, float] = {}
    out_of_scope: dict[str, float] = {}
    separation: Separation | None = None

    @property
    def acted_upon(self) -> Evaluation:
        """That of captured pictures, by their own network or averaged, else the first."""
        protocol = AVERAGED if self.averaged else CAPTURED
        own = (e for e in self.evaluations if e.protocol == protocol)
        return next(own, self.evaluations[0])


def assess_test_fold(bundle: Bundle, test: Dataset, resamples: int = RESAMPLES) -> Assessment:
    """Measure a bundle in one pass on the test fold, and nothing else.

    Parameters
    ----------
    resamples
        Bootstrap resamples of every interval.
    """
    return _assessed(bundle, predict(Analyzer(bundle), test), resamples)


def _assessed(bundle: Bundle, predictions: Predictions, resamples: int = RESAMPLES) -> Assessment:
    model_id = bundle.manifest.model_id
    evaluation = evaluate(predictions, model_id, bundle.live_model, SHIPPED, resamples=resamples)
    return Assessment(evaluations=[evaluation], surest=accuracy_coverage_curve(predictions))


def assess(
    bundle: Bundle,
    test: Dataset,
    data: Path | None,
    isic2017: Dataset | None,
    float_model: bytes | None,
    console: Console,
    sources: Dataset | None = None,
    photographs: Sequence[Path] = (),
    out_of_scope: Sequence[Path] = (),
    separation: Separation | None = None,
) -> Assessment:
    """Measure a bundle in every way.

    Parameters
    ----------
    test
        The test fold.
    data
        HAM10000, or None; its segmentations are used where it has them.
    isic2017
        The external test images, or None.
    float_model
        The same network as a float ``.tflite`` file, or None.
    sources
        Test folds of all sources that are there, HAM10000 among them.
    photographs
        Files of photographs that no dermatoscope took, of lesions that were not trained on.
    out_of_scope
        Files of dermoscopic images that show none of the seven diagnoses.
    separation
        How the test images were kept apart from those that trained.
    """
    manifest = bundle.manifest
    model_id = manifest.model_id
    analyzer = Analyzer(bundle)
    known: dict[NetworkName, Predictions] = {"live": predict(analyzer, test)}
    first = _assessed(bundle, known["live"])
    evaluations = list(first.evaluations)
    acted_upon = known["live"]
    square = manifest.live.input.height == manifest.live.input.width
    if manifest.captured is not None:
        known["captured"] = predict(analyzer, test, averaged=True)
        model = bundle.models[manifest.captured.file]
        evaluations.append(evaluate(known["captured"], model_id, model, CAPTURED))
        acted_upon = known["captured"]
    elif square:
        live = msgspec.structs.replace(manifest.live, test_time_augmentation="dihedral")
        averaging = msgspec.structs.replace(manifest, live=live)
        over_views = Analyzer(replace(bundle, manifest=averaging))
        averaged = predict(over_views, test, averaged=True)
        evaluations.append(evaluate(averaged, model_id, bundle.live_model, AVERAGED))
        if manifest.live.test_time_augmentation != "none":
            acted_upon = averaged
    if float_model is not None:
        unquantized = predict(Analyzer(with_float_model(bundle, float_model)), test)
        evaluations.append(evaluate(unquantized, model_id, float_model, FLOAT))
    if isic2017 is not None:
        elsewhere = predict(analyzer, isic2017)
        metrics: dict[str, Metric] = {"melanoma_auc": melanoma_auc, "accuracy": accuracy}
        origin = manifest.provenance
        trained_on = any("ISIC 2017" in further for further in origin.further) or not {
            "isic-2017",
            "isic-2019",
        }.isdisjoint(origin.sources)
        protocol = NOT_QUITE_EXTERNAL if trained_on else EXTERNAL
        evaluations.append(evaluate(elsewhere, model_id, bundle.live_model, protocol, metrics))
    if data is not None and not (data / SEGMENTATIONS_FOLDER).is_dir():
        console.print(f"{data}: has no {SEGMENTATIONS_FOLDER}; skipping what needs them")
        data = None
    central = square and manifest.live.input.geometry == "center-square"
    mapped = data if central and manifest.live.outputs.class_activation_map else None
    sample = balanced_sample(test, SALIENCY_IMAGES)
    network = Network(bundle, manifest.network_for(as_captured=True))
    return Assessment(
        evaluations=evaluations,
        surest=accuracy_coverage_curve(acted_upon),
        averaged=manifest.captured is None and acted_upon is not known["live"],
        unfamiliar=(
            measure_detection(
                lambda frame: analyzer.analyze(frame, as_captured=True),
                lambda pixels: in_distribution_score(network, pixels),
                test,
                data,
            )
            if data is not None
            else []
        ),
        maps=compare_maps(bundle, manifest.live, float_model, sample, mapped) if mapped else [],
        unasked_maps=(
            compare_maps(bundle, manifest.live, float_model, sample, mapped, likeliest_malignant)
            if mapped
            else []
        ),
        captured_maps=_captured_maps(bundle, test, data),
        speed=measure_speed(bundle.live_model, reference_model()),
        captured_speed=(
            measure_speed(bundle.models[manifest.captured.file], reference_model())
            if manifest.captured
            else None
        ),
        sources=evaluate_sources(bundle, sources, known=known) if sources else [],
        photographs=_called(analyzer, photographs),
        out_of_scope=_called(analyzer, out_of_scope),
        separation=separation,
    )


def _captured_maps(bundle: Bundle, test: Dataset, data: Path | None) -> list[Faithfulness]:
    spec = bundle.manifest.captured
    if spec is None or data is None or spec.outputs.class_activation_map is None:
        return []
    return compare_maps(bundle, spec, None, balanced_sample(test, CAPTURED_SALIENCY_IMAGES), data)


def _called(analyzer: Analyzer, images: Sequence[Path]) -> dict[str, float]:
    """Return the share of images of which a call is made, by network."""
    if not images:
        return {}
    frames = [frame_now(read_image(path), i, "file") for i, path in enumerate(images)]
    findings = {"live": [analyzer.analyze(frame) for frame in frames]}
    if analyzer.manifest.captured is not None:
        findings["captured"] = [analyzer.analyze_burst([frame])[1] for frame in frames]
    return {
        name: float(np.mean([f.no_call is None for f in own])) for name, own in findings.items()
    }


def with_float_model(bundle: Bundle, float_model: bytes) -> Bundle:
    """Return a bundle around the float ``.tflite`` file of the same network."""
    from build_host.compression.quantization import describe_tensors

    input_tensor, outputs = describe_tensors(float_model)
    live = msgspec.structs.replace(
        bundle.manifest.live,
        input_tensor=input_tensor,
        outputs=outputs,
        sha256=hashlib.sha256(float_model).hexdigest(),
    )
    manifest = msgspec.structs.replace(
        bundle.manifest, live=live, captured=None, similar_cases=None
    )
    return Bundle(bundle.folder, manifest, {manifest.live.file: float_model}, "")


def accuracy_coverage_curve(predictions: Predictions) -> list[CoveragePoint]:
    """Return the accuracy on ever smaller shares of the images, the most confident ones."""
    labels = np.array([CODES.index(r.dx) for r in predictions.records])
    order = np.argsort(-predictions.probabilities.max(axis=1), kind="stable")
    points = []
    for coverage in _COVERAGES:
        rows = order[: round(coverage * len(order))]
        own, predicted = labels[rows], predictions.probabilities[rows]
        points.append(
            CoveragePoint(coverage, accuracy(own, predicted), balanced_accuracy(own, predicted))
        )
    return points
