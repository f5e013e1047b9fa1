from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from build_host.datasets.dataset import Dataset
from build_host.datasets.ham10000 import read_ham10000
from build_host.evaluation.predictions import predict
from device.frame import frame_now
from device.inference.analyzer import Analyzer
from device.models.bundle import Bundle, load_bundle
from tests.build_host.conftest import Stage


@pytest.fixture(scope="module")
def drawn_bundle(bundled: Stage, trusted_key: str) -> Bundle:
    return load_bundle(bundled.folder, [trusted_key])


def some(folder: Path) -> Dataset:
    return read_ham10000(folder).subset(np.arange(0, 176, 25))


@pytest.mark.tensorflow
def test_predictions_are_the_instruments_own_findings(drawn_bundle: Bundle, ham10000: Path) -> None:
    dataset = some(ham10000)
    predictions = predict(Analyzer(drawn_bundle), dataset, quiet=True)
    assert predictions.records == dataset.records
    analyzer = Analyzer(drawn_bundle)
    for i, record in enumerate(dataset.records):
        finding = analyzer.analyze(frame_now(dataset.read(record), 0, "file"))
        np.testing.assert_array_equal(predictions.probabilities[i], finding.probabilities)
        assert predictions.covered[i] == (record.dx in finding.prediction_set)
        assert predictions.set_sizes[i] == len(finding.prediction_set)


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("dark_frames_pass", "sure_frames_pass", "accepted"),
    [(True, True, True), (True, False, False), (False, True, True), (False, False, False)],
)
def test_the_model_abstains_whatever_the_quality(
    drawn_bundle: Bundle,
    ham10000: Path,
    dark_frames_pass: bool,
    sure_frames_pass: bool,
    accepted: bool,
) -> None:
    manifest = drawn_bundle.manifest
    quality = msgspec.structs.replace(
        manifest.quality,
        focus_min=0.0,
        exposure_min=0.0 if dark_frames_pass else 1.0,
        exposure_max=1.0,
        glare_max=1.0,
        coverage_min=0.0,
    )
    abstention = msgspec.structs.replace(
        manifest.live.abstention,
        uncertain_below=0.0 if sure_frames_pass else 1.0,
        unfamiliar_below=None,
    )
    live = msgspec.structs.replace(manifest.live, abstention=abstention)
    changed = msgspec.structs.replace(manifest, quality=quality, live=live)
    bundle = replace(drawn_bundle, manifest=changed)
    predictions = predict(Analyzer(bundle), some(ham10000), quiet=True)
    assert predictions.accepted.tolist() == [accepted] * len(predictions.records)
