"""A ``.tflite`` file measured by itself: its predictions, its size, its latency."""

import gzip
import time
from statistics import median
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from device.inference.network import Network
from device.models.bundle import Bundle

_ROUNDS: Final = 100


class FileSize(msgspec.Struct, frozen=True):
    """Bytes of a file, as it is and after ``gzip -9``."""

    bytes: int
    gzip_bytes: int


def predict_logits(
    bundle: Bundle, images: NDArray[np.uint8], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the logits of some images: float32, (n, 7).

    Parameters
    ----------
    images
        The model's input before scaling: uint8, (all, height, width, 3), RGB; a memory map is
        read image by image.
    rows
        Which of them: int64, (n,).
    """
    network = Network(bundle, bundle.manifest.live)
    return np.array([network.run(np.asarray(images[row])).logits for row in rows])


def file_size(content: bytes) -> FileSize:
    """Return the size of a file with this content."""
    return FileSize(len(content), len(gzip.compress(content, 9, mtime=0)))


def latency_ratio(bundle: Bundle, reference: Bundle, pixels: NDArray[np.uint8]) -> float:
    """Return the median time of a network's run, relative to that of a reference.

    The two take turns, so that a busy machine slows both down.

    Parameters
    ----------
    pixels
        An image of the size that both take: uint8, (height, width, 3), RGB.
    """
    networks = (Network(bundle, bundle.manifest.live), Network(reference, reference.manifest.live))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for network, taken in zip(networks, times, strict=True):
            start = time.perf_counter()
            network.run(pixels)
            taken.append(time.perf_counter() - start)
    return median(times[0]) / median(times[1])
