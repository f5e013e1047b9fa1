"""A model is installed again."""

from pathlib import Path

from device.models.installed import models_folder, read_installed
from tests.device.installation.models import Maker, install


def test_same_model_again_changes_nothing(tmp_path: Path, maker: Maker, state: Path) -> None:
    install(maker.archive(tmp_path), maker, state)
    before = read_installed(models_folder(state))
    assert install(maker.archive(tmp_path), maker, state).trial is None
    assert read_installed(models_folder(state)) == before
