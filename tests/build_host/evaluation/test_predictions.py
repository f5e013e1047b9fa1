from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from build_host.datasets.dataset import Dataset
from build_host.datasets.ham10000 import read_ham10000
from build_host.evaluation.predictions import predict
from device.config import Config, model_folder
from device.frame import frame_now
from device.inference.analyzer import Analyzer
from device.models.bundle import Bundle, load_bundle


@pytest.fixture(scope="module")
def paper_bundle() -> Bundle:
    config = Config()
    return load_bundle(model_folder(config).with_name("paper-28"), config.trusted_keys)


def some(folder: Path) -> Dataset:
    return read_ham10000(folder).subset(np.arange(0, 176, 25))


def test_predictions_are_the_instruments_own_findings(paper_bundle: Bundle, ham10000: Path) -> None:
    dataset = some(ham10000)
    predictions = predict(Analyzer(paper_bundle), dataset, quiet=True)
    assert predictions.records == dataset.records
    analyzer = Analyzer(paper_bundle)
    for i, record in enumerate(dataset.records):
        finding = analyzer.analyze(frame_now(dataset.read(record), 0, "file"))
        np.testing.assert_array_equal(predictions.probabilities[i], finding.probabilities)
        assert predictions.covered[i] == (record.dx in finding.prediction_set)
        assert predictions.set_sizes[i] == len(finding.prediction_set)


@pytest.mark.parametrize(
    ("dark_frames_pass", "sure_frames_pass", "accepted"),
    [(True, True, True), (True, False, False), (False, True, True), (False, False, False)],
)
def test_the_model_abstains_whatever_the_quality(
    paper_bundle: Bundle,
    ham10000: Path,
    dark_frames_pass: bool,
    sure_frames_pass: bool,
    accepted: bool,
) -> None:
    manifest = paper_bundle.manifest
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
    bundle = replace(paper_bundle, manifest=changed)
    predictions = predict(Analyzer(bundle), some(ham10000), quiet=True)
    assert predictions.accepted.tolist() == [accepted] * len(predictions.records)
