"""A ``.tflite`` file measured as it is: its predictions, its size, its speed."""

import gzip
import time
from statistics import median

import msgspec
import numpy as np
from numpy.typing import NDArray

from device.inference.bundle import Bundle
from device.inference.interpreter import Network

_ROUNDS = 100


class Sizes(msgspec.Struct, frozen=True):
    """Bytes of the model file, as it is and after ``gzip -9``."""

    bytes: int
    gzip_bytes: int


def logits_of(
    bundle: Bundle, images: NDArray[np.uint8], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the logits of some images, as the model is shown them: float32, (n, 7).

    Parameters
    ----------
    images
        uint8, (all, height, width, 3); a memory map is read image by image.
    rows
        Which of them: int64, (n,).
    """
    network = Network(bundle)
    return np.array([network.run(np.asarray(images[row])).logits for row in rows])


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return uncalibrated probabilities: float64, (n, 7)."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def sizes(content: bytes) -> Sizes:
    """Return the bytes of a file, as it is and after ``gzip -9``."""
    return Sizes(len(content), len(gzip.compress(content, 9, mtime=0)))


def latency_ratio(bundle: Bundle, reference: Bundle, pixels: NDArray[np.uint8]) -> float:
    """Return the median time of one run against that of a reference, taken in turn."""
    networks = (Network(bundle), Network(reference))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for network, taken in zip(networks, times, strict=True):
            start = time.perf_counter()
            network.run(pixels)
            taken.append(time.perf_counter() - start)
    return median(times[0]) / median(times[1])
