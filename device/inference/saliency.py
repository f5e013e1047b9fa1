"""Where in the image the model found its reason."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.diagnoses import CODES, Code
from device.inference.finding import SaliencyMap

LEAST_EVIDENCE: Final = 0.1
"""In units of log-odds: what moves the odds by less than a tenth anywhere speaks for nothing. An
int8 network's own steps are half of that, and would fill the scale of colours all the same."""

Logits = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def occlusion_map(
    pixels: NDArray[np.uint8], code: Code, logits: Logits, patch: int, stride: int
) -> SaliencyMap:
    """Cover the image patch by patch and see what the diagnosis loses (arXiv:1311.2901).

    Parameters
    ----------
    pixels
        The resized image, uint8, (height, width, 3), RGB.
    code
        The diagnosis to explain.
    logits
        Runs the network on such an image: float32, (7,).
    patch, stride
        Side of the patch and distance between its places, in pixels.

    Returns
    -------
    SaliencyMap
        The mean loss of log-odds over the patches that cover a pixel, where positive, scaled so
        that its highest value is 1; empty where it never reaches `LEAST_EVIDENCE`.
    """
    index = CODES.index(code)
    height, width = pixels.shape[:2]
    reference = _log_odds(logits(pixels), index)
    loss = np.zeros((height, width), np.float64)
    covered = np.zeros((height, width), np.float64)
    fill = _surrounding_colour(pixels)
    for top in range(1 - patch + stride, height, stride):
        rows = slice(max(0, top), top + patch)
        for left in range(1 - patch + stride, width, stride):
            columns = slice(max(0, left), left + patch)
            hidden = pixels.copy()
            hidden[rows, columns] = fill
            loss[rows, columns] += reference - _log_odds(logits(hidden), index)
            covered[rows, columns] += 1.0
    return SaliencyMap(code, _normalised(loss / np.maximum(covered, 1.0)), "occlusion")


def activation_map(class_activation_map: NDArray[np.float32], code: Code) -> SaliencyMap:
    """Return where the network's own map speaks for a diagnosis, and for it rather than others.

    The logits are the means of the map's channels: so what each place adds to a logit is its value
    over the number of places, and what counts is by how much that is more than it adds to the
    others in the mean. Empty where that never reaches `LEAST_EVIDENCE`.

    Parameters
    ----------
    class_activation_map
        float32, (rows, columns, 7).
    """
    added = class_activation_map.astype(np.float64) / class_activation_map[:, :, 0].size
    index = CODES.index(code)
    more = added[:, :, index] - np.delete(added, index, axis=2).mean(axis=2)
    return SaliencyMap(code, _normalised(more), "class-activation-map")


def _normalised(values: NDArray[np.float64]) -> NDArray[np.float32]:
    positive = np.maximum(values, 0.0)
    highest = positive.max()
    if highest < LEAST_EVIDENCE:
        return np.zeros(values.shape, np.float32)
    return np.asarray(positive / highest, np.float32)


def _log_odds(logits: NDArray[np.float32], index: int) -> float:
    others = np.delete(logits.astype(np.float64), index)
    return float(logits[index] - np.logaddexp.reduce(others))


def _surrounding_colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the median colour of the image's rim: skin, where a lesion is centred."""
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return np.asarray(np.median(rim, axis=0), np.uint8)
