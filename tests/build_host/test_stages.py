import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.console import Console

from build_host import stages
from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.split import split_by_lesion
from build_host.evaluation.assessing import Assessment
from build_host.evaluation.calibrating import (
    fit_abstention,
    fit_calibration,
    fit_conformal,
    fit_operating_points,
)
from build_host.evaluation.evaluating import raw_answers
from device.errors import BundleError, ConfigError, DataError
from device.inference.analyzer import Analyzer
from device.inference.bundle import Bundle
from device.inference.manifest import Manifest
from tests.build_host.conftest import Stage


def draft(stage: Stage) -> tuple[Manifest, bytes]:
    manifest = msgspec.json.decode((stage.folder / "draft.json").read_bytes(), type=Manifest)
    return manifest, (stage.folder / "model.tflite").read_bytes()


@pytest.fixture
def own_run(evaluated: Stage, tmp_path: Path) -> stages.Run:
    """Return a copy of the evaluated run that a test may change."""
    folder = tmp_path / "runs" / evaluated.folder.name
    shutil.copytree(evaluated.folder, folder, ignore=shutil.ignore_patterns("checkpoint"))
    return stages.open_run(folder)


def test_a_runs_folder_is_named_by_its_configuration(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    path = write_config(tmp_path)
    run = stages.start_run(path, tmp_path / "runs")
    assert run.folder.parent == tmp_path / "runs"
    assert run.folder.name == f"drawn-28-{run.config.digest[:8]}"
    again = stages.start_run(path, tmp_path / "runs")
    assert again == run
    other = stages.start_run(write_config(tmp_path, epochs=3), tmp_path / "runs")
    assert other.folder != run.folder


def test_a_run_is_opened_as_it_was_started(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    path = write_config(tmp_path)
    run = stages.start_run(path, tmp_path / "runs")
    path.unlink()
    assert stages.open_run(run.folder) == run


def test_a_configuration_that_is_wrong_makes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("name = 1")
    with pytest.raises(ConfigError):
        stages.start_run(tmp_path / "wrong.toml", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("what", ["nothing", "empty folder", "file"])
def test_where_there_is_no_run_none_is_opened(tmp_path: Path, what: str) -> None:
    path = tmp_path / "run"
    if what == "empty folder":
        path.mkdir()
    elif what == "file":
        path.touch()
    with pytest.raises(DataError, match=r"run: holds no run .*train one first"):
        stages.open_run(path)


@pytest.mark.tensorflow
def test_the_draft_describes_the_file_beside_it(compressed: Stage) -> None:
    manifest, model = draft(compressed)
    assert manifest.model_sha256 == hashlib.sha256(model).hexdigest()
    assert manifest.model_id == "drawn-28 0.1.0"
    assert (manifest.input.height, manifest.input.width) == (28, 28)
    assert manifest.input.geometry == "full-frame"
    assert (manifest.saliency.patch, manifest.saliency.stride) == (14, 7)
    # Its figures are measured later.
    assert manifest.metrics == {}
    Analyzer(Bundle(compressed.folder, manifest, model, ""))


@pytest.mark.tensorflow
def test_the_provenance_is_of_these_data_and_this_run(compressed: Stage, ham10000: Path) -> None:
    provenance = draft(compressed)[0].provenance
    assert provenance.dataset_digest == read_ham10000(ham10000).digest
    assert provenance.run_digest == stages.open_run(compressed.folder).config.digest


@pytest.mark.tensorflow
def test_everything_is_calibrated_on_the_validation_fold_through_the_shipped_file(
    compressed: Stage, ham10000: Path
) -> None:
    manifest, model = draft(compressed)
    collection = read_ham10000(ham10000)
    validation = collection.subset(split_by_lesion(collection).validation)
    analyzer = Analyzer(Bundle(compressed.folder, manifest, model, ""))
    answers = raw_answers(analyzer, validation, quiet=True)
    logits = np.array([a.logits for a in answers])
    assert manifest.calibration == fit_calibration(logits, validation.labels)
    for found, fit in (
        (manifest.operating_points, fit_operating_points),
        (manifest.conformal, fit_conformal),
    ):
        assert found == fit(logits, validation.labels, manifest.calibration)
    fitted = fit_abstention(answers, validation.labels, manifest.calibration)
    assert manifest.abstention == fitted


@pytest.mark.tensorflow
def test_the_figures_are_of_the_test_fold(evaluated: Stage, ham10000: Path) -> None:
    content = (evaluated.folder / "metrics.json").read_bytes()
    evaluation = msgspec.json.decode(content, type=Assessment).evaluations[0]
    collection = read_ham10000(ham10000)
    test = collection.subset(split_by_lesion(collection).test)
    assert evaluation.images == len(test)
    assert evaluation.lesions == len(set(test.lesions))
    assert np.array(evaluation.confusion).sum(axis=1).tolist() == np.bincount(test.labels).tolist()
    assert evaluation.size.bytes == (evaluated.folder / "model.tflite").stat().st_size
    assert "Lesion-disjoint" in evaluation.protocol
    # What was called right, by the Analyzer that ships.
    manifest, model = draft(evaluated)
    analyzer = Analyzer(Bundle(evaluated.folder, manifest, model, ""))
    logits = np.array([a.logits for a in raw_answers(analyzer, test, quiet=True)])
    scaled = logits / manifest.calibration.temperature + np.array(manifest.calibration.bias)
    accuracy = (scaled.argmax(axis=1) == test.labels).mean()
    assert evaluation.figures["accuracy"].value == pytest.approx(accuracy)


@pytest.mark.tensorflow
def test_an_evaluation_of_another_file_does_not_ship(
    own_run: stages.Run, key_file: Path, trusted_key: str, tmp_path: Path
) -> None:
    # The file was made anew after it was evaluated.
    manifest, model = draft(Stage(own_run.folder, ""))
    newer = model + bytes(16)
    (own_run.folder / "model.tflite").write_bytes(newer)
    changed = msgspec.structs.replace(manifest, model_sha256=hashlib.sha256(newer).hexdigest())
    (own_run.folder / "draft.json").write_bytes(msgspec.json.encode(changed))
    with pytest.raises(DataError, match="evaluat"):
        stages.make_bundle(own_run.folder, tmp_path / "models", key_file)
    assert not (tmp_path / "models").exists()


@pytest.mark.tensorflow
def test_a_file_that_is_not_the_drafts_does_not_ship(
    own_run: stages.Run, key_file: Path, trusted_key: str, tmp_path: Path
) -> None:
    with (own_run.folder / "model.tflite").open("ab") as file:
        file.write(bytes(16))
    with pytest.raises(DataError):
        stages.make_bundle(own_run.folder, tmp_path / "models", key_file)
    assert not (tmp_path / "models").exists()


@pytest.mark.tensorflow
def test_a_run_that_is_not_evaluated_makes_no_bundle(
    own_run: stages.Run, key_file: Path, trusted_key: str, tmp_path: Path
) -> None:
    (own_run.folder / "metrics.json").unlink()
    with pytest.raises(DataError, match="not evaluated yet"):
        stages.make_bundle(own_run.folder, tmp_path / "models", key_file)
    assert not (tmp_path / "models").exists()


@pytest.mark.tensorflow
def test_the_pixel_table_trains_a_network_too(
    ham10000_table: Path, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    run = stages.start_run(write_config(tmp_path, epochs=1), tmp_path / "runs")
    stages.train(run, stages.Sources(ham10000_table), [], Console(quiet=True))
    assert (run.folder / "weights.h5").is_file()


@pytest.mark.tensorflow
def test_a_bundle_becomes_a_run_again_and_the_same_bundle_after_that(
    bundled: Stage, key_file: Path, trusted_key: str, tmp_path: Path
) -> None:
    run = stages.reopen(bundled.folder, tmp_path / "runs", [trusted_key])
    again = stages.make_bundle(run, tmp_path / "models", key_file)
    for name in ("model.tflite", "manifest.json", "MODEL_CARD.md", "metrics.json"):
        assert (again / name).read_bytes() == (bundled.folder / name).read_bytes()


@pytest.mark.tensorflow
def test_a_reopened_bundle_can_have_another_version(
    bundled: Stage, trusted_key: str, tmp_path: Path
) -> None:
    run = stages.reopen(bundled.folder, tmp_path, [trusted_key], "0.2.0")
    assert draft(Stage(run, ""))[0].model_id == "drawn-28 0.2.0"
    with pytest.raises(ConfigError, match="--version two"):
        stages.reopen(bundled.folder, tmp_path, [trusted_key], "two")


@pytest.mark.tensorflow
def test_a_bundle_of_a_stranger_is_not_reopened(bundled: Stage, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="trust"):
        stages.reopen(bundled.folder, tmp_path / "runs", ["0" * 63 + "1"])
    assert not (tmp_path / "runs").exists()


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
    assert assessment.surest[0].accuracy == pytest.approx(shipped.figures["accuracy"].value)
    assert assessment.speed is not None
    assert assessment.speed.times_faster > 1.0
