"""Saliency faithfulness: how well maps show what the shipped int8 file relies on.

Deletion and insertion are those of RISE (Petsiuk et al. 2018, arXiv:1806.07421): the class's
probability as the most salient pixels are deleted first, or inserted first into a blurred image.
The pointing game is Zhang et al. 2018 (doi:10.1007/s11263-017-1059-x).
"""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.dataset import Dataset
from build_host.datasets.segmentations import read_segmentation
from build_host.evaluation.corruptions import gaussian_blur
from build_host.evaluation.metrics import mean_over_lesions
from build_host.evaluation.saliency_maps import (
    EigenCam,
    Explained,
    FloatActivationMaps,
    Map,
    Pixels,
    centre_map,
    class_activation_map,
    log_odds_map,
    mean_outweighing_map,
    occlusion_passes,
    occlusion_sensitivity,
    outweighing_map,
    random_map,
    rise,
)
from device.diagnoses import CODES, Code
from device.imaging.field_of_view import central_field, crop
from device.imaging.preprocessing import resize_to_input, undo_dihedral_views
from device.inference.calibration import probabilities
from device.inference.network import Network
from device.models.bundle import Bundle
from device.models.manifest import Interval
from device.models.network_spec import NetworkSpec

_STEPS: Final = 24
_BLUR: Final = 0.12
_STABILITY_STRIDE: Final = 3
"""Stability is measured on every third image: it takes eight maps of each kind."""


class Faithfulness(msgspec.Struct, frozen=True):
    """How faithful one kind of map is; means over images with 95 % bootstrap intervals.

    Attributes
    ----------
    passes
        Of the network, besides the one that gives the finding.
    insertion, deletion
        Areas under the curves of the class's probability; high insertion and low deletion are
        good.
    energy_inside
        Share of the map's sum inside the lesion's segmentation.
    pointing
        Share of the maps whose maximum is inside the segmentation.
    agreement
        Correlation with the map of the float network, where one was given.
    stability
        Correlation of the maps of the eight flips and rotations, turned back; mean over the pairs.
    """

    method: str
    passes: int
    insertion: Interval
    deletion: Interval
    energy_inside: Interval
    pointing: Interval
    agreement: Interval | None
    stability: Interval | None = None


def segmentation_in_square(data: Path, image_id: str, side: int) -> NDArray[np.bool_]:
    """Return a lesion's segmentation in the centred square of its image: bool, (side, side).

    Parameters
    ----------
    data
        HAM10000, with its segmentations.
    """
    mask = read_segmentation(data, image_id).astype(np.uint8)
    square = crop(mask, central_field(*mask.shape)) * np.uint8(255)
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA) >= 128


def most_likely(probability: tuple[float, ...]) -> Code:
    """Return the most likely diagnosis."""
    return CODES[int(np.argmax(probability))]


def compare_maps(
    bundle: Bundle,
    spec: NetworkSpec,
    float_model: bytes | None,
    dataset: Dataset,
    data: Path,
    choose: Callable[[tuple[float, ...]], Code] = most_likely,
) -> list[Faithfulness]:
    """Return how faithful every kind of map is on a dataset's images.

    Parameters
    ----------
    spec
        Of the bundle's network that is to be explained; with a class activation map and a square
        input.
    float_model
        The same network before quantization, as a ``.tflite`` file.
    data
        HAM10000, for the segmentations.
    choose
        Of an image's probabilities: returns the diagnosis to explain.
    """
    side = spec.input.height
    network = Network(bundle, spec)
    float_maps = None if float_model is None else FloatActivationMaps(float_model, spec.input)
    eigen_cam = EigenCam(bundle.models[spec.file], spec)
    methods: dict[str, tuple[int, Callable[[Explained], Map]]] = {
        "random": (0, random_map),
        "centre blob": (0, centre_map),
        "Eigen-CAM": (0, lambda explained: eigen_cam.map_of(explained.pixels)),
        "class activation map": (0, class_activation_map),
        "class activation map, as log-odds": (0, log_odds_map),
        "class activation map, where it outweighs the others": (0, outweighing_map),
        "the same, mean over eight views": (7, mean_outweighing_map),
        "occlusion": (occlusion_passes(side), occlusion_sensitivity),
        "RISE": (spec.saliency.masks, rise),
    }
    rows: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in methods}
    stable: dict[str, list[float]] = {name: [] for name in methods}
    agreements: dict[str, list[float]] = {name: [] for name in methods}
    for seed, record in enumerate(track(dataset.records, "Explaining")):
        pixels = resize_to_input(dataset.read(record), spec.input)
        lesion = segmentation_in_square(data, record.image_id, side)
        found = probabilities(network.run(pixels).logits, spec.calibration)
        index = CODES.index(choose(tuple(found)))
        explained = Explained(pixels, index, network, spec.calibration, spec.saliency, seed)
        for name, (_, explain) in methods.items():
            saliency = explain(explained)
            rows[name].append(
                (
                    *_curves(explained, saliency),
                    _energy_inside(saliency, lesion),
                    float(lesion.ravel()[saliency.argmax()]),
                )
            )
            if seed % _STABILITY_STRIDE == 0:
                stable[name].append(_stability(explained, explain))
            if float_maps is not None and name == "class activation map":
                agreements[name].append(_agreement(saliency, float_maps.map_of(pixels, index)))

    def mean(values: list[float], stride: int = 1) -> Interval:
        return mean_over_lesions(np.array(values), dataset.lesions[::stride])

    return [
        Faithfulness(
            method=name,
            passes=passes,
            insertion=mean([row[0] for row in rows[name]]),
            deletion=mean([row[1] for row in rows[name]]),
            energy_inside=mean([row[2] for row in rows[name]]),
            pointing=mean([row[3] for row in rows[name]]),
            stability=mean(stable[name], _STABILITY_STRIDE),
            agreement=mean(agreements[name]) if agreements[name] else None,
        )
        for name, (passes, _) in methods.items()
    ]


def _curves(explained: Explained, saliency: Map) -> tuple[float, float]:
    """Return the areas under the insertion and the deletion curve."""
    pixels = explained.pixels
    blurred = gaussian_blur(pixels, _BLUR)
    order = np.argsort(-saliency.ravel(), kind="stable")
    areas = []
    for start, end in ((blurred, pixels), (pixels, blurred)):
        flat = start.reshape(-1, 3).copy()
        target = end.reshape(-1, 3)
        curve = []
        for part in np.array_split(order, _STEPS):
            curve.append(_probability(explained, flat.reshape(pixels.shape)))
            flat[part] = target[part]
        curve.append(_probability(explained, flat.reshape(pixels.shape)))
        areas.append(float(np.trapezoid(curve, dx=1.0 / _STEPS)))
    return areas[0], areas[1]


def _probability(explained: Explained, pixels: Pixels) -> float:
    logits = explained.network.run(pixels).logits
    return float(probabilities(logits, explained.calibration)[explained.index])


def _stability(explained: Explained, explain: Callable[[Explained], Map]) -> float:
    """Return the mean correlation of the maps of the eight views, turned back."""
    maps = undo_dihedral_views([explain(view) for view in explained.views()])
    return float(np.mean([_agreement(one, other) for one, other in combinations(maps, 2)]))


def _agreement(one: Map, other: Map) -> float:
    """Return the correlation of two maps; 0 where one is constant."""
    if not (one.std() and other.std()):
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _energy_inside(saliency: Map, lesion: NDArray[np.bool_]) -> float:
    total = saliency.sum()
    return float(saliency[lesion].sum() / total) if total > 0 else 0.0
