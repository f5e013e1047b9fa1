import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from build_host.calibration.fits import (
    fit_abstention,
    fit_calibration,
    fit_conformal,
    fit_operating_points,
)
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.sources import DataFolders
from build_host.datasets.split import split_by_lesion
from build_host.evaluation.assessment import Assessment
from build_host.evaluation.inference import network_outputs
from build_host.pipeline.stages import rows_for_gptq, train
from build_host.pipeline.workspace import open_run, start_run
from build_host.run_folder import RunFolder
from device.inference.analyzer import Analyzer
from device.models.bundle import Bundle
from tests.build_host.conftest import Stage, draft


@pytest.mark.tensorflow
def test_the_draft_describes_the_file_beside_it(compressed: Stage) -> None:
    manifest, model = draft(compressed)
    assert manifest.live.sha256 == hashlib.sha256(model).hexdigest()
    assert manifest.model_id == "drawn-28 0.1.0"
    assert (manifest.live.input.height, manifest.live.input.width) == (28, 28)
    assert manifest.live.input.geometry == "full-frame"
    assert (manifest.live.saliency.patch, manifest.live.saliency.stride) == (14, 7)
    # Its figures are measured later.
    assert manifest.metrics == {}
    Analyzer(Bundle(compressed.folder, manifest, {manifest.live.file: model}, ""))


@pytest.mark.tensorflow
def test_the_provenance_is_of_these_data_and_this_run(compressed: Stage, ham10000: Path) -> None:
    provenance = draft(compressed)[0].provenance
    assert provenance.dataset_digest == read_ham10000(ham10000).digest
    assert provenance.run_digest == open_run(RunFolder(compressed.folder)).config.digest


@pytest.mark.tensorflow
def test_everything_is_calibrated_on_the_validation_fold_through_the_shipped_file(
    compressed: Stage, ham10000: Path
) -> None:
    manifest, model = draft(compressed)
    dataset = read_ham10000(ham10000)
    validation = dataset.subset(split_by_lesion(dataset).validation)
    outputs = network_outputs(
        Bundle(compressed.folder, manifest, {manifest.live.file: model}, ""), validation, quiet=True
    )
    logits = np.array([o.logits for o in outputs])
    assert manifest.live.calibration == fit_calibration(logits, validation.labels)
    for found, fit in (
        (manifest.live.operating_points, fit_operating_points),
        (manifest.live.conformal, fit_conformal),
    ):
        assert found == fit(logits, validation.labels, manifest.live.calibration)
    fitted = fit_abstention(outputs, validation.labels, manifest.live.calibration)
    assert manifest.live.abstention == fitted


@pytest.mark.tensorflow
def test_the_figures_are_of_the_test_fold(evaluated: Stage, ham10000: Path) -> None:
    content = (evaluated.folder / "metrics.json").read_bytes()
    evaluation = msgspec.json.decode(content, type=Assessment).evaluations[0]
    dataset = read_ham10000(ham10000)
    test = dataset.subset(split_by_lesion(dataset).test)
    assert evaluation.images == len(test)
    assert evaluation.lesions == len(set(test.lesions))
    assert np.array(evaluation.confusion).sum(axis=1).tolist() == np.bincount(test.labels).tolist()
    assert evaluation.size.bytes == (evaluated.folder / "model.tflite").stat().st_size
    assert "Lesion-disjoint" in evaluation.protocol
    manifest, model = draft(evaluated)
    outputs = network_outputs(
        Bundle(evaluated.folder, manifest, {manifest.live.file: model}, ""), test, quiet=True
    )
    logits = np.array([o.logits for o in outputs])
    scaled = logits / manifest.live.calibration.temperature + np.array(
        manifest.live.calibration.bias
    )
    accuracy = (scaled.argmax(axis=1) == test.labels).mean()
    assert evaluation.figures["accuracy"].value == pytest.approx(accuracy)


@pytest.mark.tensorflow
def test_the_pixel_table_trains_a_network_too(
    ham10000_table: Path, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    run = start_run(write_config(tmp_path, epochs=1), tmp_path / "runs")
    train(run, DataFolders({"ham10000": ham10000_table}), [], Console(quiet=True))
    assert (run.folder.path / "weights.h5").is_file()


@pytest.mark.tensorflow
def test_the_float_network_is_measured_beside_the_shipped_file(evaluated: Stage) -> None:
    content = (evaluated.folder / "metrics.json").read_bytes()
    assessment = msgspec.json.decode(content, type=Assessment)
    shipped, averaged, exact = assessment.evaluations
    assert "before quantization" in exact.protocol
    assert "eight" in averaged.protocol
    assert exact.size.bytes > 3 * shipped.size.bytes
    assert exact.figures["accuracy"].value == pytest.approx(
        shipped.figures["accuracy"].value, abs=0.1
    )
    assert assessment.surest[0].coverage == 1.0
    # Where captured pictures are averaged, they are acted upon by the mean.
    manifest, _ = draft(evaluated)
    assert assessment.averaged == (manifest.live.test_time_augmentation == "dihedral")
    acted_upon = averaged if assessment.averaged else shipped
    assert assessment.acted_upon == acted_upon
    assert assessment.surest[0].accuracy == pytest.approx(acted_upon.figures["accuracy"].value)
    assert assessment.speed is not None
    assert assessment.speed.times_faster > 1.0


def test_statistics_for_rounding_are_of_every_source() -> None:
    # Rows are ordered by source: here four of a thousand images each.
    rows = np.random.default_rng(7).permutation(4000)[:1000]
    chosen = rows_for_gptq(rows)
    assert len(chosen) == 256
    assert set(chosen.tolist()) <= set(rows.tolist())
    assert np.bincount(chosen // 1000).min() > 40
    np.testing.assert_array_equal(chosen, rows_for_gptq(rows.copy()))
    assert rows_for_gptq(rows[:20]).tolist() == sorted(rows[:20].tolist())
