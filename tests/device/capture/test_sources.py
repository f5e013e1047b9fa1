from pathlib import Path

import pytest

from device.capture.demo import DemoSource
from device.capture.replay import ReplaySource
from device.capture.sources import open_source
from device.errors import ConfigError, SourceError
from tests.device.images import PATTERN, encoded


def test_demo_opens() -> None:
    assert isinstance(open_source("demo"), DemoSource)


@pytest.mark.parametrize("name", ["a.png", "with:colon.png", "with space.png"])
def test_replay_opens_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(encoded(PATTERN, "PNG"))
    with open_source(f"replay:{tmp_path / name}") as source:
        assert isinstance(source, ReplaySource)


def test_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.png").write_bytes(encoded(PATTERN, "PNG"))
    with open_source("replay:~/a.png") as source:
        assert isinstance(source, ReplaySource)


def test_replay_of_nothing_fails(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        open_source(f"replay:{tmp_path / 'missing'}")


@pytest.mark.parametrize("setting", ["", "camera", "demo:x", "replay", "replay:", "Demo"])
def test_unknown_setting_is_named(setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source(setting)
    assert repr(setting) in str(caught.value)
