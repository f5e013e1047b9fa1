"""Every kind of map of where a picture speaks for a diagnosis: of the shipped file, and blind ones.

All are float64, (side, side), at the size of the model's input.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from device.diagnoses import CODES
from device.imaging.preprocessing import scale, scale_table
from device.inference.calibration import probabilities
from device.inference.interpreter import Network, load_runtime, open_interpreter, quantize
from device.inference.manifest import Calibration, Manifest, Saliency
from device.inference.saliency import evidence, occlusion_map, outweighing, rise_map

Pixels = NDArray[np.uint8]
Map = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """One image, the class that is explained, and how the network answers."""

    pixels: Pixels
    index: int
    network: Network
    calibration: Calibration
    saliency: Saliency
    seed: int


def _enlarged(values: NDArray[Any], side: int) -> Map:
    wide = cv2.resize(values.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.maximum(wide, 0.0).astype(np.float64)


def random(asked: Asked) -> Map:
    """Return chance: the map that any other must beat."""
    return np.random.default_rng(asked.seed).random(asked.pixels.shape[:2])


def centre(asked: Asked) -> Map:
    """Return a blob in the middle, where most lesions lie."""
    along = (np.arange(len(asked.pixels)) + 0.5) / len(asked.pixels) - 0.5
    distance = along[:, None] ** 2 + along[None, :] ** 2
    return np.asarray(np.exp(-distance / (2 * 0.2**2)))


def activation(asked: Asked) -> Map:
    """Return the network's own map of the class, what speaks against it cut off."""
    class_map = asked.network.run(asked.pixels).class_activation_map
    assert class_map is not None
    return _enlarged(class_map[:, :, asked.index], len(asked.pixels))


def log_odds(asked: Asked) -> Map:
    """Return what each place of the own map adds to the class's log-odds."""
    return _enlarged(_evidence(asked)[1], len(asked.pixels))


def outweighs(asked: Asked) -> Map:
    """Return the own map where it outweighs the other classes.

    The live view shows it, or nothing where no place adds enough.
    """
    return _enlarged(outweighing(*_evidence(asked)), len(asked.pixels))


def _evidence(asked: Asked) -> tuple[NDArray[np.float32], Map]:
    """Return the class's channel of the own map, and what each place adds to its log-odds."""
    answer = asked.network.run(asked.pixels)
    class_map = answer.class_activation_map
    assert class_map is not None
    probability = probabilities(answer.logits, asked.calibration)
    added = evidence(class_map, asked.index, probability, asked.calibration.temperature)
    return class_map[:, :, asked.index], added


def occlusion_passes(side: int) -> int:
    """Return how often occlusion runs the network."""
    patch, stride = _occlusion_grid(side)
    return len(range(1 - patch + stride, side, stride)) ** 2 + 1


def _occlusion_grid(side: int) -> tuple[int, int]:
    return side // 4, side // 12


def occlusion(asked: Asked) -> Map:
    """Return by how much the class falls where a patch hides the picture."""
    patch, stride = _occlusion_grid(len(asked.pixels))
    run = asked.network.run
    found = occlusion_map(
        asked.pixels, CODES[asked.index], lambda p: run(p).logits, patch, stride
    )  # fmt: skip
    return found.values.astype(np.float64)


def rise(asked: Asked) -> Map:
    """Return what the held picture shows: the mean of random masks, weighed by the class."""
    run = asked.network.run
    by = asked.saliency
    found = rise_map(asked.pixels, CODES[asked.index], lambda p: run(p).logits, by.masks, by.cells)
    return found.values.astype(np.float64)


class Inside:
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


class FloatMaps:
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
