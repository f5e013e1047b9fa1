"""Everything that is measured of a model before it ships, in one place: ``metrics.json``."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from rich.console import Console

from build_host.datasets.dataset import Dataset
from build_host.datasets.isic2017 import read_isic2017
from build_host.datasets.sampling import balanced_sample
from build_host.datasets.segmentations import SEGMENTATIONS_FOLDER
from build_host.evaluation import out_of_distribution, saliency_faithfulness, speed
from build_host.evaluation.evaluation import Evaluation, evaluate
from build_host.evaluation.metrics import RESAMPLES, accuracy, balanced_accuracy, melanoma_auc
from build_host.evaluation.out_of_distribution import Unfamiliar
from build_host.evaluation.predictions import Predictions, predict
from build_host.evaluation.saliency_faithfulness import Faithfulness
from build_host.evaluation.speed import Speed
from device.diagnoses import CODES
from device.inference.analyzer import Analyzer, code_to_explain
from device.inference.bundle import Bundle

SHIPPED: Final = "Lesion-disjoint: no lesion of the test fold was seen in training. One pass."
AVERAGED: Final = "The mean of the eight flips and rotations"
FLOAT: Final = "The same network before quantization"
EXTERNAL: Final = "External: ISIC 2017 test, other clinics and cameras (nv, mel and bkl alone)"
NOT_QUITE_EXTERNAL: Final = "ISIC 2017 test, whose other parts were trained on (nv, mel, bkl alone)"

_COVERAGES: Final = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
EXPLAINED: Final = 210
"""Images of the test fold, as even over the diagnoses as there are any, whose maps are judged."""


class Kept(msgspec.Struct, frozen=True):
    """Accuracy on the share of the images of which the model is surest."""

    coverage: float
    accuracy: float
    balanced_accuracy: float


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured.

    Attributes
    ----------
    evaluations
        The shipped file in one pass on the test fold first; then whatever else it was judged on
        or beside.
    surest
        The accuracy-against-coverage curve of the first.
    unfamiliar
        Things that are no lesions; empty where the outlines were not there.
    maps
        Kinds of saliency maps of the called diagnosis compared; empty where the model gives none
        of its own.
    unasked_maps
        The same of the diagnosis that the screen explains unasked, the likeliest malignant one.
    """

    evaluations: list[Evaluation]
    surest: list[Kept]
    unfamiliar: list[Unfamiliar] = []
    maps: list[Faithfulness] = []
    unasked_maps: list[Faithfulness] = []
    speed: Speed | None = None


def assess_first(bundle: Bundle, test: Dataset, resamples: int = RESAMPLES) -> Assessment:
    """Measure a bundle on the test fold in one pass, and nothing beside it."""
    predictions = predict(Analyzer(bundle), test)
    model_id = bundle.manifest.model_id
    evaluation = evaluate(predictions, model_id, bundle.model, SHIPPED, resamples=resamples)
    return Assessment(evaluations=[evaluation], surest=surest(predictions))


def assess(
    bundle: Bundle,
    test: Dataset,
    data: Path,
    isic2017: Path | None,
    float_model: bytes | None,
    console: Console,
) -> Assessment:
    """Measure a bundle.

    Parameters
    ----------
    test
        The test fold.
    data
        HAM10000; its outlines are used where they are there.
    isic2017
        The external set, or None.
    float_model
        The same network as a float ``.tflite`` file, or None.
    """
    manifest = bundle.manifest
    analyzer = Analyzer(bundle)
    first = assess_first(bundle, test)
    evaluations = list(first.evaluations)
    if manifest.input.height == manifest.input.width:
        averaging = msgspec.structs.replace(manifest, averaging="dihedral")
        other = Analyzer(Bundle(bundle.folder, averaging, bundle.model, ""))
        averaged = predict(other, test, averaged=True)
        evaluations.append(evaluate(averaged, manifest.model_id, bundle.model, AVERAGED))
    if float_model is not None:
        exact = predict(Analyzer(as_float(bundle, float_model)), test)
        evaluations.append(evaluate(exact, manifest.model_id, float_model, FLOAT))
    if isic2017 is not None:
        external = read_isic2017(isic2017, ("test",))
        elsewhere = predict(analyzer, external)
        metrics = {"melanoma_auc": melanoma_auc, "accuracy": accuracy}
        known = any("ISIC 2017" in further for further in manifest.provenance.further)
        protocol = NOT_QUITE_EXTERNAL if known else EXTERNAL
        evaluations.append(evaluate(elsewhere, manifest.model_id, bundle.model, protocol, metrics))
    outlined = (data / SEGMENTATIONS_FOLDER).is_dir()
    if not outlined:
        console.print(f"{data}: has no {SEGMENTATIONS_FOLDER}; what needs them is left out")
    sample = balanced_sample(test, EXPLAINED)
    square = manifest.input.height == manifest.input.width
    squared = square and manifest.input.geometry == "center-square"
    mapped = outlined and squared and manifest.outputs.class_activation_map is not None
    compared = (bundle, float_model, sample, data)
    return Assessment(
        evaluations=evaluations,
        surest=first.surest,
        unfamiliar=out_of_distribution.measure(analyzer, test, data) if outlined else [],
        maps=saliency_faithfulness.compare(*compared) if mapped else [],
        unasked_maps=saliency_faithfulness.compare(*compared, code_to_explain) if mapped else [],
        speed=speed.measure(bundle, speed.reference_model()),
    )


def as_float(bundle: Bundle, float_model: bytes) -> Bundle:
    """Return a bundle around the float file of the same network."""
    from build_host.compression.quantization import describe_tensors

    input_tensor, outputs = describe_tensors(float_model)
    manifest = msgspec.structs.replace(
        bundle.manifest,
        input_tensor=input_tensor,
        outputs=outputs,
        model_sha256=hashlib.sha256(float_model).hexdigest(),
    )
    return Bundle(bundle.folder, manifest, float_model, "")


def surest(predictions: Predictions) -> list[Kept]:
    """Return the accuracy on the images of which the model is surest, share by share."""
    labels = np.array([CODES.index(r.dx) for r in predictions.records])
    order = np.argsort(-predictions.probabilities.max(axis=1), kind="stable")
    kept = []
    for coverage in _COVERAGES:
        rows = order[: round(coverage * len(order))]
        own, said = labels[rows], predictions.probabilities[rows]
        kept.append(Kept(coverage, accuracy(own, said), balanced_accuracy(own, said)))
    return kept
