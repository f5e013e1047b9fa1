"""The lesion's outline against HAM10000's segmentations."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from build_host.datasets.sources import SOURCES
from device.imaging.field_of_view import crop, find_field
from device.imaging.image_file import read_image
from device.imaging.lesion import WORKING_SIDE, segment_lesion

DATA = os.environ.get(SOURCES["ham10000"].variable)
SAMPLE = 500

pytestmark = [
    pytest.mark.ham10000,
    pytest.mark.skipif(
        not DATA, reason=f"{SOURCES['ham10000'].variable} does not name the data set"
    ),
]


def dice(photo: Path, mask_path: Path) -> float:
    """Return 2 |A and B| / (|A| + |B|); 0 where no outline is found."""
    pixels = read_image(photo)
    field = find_field(pixels)
    found = segment_lesion(crop(pixels, field))
    with Image.open(mask_path) as file:
        mask = file.convert("L").resize((pixels.shape[1], pixels.shape[0]))
        truth = crop(np.repeat(np.asarray(mask)[:, :, None], 3, axis=2), field)[:, :, 0]
    small = Image.fromarray(truth).resize((WORKING_SIDE, WORKING_SIDE))
    drawn = np.asarray(small) > 127
    if found is None:
        return 0.0
    return 2 * float((found & drawn).sum()) / max(int(found.sum() + drawn.sum()), 1)


def test_outlines_agree_with_those_of_the_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(str(DATA))
    masks = {p.stem.removesuffix("_segmentation"): p for p in folder.glob("*egmentations*/*.png")}
    if not masks:
        pytest.skip("the data set has no segmentations here")
    photos = {p.stem: p for p in folder.glob("HAM10000_images*/*.jpg")}
    names = sorted(masks.keys() & photos.keys())
    random = np.random.default_rng(0)
    chosen = random.permutation(names)[:SAMPLE]
    scores = np.array([dice(photos[name], masks[name]) for name in chosen])
    means = scores[random.integers(0, len(scores), (1000, len(scores)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    with capsys.disabled():
        sys.stdout.write(
            f"\nDice on {len(scores)} images: mean {scores.mean():.3f} ({low:.3f} to {high:.3f}), "
            f"median {np.median(scores):.3f}\n"
        )
    assert scores.mean() > 0.75
    assert np.median(scores) > 0.85
