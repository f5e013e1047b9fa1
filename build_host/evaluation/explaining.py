"""Which map says most truly where the model looks?  Asked of the shipped int8 file.

Deletion and insertion are those of RISE (Petsiuk et al. 2018, arXiv:1806.07421): the class's
probability as the pixels the map names first are taken away, or given back to a blurred picture.
The pointing game is Zhang et al. 2018 (doi:10.1007/s11263-017-1059-x).
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from build_host.datasets.collection import Collection
from build_host.datasets.outlines import read_outline
from build_host.evaluation.metrics import mean_over_lesions
from device.diagnoses import CODES
from device.imaging.field import central_field, cut
from device.imaging.preprocessing import dihedral_views, resize, scale, scale_table
from device.inference.bundle import Bundle
from device.inference.calibration import probabilities
from device.inference.interpreter import Network, load_runtime, open_interpreter, quantize
from device.inference.manifest import Calibration, Interval, Manifest, Saliency
from device.inference.saliency import evidence, occlusion_map, rise_map

Pixels = NDArray[np.uint8]
Map = NDArray[np.float64]

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


@dataclass(frozen=True, slots=True)
class _Asked:
    """One image, the class that is explained, and how the network answers."""

    pixels: Pixels
    index: int
    network: Network
    calibration: Calibration
    saliency: Saliency
    seed: int


def outline_in_square(folder: Path, image_id: str, side: int) -> NDArray[np.bool_]:
    """Return a lesion's outline in the centred square: bool, (side, side)."""
    mask = read_outline(folder, image_id).astype(np.uint8)
    square = cut(mask, central_field(*mask.shape)) * np.uint8(255)
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA) >= 128


def compare(
    bundle: Bundle, float_model: bytes | None, collection: Collection, folder: Path
) -> list[Faithfulness]:
    """Return what every kind of map is worth on a collection's images.

    Parameters
    ----------
    bundle
        With a class activation map and a square input.
    float_model
        The same network before quantization, as a ``.tflite`` file.
    folder
        HAM10000, for the outlines.
    """
    manifest = bundle.manifest
    side = manifest.input.height
    network = Network(bundle)
    exact = None if float_model is None else _FloatMaps(float_model, manifest)
    eigen = _Inside(bundle.model, manifest)
    methods: dict[str, tuple[int, Callable[[_Asked], Map]]] = {
        "random": (0, _random),
        "centre blob": (0, _centre),
        "Eigen-CAM": (0, lambda a: eigen.first_component(a.pixels)),
        "class activation map": (0, _activation),
        "class activation map, as log-odds": (0, _log_odds),
        "class activation map, as log-odds, eight views": (7, _log_odds_eight),
        "occlusion": (_occlusion_passes(side), _occlusion),
        "RISE": (manifest.saliency.masks, _rise),
    }
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in methods}
    agreements: dict[str, list[float]] = {name: [] for name in methods}
    for seed, record in enumerate(track(collection.records, "Explaining")):
        pixels = resize(collection.read(record), manifest.input)
        outline = outline_in_square(folder, record.image_id, side)
        called = probabilities(network.run(pixels).logits, manifest.calibration)
        index = int(called.argmax())
        asked = _Asked(pixels, index, network, manifest.calibration, manifest.saliency, seed)
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
                agreements[name].append(float(np.corrcoef(saliency.ravel(), other.ravel())[0, 1]))
    lesions = collection.lesions
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


def _curves(asked: _Asked, saliency: Map) -> tuple[float, float]:
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


def _probability(asked: _Asked, pixels: Pixels) -> float:
    logits = asked.network.run(pixels).logits
    return float(probabilities(logits, asked.calibration)[asked.index])


def _energy_inside(saliency: Map, outline: NDArray[np.bool_]) -> float:
    total = saliency.sum()
    return float(saliency[outline].sum() / total) if total > 0 else 0.0


def _enlarged(values: NDArray[Any], side: int) -> Map:
    wide = cv2.resize(values.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.maximum(wide, 0.0).astype(np.float64)


def _random(asked: _Asked) -> Map:
    return np.random.default_rng(asked.seed).random(asked.pixels.shape[:2])


def _centre(asked: _Asked) -> Map:
    along = (np.arange(len(asked.pixels)) + 0.5) / len(asked.pixels) - 0.5
    distance = along[:, None] ** 2 + along[None, :] ** 2
    return np.asarray(np.exp(-distance / (2 * 0.2**2)))


def _activation(asked: _Asked) -> Map:
    class_map = asked.network.run(asked.pixels).class_activation_map
    assert class_map is not None
    return _enlarged(class_map[:, :, asked.index], len(asked.pixels))


def _log_odds(asked: _Asked) -> Map:
    return np.maximum(_evidence(asked, asked.pixels), 0.0)


def _log_odds_eight(asked: _Asked) -> Map:
    total = np.zeros(asked.pixels.shape[:2])
    for number, view in enumerate(dihedral_views(asked.pixels)):
        seen = _evidence(asked, view)
        back = seen[:, ::-1] if number >= 4 else seen
        total += np.rot90(back, -(number % 4))
    return np.maximum(total / 8, 0.0)


def _evidence(asked: _Asked, pixels: Pixels) -> Map:
    """Return what the instrument shows of its own map, before the negative is cut off."""
    answer = asked.network.run(pixels)
    assert answer.class_activation_map is not None
    probability = probabilities(answer.logits, asked.calibration)
    found = evidence(
        answer.class_activation_map, asked.index, probability, asked.calibration.temperature
    )
    side = len(pixels)
    wide = cv2.resize(found.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return wide.astype(np.float64)


def _occlusion_passes(side: int) -> int:
    patch, stride = _occlusion_grid(side)
    return len(range(1 - patch + stride, side, stride)) ** 2 + 1


def _occlusion_grid(side: int) -> tuple[int, int]:
    return side // 4, side // 12


def _occlusion(asked: _Asked) -> Map:
    patch, stride = _occlusion_grid(len(asked.pixels))
    run = asked.network.run
    found = occlusion_map(
        asked.pixels, CODES[asked.index], lambda p: run(p).logits, patch, stride
    )  # fmt: skip
    return found.values.astype(np.float64)


def _rise(asked: _Asked) -> Map:
    run = asked.network.run
    by = asked.saliency
    found = rise_map(asked.pixels, CODES[asked.index], lambda p: run(p).logits, by.masks, by.cells)
    return found.values.astype(np.float64)


class _Inside:
    """The last features of the int8 file, which it does not give out itself."""

    def __init__(self, model: bytes, manifest: Manifest) -> None:
        with warnings.catch_warnings():
            # That this takes memory is known.
            warnings.simplefilter("ignore", UserWarning)
            self._interpreter = load_runtime()[1](
                model_content=model, experimental_preserve_all_tensors=True
            )
        self._interpreter.allocate_tensors()
        self._table = quantize(scale_table(manifest.input), manifest.input_tensor)
        class_map = manifest.outputs.class_activation_map
        assert class_map is not None
        rows = class_map.shape[0]
        features = [
            d
            for d in self._interpreter.get_tensor_details()
            if len(d["shape"]) == 4
            and d["shape"][0] == 1
            and 1 < d["shape"][1] <= rows
            and d["shape"][3] > len(CODES)
        ]
        # The runtime numbers what it computes in the order in which it does.
        self._features = max(features, key=lambda d: int(d["index"]))

    def first_component(self, pixels: Pixels) -> Map:
        """Return Eigen-CAM: the first principal component (arXiv:2008.00299)."""
        self._interpreter.set_tensor(
            self._interpreter.get_input_details()[0]["index"], self._table[pixels][None]
        )
        self._interpreter.invoke()
        scale, zero = self._features["quantization"]
        values = self._interpreter.get_tensor(self._features["index"])[0].astype(np.float64)
        flat = ((values - zero) * scale).reshape(-1, values.shape[-1])
        flat = flat - flat.mean(axis=0)
        along = flat @ np.linalg.svd(flat, full_matrices=False)[2][0]
        # A component has no sign of its own: what stands out is taken to be the smaller part.
        along = along if (along > 0).mean() <= 0.5 else -along
        return _enlarged(along.reshape(values.shape[:2]), len(pixels))


class _FloatMaps:
    """The class activation maps of the network before quantization."""

    def __init__(self, model: bytes, manifest: Manifest) -> None:
        _, self._interpreter = open_interpreter(model)
        self._spec = manifest.input
        self._map = next(
            d for d in self._interpreter.get_output_details() if len(d["shape"]) == 4
        )  # fmt: skip

    def of(self, pixels: Pixels, index: int) -> Map:
        """Return the map of one class, enlarged to the input."""
        given = self._interpreter.get_input_details()[0]["index"]
        self._interpreter.set_tensor(given, scale(pixels, self._spec)[None])
        self._interpreter.invoke()
        class_map = self._interpreter.get_tensor(self._map["index"])[0]
        return _enlarged(class_map[:, :, index], len(pixels))
