"""Which map says most truly where the model looks?  Asked of the shipped int8 file.

Deletion and insertion are those of RISE (Petsiuk et al. 2018, arXiv:1806.07421): the class's
probability as the pixels the map names first are taken away, or given back to a blurred picture.
The pointing game is Zhang et al. 2018 (doi:10.1007/s11263-017-1059-x).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Dataset
from build_host.datasets.segmentations import read_segmentation
from build_host.evaluation import saliency_maps
from build_host.evaluation.metrics import mean_over_lesions
from device.diagnoses import CODES, Code
from device.imaging.field import central_field, cut
from device.imaging.preprocessing import resize
from device.inference.bundle import Bundle
from device.inference.calibration import probabilities
from device.inference.interpreter import Network
from device.inference.manifest import Interval

_STEPS: Final = 24
_BLUR: Final = 0.12


class Faithfulness(msgspec.Struct, frozen=True):
    """What one kind of map is worth; means over images with their 95 % bootstrap intervals.

    Attributes
    ----------
    passes
        Of the network, beside the one that gives the finding.
    insertion, deletion
        Areas under the curves of the class's probability: high, and low, is good.
    energy_inside
        Share of the map's sum inside the lesion's outline.
    pointing
        Share of the maps whose highest place lies inside the outline.
    agreement
        Correlation with the map of the float network, where one was given.
    """

    method: str
    passes: int
    insertion: Interval
    deletion: Interval
    energy_inside: Interval
    pointing: Interval
    agreement: Interval | None


def segmentation_in_square(folder: Path, image_id: str, side: int) -> NDArray[np.bool_]:
    """Return a lesion's outline in the centred square: bool, (side, side)."""
    mask = read_segmentation(folder, image_id).astype(np.uint8)
    square = cut(mask, central_field(*mask.shape)) * np.uint8(255)
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA) >= 128


def called(probability: tuple[float, ...]) -> Code:
    """Return the likeliest diagnosis."""
    return CODES[int(np.argmax(probability))]


def compare(
    bundle: Bundle,
    float_model: bytes | None,
    dataset: Dataset,
    folder: Path,
    choose: Callable[[tuple[float, ...]], Code] = called,
) -> list[Faithfulness]:
    """Return what every kind of map is worth on a dataset's images.

    Parameters
    ----------
    bundle
        With a class activation map and a square input.
    float_model
        The same network before quantization, as a ``.tflite`` file.
    folder
        HAM10000, for the outlines.
    choose
        Of an image's probabilities: names the diagnosis that is explained.
    """
    manifest = bundle.manifest
    side = manifest.input.height
    network = Network(bundle)
    exact = None if float_model is None else saliency_maps.FloatMaps(float_model, manifest)
    eigen = saliency_maps.Inside(bundle.model, manifest)
    methods: dict[str, tuple[int, Callable[[saliency_maps.Asked], saliency_maps.Map]]] = {
        "random": (0, saliency_maps.random),
        "centre blob": (0, saliency_maps.centre),
        "Eigen-CAM": (0, lambda a: eigen.first_component(a.pixels)),
        "class activation map": (0, saliency_maps.activation),
        "class activation map, as log-odds": (0, saliency_maps.log_odds),
        "class activation map, where it outweighs the others": (0, saliency_maps.outweighs),
        "occlusion": (saliency_maps.occlusion_passes(side), saliency_maps.occlusion),
        "RISE": (manifest.saliency.masks, saliency_maps.rise),
    }
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in methods}
    agreements: dict[str, list[float]] = {name: [] for name in methods}
    for seed, record in enumerate(track(dataset.records, "Explaining")):
        pixels = resize(dataset.read(record), manifest.input)
        outline = segmentation_in_square(folder, record.image_id, side)
        found = probabilities(network.run(pixels).logits, manifest.calibration)
        index = CODES.index(choose(tuple(found)))
        asked = saliency_maps.Asked(
            pixels, index, network, manifest.calibration, manifest.saliency, seed
        )
        for name, (_, explain) in methods.items():
            saliency = explain(asked)
            rows[name].append(
                (
                    *_curves(asked, saliency),
                    _energy_inside(saliency, outline),
                    float(outline.ravel()[saliency.argmax()]),
                )
            )
            if exact is not None and name == "class activation map":
                other = exact.of(pixels, index)
                agreements[name].append(_agreement(saliency, other))
    lesions = dataset.lesions
    result = []
    for name, (passes, _) in methods.items():
        columns = [
            mean_over_lesions(np.array(c), lesions) for c in zip(*rows[name], strict=True)
        ]  # fmt: skip
        agreed = (
            mean_over_lesions(np.array(agreements[name]), lesions) if agreements[name] else None
        )
        result.append(Faithfulness(name, passes, *columns, agreed))
    return result


def _curves(asked: saliency_maps.Asked, saliency: saliency_maps.Map) -> tuple[float, float]:
    """Return the areas under the insertion and the deletion curve."""
    pixels = asked.pixels
    blurred = cv2.GaussianBlur(pixels, (0, 0), _BLUR * len(pixels))
    order = np.argsort(-saliency.ravel(), kind="stable")
    areas = []
    for start, end in ((blurred, pixels), (pixels, blurred)):
        picture = start.reshape(-1, 3).copy()
        target = end.reshape(-1, 3)
        curve = []
        for part in np.array_split(order, _STEPS):
            curve.append(_probability(asked, picture.reshape(pixels.shape)))
            picture[part] = target[part]
        curve.append(_probability(asked, picture.reshape(pixels.shape)))
        areas.append(float(np.trapezoid(curve, dx=1.0 / _STEPS)))
    return areas[0], areas[1]


def _probability(asked: saliency_maps.Asked, pixels: saliency_maps.Pixels) -> float:
    logits = asked.network.run(pixels).logits
    return float(probabilities(logits, asked.calibration)[asked.index])


def _agreement(one: saliency_maps.Map, other: saliency_maps.Map) -> float:
    """Return how two maps correlate; one that is flat agrees with nothing."""
    if not (one.std() and other.std()):
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _energy_inside(saliency: saliency_maps.Map, outline: NDArray[np.bool_]) -> float:
    total = saliency.sum()
    return float(saliency[outline].sum() / total) if total > 0 else 0.0
