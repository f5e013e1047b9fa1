"""The shipped bundles on real images, through the installed program."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from build_host.datasets.dataset import Dataset
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.sources import SOURCES
from build_host.datasets.split import split_by_lesion
from build_host.evaluation.assessment import Assessment
from build_host.evaluation.metrics import METRICS
from build_host.evaluation.predictions import predict
from build_host.results import read_result
from device.config import PROJECT_KEY
from device.diagnoses import CODES
from device.inference.analyzer import Analyzer
from device.inference.finding import FindingRecord
from device.models.bundle import load_bundle

DATA = os.environ.get(SOURCES["ham10000"].variable)
MODELS = Path(__file__).parents[2] / "models"

pytestmark = [
    pytest.mark.ham10000,
    pytest.mark.skipif(
        not DATA, reason=f"{SOURCES['ham10000'].variable} does not name the data set"
    ),
]


@pytest.fixture(scope="module")
def test_fold() -> Dataset:
    dataset = read_ham10000(Path(str(DATA)))
    return dataset.subset(split_by_lesion(dataset).test)


@pytest.fixture(scope="module")
def photos() -> dict[str, Path]:
    return {p.stem: p for p in Path(str(DATA)).glob("HAM10000_images*/*.jpg")}


def analyze(bundle: Path, photos: list[Path]) -> list[FindingRecord]:
    command = [sys.executable, "-m", "device", "analyze", "--json", "--model", str(bundle)]
    run = subprocess.run([*command, *map(str, photos)], capture_output=True, check=True)
    assert run.stderr == b""
    return [msgspec.json.decode(line, type=FindingRecord) for line in run.stdout.splitlines()]


@pytest.mark.parametrize("folder", sorted(p.parent for p in MODELS.glob("*/manifest.json")))
def test_the_card_comes_out_again(
    folder: Path, test_fold: Dataset, photos: dict[str, Path]
) -> None:
    bundle = load_bundle(folder, [PROJECT_KEY])
    if bundle.manifest.captured is None:
        findings = analyze(folder, [photos[r.image_id] for r in test_fold.records])
        probabilities = np.array([[f.probabilities[code] for code in CODES] for f in findings])
    else:
        # The manifest's figures are those of captured pictures: the mean of eight views.
        averaged = predict(Analyzer(bundle), test_fold, quiet=True, averaged=True)
        probabilities = averaged.probabilities
    assert len(probabilities) == len(test_fold)
    assert np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-9)
    said = bundle.manifest.metrics
    assert METRICS.keys() <= said.keys()
    # Which images the card leaves out is known only with all of the bundle's collections at hand.
    measured = read_result(folder / "metrics.json", Assessment)
    separation = measured.separation
    left_out = separation.left_out.get("HAM10000", 0) if separation else 0
    assert left_out <= len(test_fold) / 50
    assert measured.acted_upon.images == len(test_fold) - left_out
    near = 0.01 if left_out else 1e-6
    # To the image: what the card counts as right is right here, but for what it leaves out.
    right = int((probabilities.argmax(axis=1) == test_fold.labels).sum())
    counted = said["accuracy"].value * (len(test_fold) - left_out)
    assert counted == pytest.approx(round(counted), abs=1e-6)
    assert 0 <= right - round(counted) <= left_out
    for name, metric in METRICS.items():
        assert metric(test_fold.labels, probabilities) == pytest.approx(said[name].value, abs=near)


def test_two_hundred_images_give_two_hundred_findings(
    test_fold: Dataset, photos: dict[str, Path]
) -> None:
    chosen = test_fold.records[:200]
    findings = analyze(MODELS / "paper-28", [photos[r.image_id] for r in chosen])
    assert [Path(f.image).stem for f in findings] == [r.image_id for r in chosen]
