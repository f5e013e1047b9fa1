import os
import sys
from pathlib import Path

import pytest

from device import paths
from device.paths import MODELS_VARIABLE, shipped_models, state_folder


def test_state_folder_is_the_first_of_the_services(tmp_path: Path) -> None:
    named = {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}
    assert state_folder(named) == Path("/var/lib/a")


@pytest.mark.parametrize("environment", [{}, {"STATE_DIRECTORY": ""}])
def test_without_a_service_the_state_folder_is_the_users_own(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/home/ana/.state")
    assert state_folder(environment) == Path("/home/ana/.state/dermascope")


def test_models_of_a_checkout_lie_beside_its_packages() -> None:
    assert shipped_models({}) == Path(__file__).parents[2] / "models"
    assert list(shipped_models({}).glob("*/manifest.json"))


def test_models_of_an_installed_program_lie_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages" / "device" / "paths.py"))
    assert shipped_models({}) == Path(sys.prefix) / "share" / "dermascope" / "models"


def test_variable_goes_before_both(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shipped_models({MODELS_VARIABLE: "/models"}) == Path("/models")
    monkeypatch.setitem(os.environ, MODELS_VARIABLE, "/others")
    assert shipped_models() == Path("/others")
