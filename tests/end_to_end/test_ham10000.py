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
from build_host.evaluation.metrics import METRICS
from device.config import PROJECT_KEY
from device.diagnoses import CODES
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


@pytest.mark.parametrize("bundle", sorted(p.parent for p in MODELS.glob("*/manifest.json")))
def test_the_card_comes_out_again(
    bundle: Path, test_fold: Dataset, photos: dict[str, Path]
) -> None:
    findings = analyze(bundle, [photos[r.image_id] for r in test_fold.records])
    assert len(findings) == len(test_fold)
    probabilities = np.array([[f.probabilities[code] for code in CODES] for f in findings])
    assert np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-9)
    said = load_bundle(bundle, [PROJECT_KEY]).manifest.metrics
    assert said.keys() == METRICS.keys()
    for name, metric in METRICS.items():
        assert metric(test_fold.labels, probabilities) == pytest.approx(said[name].value, abs=1e-6)


def test_two_hundred_images_give_two_hundred_findings(
    test_fold: Dataset, photos: dict[str, Path]
) -> None:
    chosen = test_fold.records[:200]
    findings = analyze(MODELS / "paper-28", [photos[r.image_id] for r in chosen])
    assert [Path(f.image).stem for f in findings] == [r.image_id for r in chosen]
