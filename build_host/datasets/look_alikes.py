"""The same lesion published twice: images of two parts of a split that look alike.

A clinic's pictures were often published more than once, under other names, cropped or in another
size; some collections hold one twice themselves, under two lesions. One that trains must not also
test.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE: Final = 96
"""Side in pixels of the pictures that are compared: what details are depends on it."""

ALIKE: Final = 0.6
"""Correlation of the details from which two pictures are taken for one. Of 27,111 images of four
collections, all pairs above 0.8 and none below 0.65 are one lesion, in other colours or cropped;
what lies between are small round naevi too, which the training part can spare. Of two whole frames
of one collection the bound is the same: of 41 such pairs of HAM10000, MILK10k, BCN20000 and ISIC
2017, 28 are one lesion, all of ISIC 2017's 17 among them, down to 0.66."""

ALIKE_CROPPED: Final = 0.75
"""The same where one is a part of the other, of one collection. Lesions of one kind, taken alike,
look alike at another size: of hundreds of such pairs from 0.6 on hardly any is one lesion, of the
five from 0.75 on three are."""

_CANDIDATE: Final = 0.93
"""Correlation of small pictures from which details are compared: round lesions on plain skin reach
0.97 without being one."""

_CANDIDATE_CROPPED: Final = 0.95
"""The same where one is a part of the other, of one collection."""

_SIDE: Final = 24
CROPS: Final = (1.0, 0.93, 0.87, 0.81, 0.75, 0.7, 0.66, 0.61, 0.57)
"""Sizes of a part that is compared with a whole."""

_BLOCK: Final = 2048
_DIRECTIONS: Final = 96


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two images of different parts that look alike: rows of a dataset, and how much.

    The first is of the earlier part: it trains where the second validates or tests, or validates
    where that tests.
    """

    first: int
    second: int
    correlation: float


def find_look_alikes(
    images: NDArray[np.uint8], sources: NDArray[np.int64], parts: NDArray[np.int64]
) -> list[LookAlike]:
    """Return which images look like one of a later part.

    Small pictures are compared by normalised correlation, as they are and with either cropped to
    one of several sizes about its middle; of those that correlate, the details.

    Parameters
    ----------
    images
        What a model is shown of each: uint8, (n, `SIDE`, `SIDE`, 3), RGB.
    sources
        Source of each: int64, (n,).
    parts
        Part of each: 0 trains, 1 validates, 2 tests, -1 is not compared: int64, (n,).
    """
    earlier, later = np.flatnonzero((parts == 0) | (parts == 1)), np.flatnonzero(parts > 0)
    if not len(earlier) or not len(later):
        return []
    everything = np.arange(len(images))
    plain = _descriptors(images, everything, 1.0)
    projection = _Projection(plain)
    plain_short = projection.shortened(plain)
    bounds: dict[tuple[int, int], float] = {}
    for crop in CROPS:
        cropped = plain if crop == 1.0 else _descriptors(images, everything, crop)
        cropped_short = plain_short if crop == 1.0 else projection.shortened(cropped)
        ways = [(plain, plain_short, cropped, cropped_short)]
        if crop != 1.0:
            ways.append((cropped, cropped_short, plain, plain_short))
        for one, one_short, other, other_short in ways:
            close = _close(one_short, other_short, earlier, later, parts)
            for first, second, product in _correlated(one, other, close):
                if crop == 1.0 or sources[first] != sources[second]:
                    bounds.setdefault((first, second), ALIKE)
                elif product >= _CANDIDATE_CROPPED:
                    bounds.setdefault((first, second), ALIKE_CROPPED)
    pairs = sorted(bounds)

    # A round spot resembles hundreds of others, and its details are drawn out once.
    @lru_cache(maxsize=1024)
    def detailed(row: int) -> _Detailed:
        return _Detailed.of(images[row])

    def agreement(pair: tuple[int, int]) -> float:
        return _agreement(detailed(pair[0]), detailed(pair[1]))

    with ThreadPoolExecutor() as threads:
        return [
            LookAlike(*pair, correlation)
            for pair, correlation in zip(pairs, threads.map(agreement, pairs), strict=True)
            if correlation >= bounds[pair]
        ]


def correlation_of_details(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return how much the details of two pictures agree where they agree best, -1 to 1.

    Either may be a part of the other, of any size in `CROPS`, wherever in it.

    Parameters
    ----------
    one, other
        uint8, (side, side, 3), RGB, of one size.
    """
    return _agreement(_Detailed.of(one), _Detailed.of(other))


@dataclass(frozen=True, slots=True)
class _Detailed:
    """The details of a picture, and of the same in each size that may be a part of another."""

    whole: NDArray[np.float32]
    parts: tuple[NDArray[np.float32], ...]

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> "_Detailed":
        parts = []
        for crop in CROPS:
            side = round(crop * len(pixels))
            edge = side // 12
            small = _details(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA))
            parts.append(small[edge : side - edge, edge : side - edge])
        return cls(_details(pixels), tuple(parts))


def _agreement(one: _Detailed, other: _Detailed) -> float:
    return max(
        float(cv2.matchTemplate(within.whole, part, cv2.TM_CCOEFF_NORMED).max())
        for within, of in ((one, other), (other, one))
        for part in of.parts
    )


def _details(pixels: NDArray[Any]) -> NDArray[np.float32]:
    grey = cv2.cvtColor(pixels.astype(np.uint8, copy=False), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(grey - cv2.GaussianBlur(grey, (0, 0), 2.5), np.float32)


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


class _Projection:
    """Descriptors in few numbers, whose products are never below those of the whole ones.

    They keep what lies in the directions in which pictures differ most, and the length of the rest:
    two rests have a product of at most their lengths' (Cauchy and Schwarz). So few pairs remain
    that whole descriptors are compared of, and none is missed.
    """

    def __init__(self, descriptors: NDArray[np.float32]) -> None:
        sample = descriptors[:: max(1, len(descriptors) // (2 * _DIRECTIONS))]
        self._directions = np.linalg.svd(sample, full_matrices=False)[2][:_DIRECTIONS].T

    def shortened(self, descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return them, float32, (n, few)."""
        kept = descriptors @ self._directions
        total = np.einsum("ij,ij->i", descriptors, descriptors)
        rest = np.sqrt(np.maximum(total - np.einsum("ij,ij->i", kept, kept), 0.0))
        return np.concatenate([kept, rest[:, None]], axis=1)


def _close(
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    earlier: NDArray[np.int64],
    later: NDArray[np.int64],
    parts: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return pairs of an earlier and a later row that may correlate: int64, (k, 2)."""
    found = []
    theirs = other[later].T
    for start in range(0, len(earlier), _BLOCK):
        rows = earlier[start : start + _BLOCK]
        # Rounding may take a little off a product that is just high enough.
        close = one[rows] @ theirs >= _CANDIDATE - 1e-4
        some = np.flatnonzero(close.any(axis=1))
        i, j = np.nonzero(close[some])
        pairs = np.stack([rows[some[i]], later[j]], axis=1)
        found.append(pairs[parts[pairs[:, 0]] < parts[pairs[:, 1]]])
    return np.concatenate(found)


def _correlated(
    one: NDArray[np.float32], other: NDArray[np.float32], pairs: NDArray[np.int64]
) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs whose whole descriptors correlate, and how much."""
    for start in range(0, len(pairs), _BLOCK):
        block = pairs[start : start + _BLOCK]
        products = np.einsum("ij,ij->i", one[block[:, 0]], other[block[:, 1]])
        for place in np.flatnonzero(products >= _CANDIDATE):
            yield int(block[place, 0]), int(block[place, 1]), float(products[place])
