from collections.abc import Callable
from pathlib import Path

import pytest

from build_host.errors import DataError
from build_host.pipeline.workspace import open_run, start_run
from build_host.run_folder import RunFolder
from device.errors import ConfigError


def test_a_runs_folder_is_named_by_its_configuration(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    path = write_config(tmp_path)
    run = start_run(path, tmp_path / "runs")
    assert run.folder.path.parent == tmp_path / "runs"
    assert run.folder.path.name == f"drawn-28-{run.config.digest[:8]}"
    again = start_run(path, tmp_path / "runs")
    assert again == run
    other = start_run(write_config(tmp_path, epochs=3), tmp_path / "runs")
    assert other.folder != run.folder


def test_a_run_is_opened_as_it_was_started(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    path = write_config(tmp_path)
    run = start_run(path, tmp_path / "runs")
    path.unlink()
    assert open_run(run.folder) == run


def test_a_configuration_that_is_wrong_makes_no_folder(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text("name = 1")
    with pytest.raises(ConfigError):
        start_run(tmp_path / "wrong.toml", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("what", ["nothing", "empty folder", "file"])
def test_where_there_is_no_run_none_is_opened(tmp_path: Path, what: str) -> None:
    path = tmp_path / "run"
    if what == "empty folder":
        path.mkdir()
    elif what == "file":
        path.touch()
    with pytest.raises(DataError, match=r"run: holds no run .*train one first"):
        open_run(RunFolder(path))
