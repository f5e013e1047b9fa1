"""The same lesion published twice: images of two sources that look alike.

A clinic's pictures were often published more than once, under other names, cropped or in another
size. One that trains must not also test.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from build_host.datasets.split import Split

SIDE: Final = 96
"""Side in pixels of the pictures that are compared: what details are depends on it."""

ALIKE: Final = 0.6
"""Correlation of the details from which two pictures are taken for one. Of 27,111 images of four
collections, all pairs above 0.8 and none below 0.65 are one lesion, in other colours or cropped;
what lies between are small round naevi too, which the training part can spare."""

_CANDIDATE: Final = 0.93
"""Correlation of small pictures from which details are compared: round lesions on plain skin reach
0.97 without being one."""

_SIDE: Final = 24
CROPS: Final = (1.0, 0.93, 0.87, 0.81, 0.75, 0.7, 0.66, 0.61, 0.57)
"""Sizes of a part that is compared with a whole."""

_BLOCK: Final = 2048


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two images of different sources that look alike: rows of a dataset, and how much."""

    first: int
    second: int
    correlation: float


def find_look_alikes(
    images: NDArray[np.uint8], sources: NDArray[np.int64], rows: NDArray[np.int64]
) -> list[LookAlike]:
    """Return which images look like one of `rows` of another source.

    Small pictures are compared by normalised correlation, as they are and with either cropped to
    one of several sizes about its middle; of those that correlate, the details.

    Parameters
    ----------
    images
        What a model is shown of each: uint8, (n, `SIDE`, `SIDE`, 3), RGB.
    sources
        Source of each: int64, (n,).
    rows
        The images that others are compared with, such as those that test: int64, (m,).
    """
    plain = _descriptors(images, np.arange(len(images)), 1.0)
    found: set[tuple[int, int]] = set()
    for crop in CROPS:
        ours = _descriptors(images, rows, crop)
        _compare(plain, np.arange(len(images)), ours, rows, sources, found)
        if crop != 1.0:
            cropped = _descriptors(images, np.arange(len(images)), crop)
            _compare(cropped, np.arange(len(images)), plain[rows], rows, sources, found)
    alike = []
    for first, second in sorted(found):
        correlation = correlation_of_details(images[first], images[second])
        if correlation >= ALIKE:
            alike.append(LookAlike(first, second, correlation))
    return alike


def correlation_of_details(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return how much the details of two pictures agree where they agree best, -1 to 1.

    Either may be a part of the other, of any size in `CROPS`, wherever in it.

    Parameters
    ----------
    one, other
        uint8, (side, side, 3), RGB, of one size.
    """
    best = -1.0
    for whole, part in ((one, other), (other, one)):
        within = _details(whole)
        for crop in CROPS:
            side = round(crop * len(part))
            edge = side // 12
            small = _details(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA))
            inner = small[edge : side - edge, edge : side - edge]
            best = max(best, float(cv2.matchTemplate(within, inner, cv2.TM_CCOEFF_NORMED).max()))
    return best


def _details(pixels: NDArray[Any]) -> NDArray[np.float32]:
    grey = cv2.cvtColor(pixels.astype(np.uint8, copy=False), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), 2.5), np.float32)


def look_alikes_in_training(
    split: Split, images: NDArray[np.uint8], sources: NDArray[np.int64]
) -> list[LookAlike]:
    """Return which training images look like one of another source that validates or tests.

    Parameters
    ----------
    images, sources
        As in `find_look_alikes`.

    Returns
    -------
    list of LookAlike
        The first of each is the image that trains.
    """
    others = np.concatenate([split.validation, split.test])
    training = set(split.train.tolist())
    return [p for p in find_look_alikes(images, sources, others) if p.first in training]


def _descriptors(
    images: NDArray[np.uint8], rows: NDArray[np.int64], crop: float
) -> NDArray[np.float32]:
    """Return small pictures without their mean colours, of length 1: float32, (m, k)."""
    side = images.shape[1]
    edge = round(side * (1 - crop) / 2)
    small = np.empty((len(rows), _SIDE, _SIDE, 3), np.float32)
    for place, row in enumerate(rows):
        part = images[row, edge : side - edge, edge : side - edge]
        small[place] = cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    small -= small.mean(axis=(1, 2), keepdims=True)
    flat = small.reshape(len(rows), -1)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return flat


def _compare(
    theirs: NDArray[np.float32],
    their_rows: NDArray[np.int64],
    ours: NDArray[np.float32],
    our_rows: NDArray[np.int64],
    sources: NDArray[np.int64],
    found: set[tuple[int, int]],
) -> None:
    for start in range(0, len(theirs), _BLOCK):
        block = theirs[start : start + _BLOCK] @ ours.T
        block_rows = their_rows[start : start + _BLOCK]
        block[sources[block_rows][:, None] == sources[our_rows][None, :]] = 0.0
        for i, j in np.argwhere(block >= _CANDIDATE):
            found.add((int(block_rows[i]), int(our_rows[j])))
