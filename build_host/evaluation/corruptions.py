"""Known corruptions of dermoscopic images, each of a given amount.

In the manner of common corruptions (Hendrycks & Dietterich 2019, arXiv:1903.12261), but with what
goes wrong with a dermatoscope. Every function takes and returns an image of any size, uint8,
(height, width, 3), RGB, and leaves the one that it is given alone. Fractions of a side are of the
image's shorter one.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_GLARE_SPOTS = 12
_HAIRS = 12


def gaussian_blur(pixels: Pixels, sigma: float) -> Pixels:
    """Return an image out of focus; `sigma` is a fraction of a side."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), max(sigma * _side(pixels), 0.01)), np.uint8)


def brightness(pixels: Pixels, factor: float) -> Pixels:
    """Return an image under more light, or less."""
    return np.asarray(np.clip(pixels * factor, 0, 255), np.float64).astype(np.uint8)


def gaussian_noise(pixels: Pixels, sigma: float, random: np.random.Generator) -> Pixels:
    """Return an image with noise; `sigma` in grey levels."""
    noisy = pixels + random.normal(0.0, sigma, pixels.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def glare(pixels: Pixels, share: float, random: np.random.Generator) -> Pixels:
    """Return an image with specular highlights on about that share of it."""
    corrupted = pixels.copy()
    height, width = pixels.shape[:2]
    for _ in range(_GLARE_SPOTS):
        radius = math.sqrt(share * height * width / (_GLARE_SPOTS * math.pi))
        long = radius * random.uniform(1.0, 1.8)
        axes = (max(round(long), 1), max(round(radius * radius / long), 1))
        centre = (int(random.integers(0, width)), int(random.integers(0, height)))
        angle = float(random.uniform(0, 180))
        cv2.ellipse(corrupted, centre, axes, angle, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
    return corrupted


def dark_side(pixels: Pixels, share: float, random: np.random.Generator) -> Pixels:
    """Return an image whose left or right part is black, as where the plate has lost contact."""
    corrupted = pixels.copy()
    corrupted[:, : round(share * pixels.shape[1])] = 0
    return corrupted if random.random() < 0.5 else np.ascontiguousarray(corrupted[:, ::-1])


def shift(pixels: Pixels, distance: float, random: np.random.Generator) -> Pixels:
    """Return an image moved in a random direction; `distance` in half sides."""
    angle = random.uniform(0, 2 * math.pi)
    moved = distance * _side(pixels) / 2
    matrix = np.array([[1.0, 0.0, moved * math.cos(angle)], [0.0, 1.0, moved * math.sin(angle)]])
    height, width = pixels.shape[:2]
    shifted = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(shifted, np.uint8)


def fade(pixels: Pixels, share: float) -> Pixels:
    """Return an image that has lost that share of its contrast with the skin at the rim."""
    rim = np.concatenate([pixels[:3].reshape(-1, 3), pixels[-3:].reshape(-1, 3)])
    skin = np.median(rim, axis=0)
    faded = np.clip(skin + (1.0 - share) * (pixels - skin), 0, 255)
    return np.asarray(faded, np.float64).astype(np.uint8)


def motion_blur(pixels: Pixels, distance: float, random: np.random.Generator) -> Pixels:
    """Return an image blurred along a line, whose length `distance` is a fraction of a side.

    As a shutter does that is open from one frame to the next, at that motion between the two.
    """
    length = max(round(distance * _side(pixels)), 1)
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    angle = random.uniform(0, math.pi)
    half = (length / 2 * math.cos(angle), length / 2 * math.sin(angle))
    ends = [(round(length + sign * half[0]), round(length + sign * half[1])) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.uint8)


def hairs(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """Return an image with a dozen dark hairs drawn on it."""
    corrupted = pixels.copy()
    height, width = pixels.shape[:2]
    for _ in range(_HAIRS):
        start = random.uniform(0, (width, height))
        heading, bend = random.uniform(0, 2 * np.pi), random.uniform(-0.8, 0.8)
        along = np.linspace(0, random.uniform(0.3, 0.8) * width, 24)
        angle = heading + bend * along / width
        line = start + np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1) * along[1], axis=0)
        colour = random.integers(15, 70, 1).repeat(3) * np.array([1.0, 0.75, 0.65])
        cv2.polylines(
            corrupted, [line.astype(np.int32)], False, colour.tolist(),
            int(random.integers(1, 3)), cv2.LINE_AA,
        )  # fmt: skip
    return corrupted


def _side(pixels: Pixels) -> int:
    return int(min(pixels.shape[:2]))
