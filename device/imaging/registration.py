"""Two pictures of one lesion, laid over each other by what both show of the skin.

Features are matched (SIFT, Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94), and the similarity
that most of them agree on is found (RANSAC): a dermatoscope is moved, turned and held nearer, and
bends nothing. Where too few agree, the two are not laid over each other, and it is told why.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

WORKING_SIDE: Final = 420
"""Features are looked for in a field of view reduced to this side, in pixels."""

_FEATURES: Final = 1500
_CONTRAST: Final = 0.02
"""Of a feature, in grey levels from 0 to 1: half of what is usual, as skin is smooth."""

_RATIO: Final = 0.8
"""How much nearer its match must be to a feature than the next best one (Lowe 2004)."""

_FEWEST_FEATURES: Final = 24
_FEWEST_AGREEING: Final = 12
_APART: Final = 4.0
"""Pixels of `WORKING_SIDE` by which features that agree may miss each other."""

_SPREAD: Final = 0.08
"""Of the side, across the narrower direction: features on one spot or line fix no rotation."""

_LARGEST_SCALE: Final = 1.6
_SEED: Final = 17


class Refusal(StrEnum):
    """Why two pictures are not laid over each other.

    ``featureless``: one shows too little to hold on to: out of focus, or bare skin. ``unlike``:
    they do not show the same skin, as far as can be seen. ``magnified``: they do, but too
    differently in size to be compared.
    """

    FEATURELESS = "featureless"
    UNLIKE = "unlike"
    MAGNIFIED = "magnified"


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """How the later picture lies on the earlier one.

    Attributes
    ----------
    matrix
        float64, (2, 3): from the later picture to the earlier one, both in parts of their sides.
    agreeing
        Features that agree on it.
    error
        By how much those miss each other, as root mean square in parts of the side.
    """

    matrix: NDArray[np.float64]
    agreeing: int
    error: float

    @property
    def scale(self) -> float:
        """How much larger the skin is in the earlier picture than in the later one."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    @property
    def turn(self) -> float:
        """By how many degrees the later picture is turned to lie on the earlier one."""
        return float(np.degrees(np.arctan2(self.matrix[1, 0], self.matrix[0, 0])))


def register(earlier: NDArray[np.uint8], later: NDArray[np.uint8]) -> Registration | Refusal:
    """Return how the later of two pictures lies on the earlier one, or why that is not told.

    Parameters
    ----------
    earlier, later
        Fields of view: uint8, (side, side, 3), RGB; each may have a side of its own.
    """
    found = [_features(picture) for picture in (earlier, later)]
    if any(len(points) < _FEWEST_FEATURES for points, _ in found):
        return Refusal.FEATURELESS
    (points, descriptions), (later_points, later_descriptions) = found
    pairs = _matches(later_descriptions, descriptions)
    if len(pairs) < _FEWEST_AGREEING:
        return Refusal.UNLIKE
    start, end = later_points[pairs[:, 0]], points[pairs[:, 1]]
    cv2.setRNGSeed(_SEED)
    matrix, mask = cv2.estimateAffinePartial2D(
        start, end, method=cv2.RANSAC, ransacReprojThreshold=_APART, maxIters=4000,
        confidence=0.999,
    )  # fmt: skip
    agree = np.zeros(len(pairs), bool) if mask is None else mask[:, 0].astype(bool)
    if matrix is None or agree.sum() < _FEWEST_AGREEING or _narrow(start[agree]):
        return Refusal.UNLIKE
    missed = start[agree] @ matrix[:, :2].T + matrix[:, 2] - end[agree]
    error = float(np.sqrt((missed**2).sum(axis=1).mean())) / WORKING_SIDE
    parts = np.asarray(matrix, np.float64) / np.array([1.0, 1.0, WORKING_SIDE])
    registration = Registration(parts, int(agree.sum()), error)
    if not 1 / _LARGEST_SCALE < registration.scale < _LARGEST_SCALE:
        return Refusal.MAGNIFIED
    return registration


def laid_over(registration: Registration, later: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the later picture as it lies on the earlier one; black where it shows nothing.

    Parameters
    ----------
    registration
        As `register` returns it.
    later
        The later field of view: uint8, (its side, its side, 3), RGB.
    side
        Of the picture that is returned, in pixels.
    """
    to_pixels = registration.matrix * np.array([side / len(later), side / len(later), side])
    laid = cv2.warpAffine(later, to_pixels, (side, side), flags=cv2.INTER_AREA)
    return np.asarray(laid, np.uint8)


def _features(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where features are, in pixels of `WORKING_SIDE`, and what each looks like."""
    how = cv2.INTER_AREA if len(picture) > WORKING_SIDE else cv2.INTER_LINEAR
    small = cv2.resize(picture, (WORKING_SIDE, WORKING_SIDE), interpolation=how)
    # Pigment shows most in green; the light of two visits is never the same.
    grey = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(6, 6)).apply(small[:, :, 1])
    sift = cv2.SIFT.create(nfeatures=_FEATURES, contrastThreshold=_CONTRAST)
    points, descriptions = sift.detectAndCompute(grey, _within_the_stop())
    if not points:
        return np.empty((0, 2), np.float32), np.empty((0, 128), np.float32)
    # As RootSIFT (Arandjelovic and Zisserman 2012), which tells more of them apart.
    share = descriptions / np.maximum(descriptions.sum(axis=1, keepdims=True), 1e-6)
    places = np.asarray(cv2.KeyPoint.convert(points), np.float32)
    return places, np.sqrt(share).astype(np.float32)


def _within_the_stop() -> NDArray[np.uint8]:
    """Return a mask of the round part of a field: the optics' edge is at the same place always."""
    mask = np.zeros((WORKING_SIDE, WORKING_SIDE), np.uint8)
    cv2.circle(mask, (WORKING_SIDE // 2, WORKING_SIDE // 2), round(0.47 * WORKING_SIDE), 255, -1)
    return mask


def _matches(descriptions: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return pairs of features that are each other's nearest, and far nearer than the next."""
    near = cv2.BFMatcher().knnMatch(descriptions, others, k=2)
    back = {m.queryIdx: m.trainIdx for (m, *_) in cv2.BFMatcher().knnMatch(others, descriptions, 1)}
    pairs = [
        (best.queryIdx, best.trainIdx)
        for best, second in near
        if best.distance < _RATIO * second.distance and back.get(best.trainIdx) == best.queryIdx
    ]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _narrow(points: NDArray[np.float32]) -> bool:
    """Return whether points lie on one spot or along one line."""
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[-1] / np.sqrt(len(points)) < _SPREAD * WORKING_SIDE)
