"""Where in the image the model found its reason."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.diagnoses import CODES, Code
from device.inference.finding import SaliencyMap

MIN_EVIDENCE: Final = 0.1
"""In units of log-odds: what moves the odds by less than a tenth anywhere speaks for nothing. An
int8 network's own steps are half of that, and would fill the scale of colours all the same."""

FULL_EVIDENCE: Final = 3.0
"""In units of log-odds: what raises the odds twentyfold fills the scale of colours. It is one scale
for all diagnoses, so that less evidence has less colour."""

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
        The mean loss of log-odds over the patches that cover a pixel, where positive, on the scale
        of `FULL_EVIDENCE`; empty where it never reaches `MIN_EVIDENCE`.
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
    mean_loss = loss / np.maximum(covered, 1.0)
    # A patch takes what all of its pixels add.
    evidence = _positive_sum(mean_loss) / patch**2
    return SaliencyMap(code, _scaled(mean_loss, evidence), "occlusion")


def rise_map(
    pixels: NDArray[np.uint8], code: Code, logits: Logits, masks: int, cells: int
) -> SaliencyMap:
    """Cover the image by random masks, and see where uncovering it gains the diagnosis.

    The masks are those of RISE (Petsiuk et al. 2018, arXiv:1806.07421): coarse grids of which half
    of the cells are open, enlarged with soft edges and shifted by a part of a cell. They are drawn
    from one seed, so that a picture always has the same map.

    Parameters
    ----------
    pixels, code, logits
        As in `occlusion_map`.
    masks
        How many; each is a pass of the network.
    cells
        To a side.

    Returns
    -------
    SaliencyMap
        The mean log-odds under the masks that show a pixel, less the mean under those that cover
        it, where positive, on the scale of `FULL_EVIDENCE`; empty where it never reaches
        `MIN_EVIDENCE`, nor three of the standard errors that so many masks leave by chance.
    """
    index = CODES.index(code)
    height, width = pixels.shape[:2]
    fill = np.median(pixels.reshape(-1, 3), axis=0).astype(np.float32)
    apart = pixels - fill
    random = np.random.default_rng(0)
    rows, columns = -(-height // cells), -(-width // cells)
    enlarged = ((cells + 1) * columns, (cells + 1) * rows)
    shown = np.zeros((height, width), np.float64)
    weighted = np.zeros((height, width), np.float64)
    total = squares = 0.0
    for _ in range(masks):
        grid = (random.random((cells + 1, cells + 1)) < 0.5).astype(np.float32)
        wide = cv2.resize(grid, enlarged, interpolation=cv2.INTER_LINEAR)
        top, left = random.integers(rows), random.integers(columns)
        mask = wide[top : top + height, left : left + width]
        odds = _log_odds(logits(np.rint(fill + mask[:, :, None] * apart).astype(np.uint8)), index)
        shown += mask
        weighted += odds * mask
        total += odds
        squares += odds * odds
    covered = np.maximum(masks - shown, np.finfo(np.float32).eps)
    shown = np.maximum(shown, np.finfo(np.float32).eps)
    gained = weighted / shown - (total - weighted) / covered
    spread = np.sqrt(max(squares / masks - (total / masks) ** 2, 0.0))
    # Of the difference of the means of two halves.
    error = 2.0 * spread / np.sqrt(masks)
    # A cell gains what all of its pixels add.
    evidence = _positive_sum(gained) / (rows * columns)
    return SaliencyMap(code, _scaled(gained, evidence, max(MIN_EVIDENCE, 3.0 * error)), "rise")


def activation_map(
    class_activation_map: NDArray[np.float32],
    code: Code,
    probability: NDArray[np.float64],
    temperature: float,
) -> SaliencyMap:
    """Return where the network's own map speaks for a diagnosis rather than for others.

    Empty where a place never adds `MIN_EVIDENCE` to the diagnosis's log-odds
    (`log_odds_contribution`); otherwise `weighted_activation`, on the scale of `FULL_EVIDENCE`.
    """
    index = CODES.index(code)
    added = log_odds_contribution(class_activation_map, index, probability, temperature)
    if added.max() < MIN_EVIDENCE:
        values = np.zeros(added.shape, np.float32)
    else:
        shown = weighted_activation(class_activation_map[:, :, index], added)
        values = _scaled(shown, _positive_sum(added), 0.0)
    return SaliencyMap(code, values, "class-activation-map")


def weighted_activation(
    channel: NDArray[np.float32], added: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a diagnosis's channel of the map, where it outweighs the other diagnoses.

    The channel tells better than what places add which of them the diagnosis rests on, and better
    still without those where others weigh more (the model's card compares the three). A place
    that adds less than `MIN_EVIDENCE` counts by that part of it.

    Parameters
    ----------
    channel
        float32, (rows, columns).
    added
        What each place adds to the log-odds: float64, (rows, columns); see `log_odds_contribution`.

    Returns
    -------
    numpy.ndarray
        float64, (rows, columns), nowhere negative.
    """
    weight = np.clip(added / MIN_EVIDENCE, 0.0, 1.0)
    shown: NDArray[np.float64] = weight * np.maximum(channel, 0.0)
    # A network may say what it says by values that are all negative.
    return shown if shown.flat[added.argmax()] > 0.0 else np.maximum(added, 0.0)


def log_odds_contribution(
    class_activation_map: NDArray[np.float32],
    index: int,
    probability: NDArray[np.float64],
    temperature: float,
) -> NDArray[np.float64]:
    """Return what each place adds to the log-odds of a diagnosis, to first order.

    The logits are the means of the map's channels, so a place adds its value over the number of
    places. What it adds to the other diagnoses counts against it, each by its share of what is
    left of the probability: beside a naevus of 96 %, a place speaks for melanoma only where it
    does so more than for the naevus.

    Parameters
    ----------
    class_activation_map
        float32, (rows, columns, 7).
    index
        The diagnosis, by its place in `device.diagnoses.CODES`.
    probability
        The finding's: float64, (7,).
    temperature
        That the logits are divided by.

    Returns
    -------
    numpy.ndarray
        float64, (rows, columns).
    """
    added = class_activation_map.astype(np.float64) / class_activation_map[:, :, 0].size
    weights = np.maximum(probability, np.finfo(np.float64).tiny)
    weights[index] = 0.0
    others: NDArray[np.float64] = added @ (weights / weights.sum())
    return (added[:, :, index] - others) / temperature


def _positive_sum(values: NDArray[np.float64]) -> float:
    return float(np.maximum(values, 0.0).sum())


def _scaled(
    values: NDArray[np.float64], evidence: float, least: float = MIN_EVIDENCE
) -> NDArray[np.float32]:
    """Return what is positive, its highest as high as all of it is evidence: 1 at most."""
    positive = np.maximum(values, 0.0)
    highest = positive.max()
    if highest < least or highest <= 0.0:
        return np.zeros(values.shape, np.float32)
    strength = min(1.0, evidence / FULL_EVIDENCE)
    return np.asarray(positive * (strength / highest), np.float32)


def _log_odds(logits: NDArray[np.float32], index: int) -> float:
    others = np.delete(logits.astype(np.float64), index)
    return float(logits[index] - np.logaddexp.reduce(others))


def _surrounding_colour(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the median colour of the image's rim: skin, where a lesion is centred."""
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return np.asarray(np.median(rim, axis=0), np.uint8)
