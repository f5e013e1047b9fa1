"""How much two shots of one day differ: where the figures of `device.inference.change` come from.

``python -m tests.device.imaging.repeat_shots`` with ``DERMASCOPE_HAM10000`` and
``DERMASCOPE_MILK10K`` set prints, of every measure, the difference that 95 in 100 pairs stay below:
of pairs drawn from one picture as two shots of one hand would be, and of real pairs of one lesion.
"""

import argparse
import csv
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from device.config import Config, model_folder
from device.frame import frame_now
from device.imaging.abcd import measure_abcd
from device.imaging.field_of_view import crop, find_field
from device.imaging.lesion import runs_out, segment_lesion
from device.imaging.lesion_colour import colour_beside_skin
from device.imaging.registration import Refusal, register
from device.inference.analyzer import Analyzer
from device.models.bundle import load_bundle

Pixels = NDArray[np.uint8]
Measured = tuple[float, float, float, tuple[float, float, float], float]


def shot(picture: Pixels, random: np.random.Generator) -> Pixels:
    """Return a picture as the same hand would take it again a minute later.

    Turned by up to 25 degrees and moved by up to 5 % of the side, nearer or farther by 2 % as the
    plate presses on the skin, light 6 % and each channel 2 % brighter or darker, a little out of
    focus, with the sensor's noise, and compressed as a camera does.
    """
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D(
        (width / 2, height / 2), random.uniform(-25, 25), 1 + random.normal(0, 0.01)
    )
    turn[:, 2] += random.uniform(-0.05, 0.05, 2) * min(height, width)
    moved = cv2.warpAffine(
        picture, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    light = (1 + random.normal(0, 0.03)) * (1 + random.normal(0, 0.01, 3))
    blurred = cv2.GaussianBlur(moved, (0, 0), random.uniform(0.3, 0.8))
    noisy = blurred * light + random.normal(0, 2.0, picture.shape)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(85, 96))]
    _, jpeg = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), quality)
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def measured(picture: Pixels, analyzer: Analyzer | None) -> Measured | None:
    field = crop(picture, find_field(picture))
    lesion = segment_lesion(field)
    if lesion is None or runs_out(lesion):
        return None
    abcd = measure_abcd(field, lesion)
    malignancy = 0.5
    if analyzer is not None:
        frame = frame_now(picture, 0, "")
        malignancy = analyzer.analyze(frame, as_captured=True).malignancy
    colour = colour_beside_skin(field, lesion)
    return abcd.area, abcd.diameter, abcd.asymmetry_index, colour, malignancy


def differences(one: Measured, other: Measured, scale: float = 1.0) -> tuple[float, ...]:
    """Return by how much two shots differ, by measure; lengths of the second are scaled."""
    clipped = [min(max(m[4], 0.001), 0.999) for m in (one, other)]
    logits = [np.log(p / (1 - p)) for p in clipped]
    return (
        abs(float(np.log(one[0] / (other[0] * scale**2)))),
        abs(float(np.log(one[1] / (other[1] * scale)))),
        abs(one[2] - other[2]),
        float(np.linalg.norm(np.subtract(one[3], other[3]))),
        abs(float(logits[0] - logits[1])),
    )


def load(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def drawn(paths: Sequence[Path], analyzer: Analyzer) -> Iterator[tuple[float, ...]]:
    random = np.random.default_rng(29)
    for path in paths:
        picture = load(path)
        one, other = (measured(shot(picture, random), analyzer) for _ in range(2))
        if one and other:
            yield differences(one, other)


def real(folder: Path, most: int) -> Iterator[tuple[float, ...]]:
    """Yield how pairs of one lesion differ that are two shots: turned, and of one magnification."""
    lesions = defaultdict(list)
    with (folder / "HAM10000_metadata.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            # A lesion that was followed up may have changed.
            if row["dx_type"] != "follow_up":
                lesions[row["lesion_id"]].append(row["image_id"])
    pairs = sorted(ids[:2] for ids in lesions.values() if len(ids) > 1)
    np.random.default_rng(31).shuffle(pairs)
    for pair in pairs[:most]:
        pictures = [load(folder / "HAM10000_images" / f"{name}.jpg") for name in pair]
        fields = [crop(picture, find_field(picture)) for picture in pictures]
        lies = register(*fields)
        if isinstance(lies, Refusal) or not 0.9 < lies.scale < 1.1 or abs(lies.turn) < 1.0:
            continue
        one, other = (measured(picture, None) for picture in pictures)
        if one and other:
            yield differences(one, other, lies.scale)


def report(name: str, found: Sequence[tuple[float, ...]]) -> None:
    table = np.array(found)
    for share in (95, 80, 50):
        row = " ".join(f"{v:10.3f}" for v in np.percentile(table, share, axis=0))
        print(f"{name:24s} {len(table):5d}  {share} %: {row}")  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400)
    count = parser.parse_args().count
    config = Config()
    analyzer = Analyzer(load_bundle(model_folder(config), config.trusted_keys))
    ham, milk = (Path(os.environ[f"DERMASCOPE_{name}"]) for name in ("HAM10000", "MILK10K"))
    print(f"{'':42s}ln area, ln diameter, asymmetry, CIELAB, logit of malignancy")  # noqa: T201
    for name, folder in (("HAM10000", ham / "HAM10000_images"), ("MILK10k", milk / "images")):
        paths = sorted(folder.glob("*.jpg"))
        chosen = np.random.default_rng(23).choice(len(paths), min(count, len(paths)), replace=False)
        report(f"{name}, drawn", list(drawn([paths[i] for i in chosen], analyzer)))
    report("HAM10000, real pairs", list(real(ham, 4 * count)))


if __name__ == "__main__":
    main()
