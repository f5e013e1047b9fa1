import hashlib
import shutil
from pathlib import Path

import msgspec
import pytest

from build_host.errors import DataError
from build_host.pipeline.release import ABLATION, PEERS, make_bundle, reopen
from build_host.pipeline.workspace import Run, open_run
from build_host.run_folder import RunFolder
from device.errors import BundleError, ConfigError
from tests.build_host.conftest import Stage, draft

pytestmark = pytest.mark.tensorflow

ATTACHMENTS = (ABLATION, PEERS)


@pytest.fixture
def own_run(evaluated: Stage, tmp_path: Path) -> Run:
    """Return a copy of the evaluated run that a test may change."""
    folder = tmp_path / "runs" / evaluated.folder.name
    shutil.copytree(evaluated.folder, folder, ignore=shutil.ignore_patterns("checkpoint"))
    return open_run(RunFolder(folder))


def test_an_evaluation_of_another_file_does_not_ship(
    own_run: Run, key_file: Path, trusted_key: str, tmp_path: Path
) -> None:
    # The file was made anew after it was evaluated.
    manifest, model = draft(Stage(own_run.folder.path, ""))
    newer = model + bytes(16)
    (own_run.folder.path / "model.tflite").write_bytes(newer)
    live = msgspec.structs.replace(manifest.live, sha256=hashlib.sha256(newer).hexdigest())
    changed = msgspec.structs.replace(manifest, live=live)
    (own_run.folder.path / "draft.json").write_bytes(msgspec.json.encode(changed))
    with pytest.raises(DataError, match="evaluat"):
        make_bundle(own_run.folder, tmp_path / "models", key_file, ATTACHMENTS)
    assert not (tmp_path / "models").exists()


def test_a_file_that_is_not_the_drafts_does_not_ship(
    own_run: Run, key_file: Path, trusted_key: str, tmp_path: Path
) -> None:
    with (own_run.folder.path / "model.tflite").open("ab") as file:
        file.write(bytes(16))
    with pytest.raises(DataError):
        make_bundle(own_run.folder, tmp_path / "models", key_file, ATTACHMENTS)
    assert not (tmp_path / "models").exists()


def test_a_run_that_is_not_evaluated_makes_no_bundle(
    own_run: Run, key_file: Path, trusted_key: str, tmp_path: Path
) -> None:
    (own_run.folder.path / "metrics.json").unlink()
    with pytest.raises(DataError, match="not evaluated yet"):
        make_bundle(own_run.folder, tmp_path / "models", key_file, ATTACHMENTS)
    assert not (tmp_path / "models").exists()


def test_a_bundle_becomes_a_run_again_and_the_same_bundle_after_that(
    bundled: Stage, key_file: Path, trusted_key: str, tmp_path: Path
) -> None:
    run = reopen(bundled.folder, tmp_path / "runs", [trusted_key], ATTACHMENTS)
    again = make_bundle(run, tmp_path / "models", key_file, ATTACHMENTS)
    for name in ("model.tflite", "manifest.json", "MODEL_CARD.md", "metrics.json"):
        assert (again / name).read_bytes() == (bundled.folder / name).read_bytes()


def test_a_reopened_bundle_keeps_nothing_of_an_earlier_run(
    bundled: Stage, trusted_key: str, tmp_path: Path
) -> None:
    run = reopen(bundled.folder, tmp_path, [trusted_key], ATTACHMENTS)
    assert run.metrics.is_file()
    for path in (run.peers, run.ablation):
        path.write_text("[]")
    bare = shutil.copytree(bundled.folder, tmp_path / "bare")
    (bare / "metrics.json").unlink()
    again = reopen(bare, tmp_path, [trusted_key], ATTACHMENTS)
    assert again.path == run.path
    for path in (again.metrics, again.peers, again.ablation):
        assert not path.exists()


def test_a_reopened_bundle_can_have_another_version(
    bundled: Stage, trusted_key: str, tmp_path: Path
) -> None:
    run = reopen(bundled.folder, tmp_path, [trusted_key], ATTACHMENTS, "0.2.0")
    assert draft(Stage(run.path, ""))[0].model_id == "drawn-28 0.2.0"
    with pytest.raises(ConfigError, match="--version two"):
        reopen(bundled.folder, tmp_path, [trusted_key], ATTACHMENTS, "two")


def test_a_bundle_of_a_stranger_is_not_reopened(bundled: Stage, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="trust"):
        reopen(bundled.folder, tmp_path / "runs", ["0" * 63 + "1"], ATTACHMENTS)
    assert not (tmp_path / "runs").exists()
