"""Does the model notice what is not a lesion?  Pictures of other things, and how they score."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score

from build_host.datasets.dataset import Dataset
from build_host.datasets.segmentations import read_segmentation
from device.capture.frame import frame_now
from device.inference.analyzer import Analyzer

Pixels = NDArray[np.uint8]

OF_EACH_KIND: Final = 40
_HEIGHT: Final = 450
_WIDTH: Final = 600
_UNLIT: Final = 60
_LEAST_SKIN: Final = 0.4
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


class Unfamiliar(msgspec.Struct, frozen=True):
    """How pictures of one kind are told from lesions.

    Attributes
    ----------
    auroc
        Of the bundle's score against the lesions of the test fold: 1 tells all apart.
    no_call
        Share on which the model makes no call, whatever the quality.
    refused
        Share on which the instrument makes no call, the quality gate included.
    """

    kind: str
    images: int
    auroc: float
    no_call: float
    refused: float


def measure(
    analyzer: Analyzer,
    lesions: Dataset,
    outlines: Path,
    quiet: bool = False,
) -> list[Unfamiliar]:
    """Return how every kind of picture is told from lesions; the first row is the lesions.

    Parameters
    ----------
    lesions
        Images of the test fold.
    outlines
        HAM10000, for the skin beside the lesions.
    """
    known = [_non_defaults(analyzer, lesions.read(r)) for r in lesions.records]
    familiar = [score for score, _, _ in known]
    result = [
        Unfamiliar(
            "lesions of the test fold", len(known), 0.5,
            float(np.mean([doubt for _, doubt, _ in known])),
            float(np.mean([refused for _, _, refused in known])),
        )
    ]  # fmt: skip
    for kind, pictures in track(
        kinds(lesions, outlines).items(), "Other things", disable=quiet
    ):  # fmt: skip
        told = [_non_defaults(analyzer, p) for p in pictures()]
        if not told:
            continue
        truth = [0] * len(familiar) + [1] * len(told)
        scores = [-s for s in familiar] + [-s for s, _, _ in told]
        result.append(
            Unfamiliar(
                kind,
                len(told),
                float(roc_auc_score(truth, scores)),
                float(np.mean([doubt for _, doubt, _ in told])),
                float(np.mean([refused for _, _, refused in told])),
            )
        )
    return result


def _non_defaults(analyzer: Analyzer, pixels: Pixels) -> tuple[float, bool, bool]:
    finding = analyzer.analyze(frame_now(pixels, 0, "picture"))
    score = analyzer.familiarity(pixels)
    return score, finding.doubt is not None, finding.no_call is not None


def kinds(lesions: Dataset, outlines: Path) -> dict[str, Callable[[], Iterator[Pixels]]]:
    """Return what makes the pictures of each kind, the same ones every time."""
    return {
        "skin only": lambda: skin_only(lesions, outlines, OF_EACH_KIND),
        "ruler": lambda: (ruler(n) for n in range(OF_EACH_KIND)),
        "finger": lambda: (finger(n) for n in range(OF_EACH_KIND)),
        "text": lambda: (text(n) for n in range(OF_EACH_KIND)),
        "lesions far out of focus": lambda: blurred(lesions, OF_EACH_KIND),
        "black": lambda: (black(n) for n in range(OF_EACH_KIND)),
        "photographs": lambda: photographs(OF_EACH_KIND),
    }


def skin_only(lesions: Dataset, folder: Path, count: int) -> Iterator[Pixels]:
    """Yield squares of skin beside lesions: the largest in a corner without any of the outline.

    A square of less than two fifths of the frame's short side shows too little, and is left out.
    """
    found = 0
    for record in lesions.records:
        square = _free_corner(lesions.read(record), read_segmentation(folder, record.image_id))
        if square is not None:
            yield square
            found += 1
        if found == count:
            return


def _free_corner(pixels: Pixels, outline: NDArray[np.bool_]) -> Pixels | None:
    height, width = pixels.shape[:2]
    inside = cv2.resize(outline.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    # Dark corners belong to the stop, not to the skin.
    taken = (inside > 0) | (pixels.max(axis=2) < _UNLIT)
    best: Pixels | None = None
    for down in (1, -1):
        for along in (1, -1):
            corner, picture = taken[::down, ::along], pixels[::down, ::along]
            least = len(best) if best is not None else round(_LEAST_SKIN * height) - 1
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
    """Return a ruler that lies on skin, or fills the picture."""
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
    """Return a fingertip with its nail before a dark ground."""
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
    """Return lines of print."""
    random = np.random.default_rng(2000 + seed)
    picture = np.full((_HEIGHT, _WIDTH, 3), random.integers(205, 250), np.uint8)
    size = float(random.uniform(0.6, 1.8))
    letters = list("abcdefghijklmnopqrstuvwxyz     ")
    for y in range(30, _HEIGHT, int(38 * size)):
        line = "".join(random.choice(letters, 60))
        cv2.putText(picture, line, (10, y), _FONT, size, (30, 30, 30), max(1, round(size * 1.5)))
    return picture


def blurred(lesions: Dataset, count: int) -> Iterator[Pixels]:
    """Yield lesions so far out of focus that nothing of them can be told."""
    for record in lesions.records[:count]:
        pixels = lesions.read(record)
        yield np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.12 * min(pixels.shape[:2])), np.uint8)


def black(seed: int) -> Pixels:
    """Return what a covered camera sees."""
    random = np.random.default_rng(3000 + seed)
    noise = random.normal(random.uniform(2, 14), 3, (_HEIGHT, _WIDTH, 3))
    return np.clip(noise, 0, 255).astype(np.uint8)


def photographs(count: int) -> Iterator[Pixels]:
    """Yield parts of the photographs that scikit-image and scikit-learn bring."""
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
