"""Saliency maps to compare: the shipped model's own, model-agnostic ones, and blind baselines.

All are float64, (side, side), at the size of the model's input, and nowhere negative.
"""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from device.diagnoses import CODES
from device.imaging.preprocessing import (
    InputSpec,
    dihedral_views,
    scale_pixels,
    scale_table,
)
from device.inference.analyzer import mean_over_views
from device.inference.calibration import probabilities
from device.inference.network import Network, quantize
from device.inference.runtimes import installed_runtime
from device.inference.saliency import (
    log_odds_contribution,
    occlusion_map,
    rise_map,
    weighted_activation,
)
from device.models.network_spec import Calibration, NetworkSpec, Saliency

Pixels = NDArray[np.uint8]
Map = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Explained:
    """An image and the diagnosis to explain, with the network that predicts it.

    Attributes
    ----------
    pixels
        The model's input before scaling: uint8, (side, side, 3), RGB.
    index
        The diagnosis, as an index into `device.diagnoses.CODES`.
    network
        The bundle's.
    calibration, saliency
        Of the bundle's manifest.
    seed
        Of the random map.
    """

    pixels: Pixels
    index: int
    network: Network
    calibration: Calibration
    saliency: Saliency
    seed: int

    def views(self) -> tuple["Explained", ...]:
        """Return it in its eight flips and rotations."""
        return tuple(replace(self, pixels=view) for view in dihedral_views(self.pixels))


def _enlarged(values: NDArray[Any], side: int) -> Map:
    wide = cv2.resize(values.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.maximum(wide, 0.0).astype(np.float64)


def random_map(explained: Explained) -> Map:
    """Return noise: the baseline of chance."""
    return np.random.default_rng(explained.seed).random(explained.pixels.shape[:2])


def centre_map(explained: Explained) -> Map:
    """Return a blob in the middle, where most lesions are: the baseline that sees no image."""
    along = (np.arange(len(explained.pixels)) + 0.5) / len(explained.pixels) - 0.5
    distance = along[:, None] ** 2 + along[None, :] ** 2
    return np.asarray(np.exp(-distance / (2 * 0.2**2)))


def class_activation_map(explained: Explained) -> Map:
    """Return the network's class activation map, without its negative values."""
    class_map = explained.network.run(explained.pixels).class_activation_map
    assert class_map is not None
    return _enlarged(class_map[:, :, explained.index], len(explained.pixels))


def log_odds_map(explained: Explained) -> Map:
    """Return what each place of the class activation map adds to the class's log-odds."""
    return _enlarged(_evidence(explained)[1], len(explained.pixels))


def outweighing_map(explained: Explained) -> Map:
    """Return the class activation map where it outweighs those of the other classes.

    This is the map of the live view, which shows nothing where no place adds enough.
    """
    return _enlarged(weighted_activation(*_evidence(explained)), len(explained.pixels))


def mean_outweighing_map(explained: Explained) -> Map:
    """Return the same of the mean over the eight views, each turned back.

    This is the map of a captured picture, whose probabilities are that mean's.
    """
    return _enlarged(weighted_activation(*_evidence(explained, 8)), len(explained.pixels))


def _evidence(explained: Explained, views: int = 1) -> tuple[NDArray[np.float32], Map]:
    """Return the class's channel of the map, and what each place adds to its log-odds."""
    answer = mean_over_views(explained.network, dihedral_views(explained.pixels)[:views])
    class_map = answer.class_activation_map
    assert class_map is not None
    probability = probabilities(answer.logits, explained.calibration)
    added = log_odds_contribution(
        class_map, explained.index, probability, explained.calibration.temperature
    )
    return class_map[:, :, explained.index], added


def occlusion_passes(side: int) -> int:
    """Return how many passes of the network `occlusion_sensitivity` takes."""
    patch, stride = _occlusion_grid(side)
    return len(range(1 - patch + stride, side, stride)) ** 2 + 1


def _occlusion_grid(side: int) -> tuple[int, int]:
    return side // 4, side // 12


def occlusion_sensitivity(explained: Explained) -> Map:
    """Return by how much the class's log-odds fall where a patch covers the image."""
    patch, stride = _occlusion_grid(len(explained.pixels))
    run = explained.network.run
    found = occlusion_map(
        explained.pixels, CODES[explained.index], lambda p: run(p).logits, patch, stride
    )  # fmt: skip
    return found.values.astype(np.float64)


def rise(explained: Explained) -> Map:
    """Return the map of a captured picture: the mean of random masks, weighted by the class."""
    run = explained.network.run
    settings = explained.saliency
    found = rise_map(
        explained.pixels,
        CODES[explained.index],
        lambda p: run(p).logits,
        settings.masks,
        settings.cells,
    )
    return found.values.astype(np.float64)


class EigenCam:
    """Eigen-CAM on the last features of an int8 file (Muhammad & Yeasin 2020, arXiv:2008.00299).

    Parameters
    ----------
    model
        The ``.tflite`` file; the features are none of its outputs.
    spec
        Of the network.
    """

    def __init__(self, model: bytes, spec: NetworkSpec) -> None:
        with warnings.catch_warnings():
            # It warns of the memory that this takes.
            warnings.simplefilter("ignore", UserWarning)
            self._interpreter = Interpreter(
                model_content=model, experimental_preserve_all_tensors=True
            )
        self._interpreter.allocate_tensors()
        self._table = quantize(scale_table(spec.input), spec.input_tensor)
        class_map = spec.outputs.class_activation_map
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
        # The runtime numbers tensors in the order in which it computes them.
        self._features = max(features, key=lambda d: int(d["index"]))

    def map_of(self, pixels: Pixels) -> Map:
        """Return the first principal component of the features.

        Parameters
        ----------
        pixels
            The model's input before scaling: uint8, (side, side, 3), RGB.
        """
        self._interpreter.set_tensor(
            self._interpreter.get_input_details()[0]["index"], self._table[pixels][None]
        )
        self._interpreter.invoke()
        scale, zero = self._features["quantization"]
        values = self._interpreter.get_tensor(self._features["index"])[0].astype(np.float64)
        flat = ((values - zero) * scale).reshape(-1, values.shape[-1])
        flat = flat - flat.mean(axis=0)
        along = flat @ np.linalg.svd(flat, full_matrices=False)[2][0]
        # A component has no sign: what stands out is taken to be the smaller part.
        along = along if (along > 0).mean() <= 0.5 else -along
        return _enlarged(along.reshape(values.shape[:2]), len(pixels))


class FloatActivationMaps:
    """The class activation maps of the network before quantization.

    Parameters
    ----------
    model
        Its float ``.tflite`` file.
    spec
        What both are shown.
    """

    def __init__(self, model: bytes, spec: InputSpec) -> None:
        self._interpreter = installed_runtime().load(model, 1)
        self._spec = spec
        self._map = next(
            d for d in self._interpreter.get_output_details() if len(d["shape"]) == 4
        )  # fmt: skip

    def map_of(self, pixels: Pixels, index: int) -> Map:
        """Return the map of one class, enlarged to the input.

        Parameters
        ----------
        pixels
            The model's input before scaling: uint8, (side, side, 3), RGB.
        index
            The class, as an index into `device.diagnoses.CODES`.
        """
        given = self._interpreter.get_input_details()[0]["index"]
        self._interpreter.set_tensor(given, scale_pixels(pixels, self._spec)[None])
        self._interpreter.invoke()
        class_map = self._interpreter.get_tensor(self._map["index"])[0]
        return _enlarged(class_map[:, :, index], len(pixels))
