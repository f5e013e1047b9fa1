"""Images of other things than lesions: real skin, drawings, and photographs.

All are uint8, (height, width, 3), RGB.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from build_host.datasets.dataset import Dataset
from build_host.datasets.segmentations import read_segmentation
from build_host.evaluation.corruptions import gaussian_blur

Pixels = NDArray[np.uint8]

IMAGES_OF_EACH_KIND: Final = 40
_HEIGHT: Final = 450
_WIDTH: Final = 600
_UNLIT: Final = 60
_MIN_SIDE: Final = 0.4
_OUT_OF_FOCUS: Final = 0.12
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def images_by_kind(lesions: Dataset, data: Path) -> dict[str, Callable[[], Iterator[Pixels]]]:
    """Return a function for each kind of image, which yields the same images every time.

    Parameters
    ----------
    lesions
        Images to cut skin out of, and to blur.
    data
        HAM10000, for the segmentations of these lesions.
    """
    numbers = range(IMAGES_OF_EACH_KIND)
    return {
        "skin only": lambda: skin_only(lesions, data, IMAGES_OF_EACH_KIND),
        "ruler": lambda: (ruler(n) for n in numbers),
        "finger": lambda: (finger(n) for n in numbers),
        "text": lambda: (text(n) for n in numbers),
        "lesions far out of focus": lambda: out_of_focus(lesions, IMAGES_OF_EACH_KIND),
        "black": lambda: (black(n) for n in numbers),
        "photographs": lambda: photographs(IMAGES_OF_EACH_KIND),
    }


def skin_only(lesions: Dataset, data: Path, count: int) -> Iterator[Pixels]:
    """Yield squares of skin beside lesions: the largest in any corner that is free of the lesion.

    A square of less than two fifths of the frame's short side shows too little, and is skipped.
    """
    found = 0
    for record in lesions.records:
        square = _free_corner(lesions.read(record), read_segmentation(data, record.image_id))
        if square is not None:
            yield square
            found += 1
        if found == count:
            return


def _free_corner(pixels: Pixels, lesion: NDArray[np.bool_]) -> Pixels | None:
    height, width = pixels.shape[:2]
    inside = cv2.resize(lesion.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    # Dark corners are the dermatoscope's stop, not skin.
    taken = (inside > 0) | (pixels.max(axis=2) < _UNLIT)
    best: Pixels | None = None
    for down in (1, -1):
        for along in (1, -1):
            corner, picture = taken[::down, ::along], pixels[::down, ::along]
            least = len(best) if best is not None else round(_MIN_SIDE * height) - 1
            for side in range(height, least, -1):
                if not corner[:side, :side].any():
                    best = np.ascontiguousarray(picture[:side, :side])
                    break
    return best


def _skin(random: np.random.Generator) -> Pixels:
    colour = np.array(
        [random.uniform(190, 225), random.uniform(140, 175), random.uniform(125, 155)]
    )
    coarse = random.normal(0, 8, (12, 16)).astype(np.float32)
    uneven = cv2.resize(coarse, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
    fine = random.normal(0, 4, (_HEIGHT, _WIDTH))
    return np.clip(colour + (uneven + fine)[:, :, None], 0, 255).astype(np.uint8)


def ruler(seed: int) -> Pixels:
    """Return a ruler that lies on skin, or fills the image."""
    random = np.random.default_rng(seed)
    picture = _skin(random)
    top = 0 if seed % 2 else int(random.integers(60, 200))
    bottom = _HEIGHT if seed % 2 else top + int(random.integers(120, 220))
    picture[top:bottom] = random.integers(200, 250, 3)
    step = float(random.uniform(8, 22))
    for mark in range(int(_WIDTH / step) + 1):
        x = int(mark * step)
        long = 60 if mark % 10 == 0 else 42 if mark % 5 == 0 else 25
        cv2.line(picture, (x, bottom - 1), (x, bottom - long), (20, 20, 20), 2)
        if mark % 10 == 0:
            cv2.putText(picture, str(mark // 10), (x + 4, bottom - 65), _FONT, 0.9, (20, 20, 20), 2)
    return picture


def finger(seed: int) -> Pixels:
    """Return a fingertip with its nail before a dark background."""
    random = np.random.default_rng(1000 + seed)
    picture = np.full((_HEIGHT, _WIDTH, 3), random.integers(10, 90), np.uint8)
    skin = _skin(random)
    shape = np.zeros((_HEIGHT, _WIDTH), np.uint8)
    x, y = int(random.integers(220, 380)), int(random.integers(160, 260))
    wide = int(random.integers(90, 170))
    cv2.ellipse(shape, (x, y), (wide, int(wide * 1.2)), 0, 0, 360, 255, -1)
    cv2.rectangle(shape, (x - wide, y), (x + wide, _HEIGHT), 255, -1)
    picture[shape > 0] = skin[shape > 0]
    nail = tuple(int(v) for v in random.integers(195, 240, 3))
    cv2.ellipse(picture, (x, y - wide // 4), (wide * 3 // 5, wide * 3 // 4), 0, 0, 360, nail, -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.0), np.uint8)


def text(seed: int) -> Pixels:
    """Return lines of printed letters."""
    random = np.random.default_rng(2000 + seed)
    picture = np.full((_HEIGHT, _WIDTH, 3), random.integers(205, 250), np.uint8)
    size = float(random.uniform(0.6, 1.8))
    letters = list("abcdefghijklmnopqrstuvwxyz     ")
    for y in range(30, _HEIGHT, int(38 * size)):
        line = "".join(random.choice(letters, 60))
        cv2.putText(picture, line, (10, y), _FONT, size, (30, 30, 30), max(1, round(size * 1.5)))
    return picture


def out_of_focus(lesions: Dataset, count: int) -> Iterator[Pixels]:
    """Yield lesions so far out of focus that nothing can be recognized."""
    for record in lesions.records[:count]:
        yield gaussian_blur(lesions.read(record), _OUT_OF_FOCUS)


def black(seed: int) -> Pixels:
    """Return the dark noise of a covered camera."""
    random = np.random.default_rng(3000 + seed)
    noise = random.normal(random.uniform(2, 14), 3, (_HEIGHT, _WIDTH, 3))
    return np.clip(noise, 0, 255).astype(np.uint8)


def photographs(count: int) -> Iterator[Pixels]:
    """Yield crops of the photographs that come with scikit-image and scikit-learn."""
    import skimage.data
    from sklearn.datasets import load_sample_images

    whole = [
        skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(),
        skimage.data.rocket(), skimage.data.hubble_deep_field(), *load_sample_images().images,
    ]  # fmt: skip
    random = np.random.default_rng(4000)
    for number in range(count):
        picture = np.asarray(whole[number % len(whole)], np.uint8)[:, :, :3]
        side = int(min(picture.shape[:2]) * random.uniform(0.4, 1.0))
        top = int(random.integers(0, picture.shape[0] - side + 1))
        left = int(random.integers(0, picture.shape[1] - side + 1))
        yield np.ascontiguousarray(picture[top : top + side, left : left + side])
