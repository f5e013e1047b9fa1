import sys
from pathlib import Path

import pytest

from device.capture import sources, v4l2
from device.capture.demo import DemoSource
from device.capture.replay import ReplaySource
from device.capture.sources import open_source
from device.errors import ConfigError, SourceError
from tests.device.capture.drivers import eventually, plain, serving, stream
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


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "camera",
        "demo:x",
        "replay",
        "replay:",
        "Demo",
        "picamera:0",
        "picamera-standin:x",
        "usb:",
    ],
)
def test_unknown_setting_is_named_with_what_there_is(setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source(setting)
    assert repr(setting) in str(caught.value)
    for known in ("demo", "replay:PATH", "replay:http://", "picamera-standin", "usb:/dev/videoN"):
        assert known in str(caught.value)


def test_standin_of_the_pi_camera_shows_the_demonstration() -> None:
    with open_source("picamera-standin") as source:
        preview = eventually(source)
        still = source.still(10.0)
    assert still is not None
    assert preview.pixels.shape == (540, 960, 3)
    assert still.pixels.shape == (1080, 1920, 3)
    red, green, blue = preview.pixels[100:440, 250:700].reshape(-1, 3).mean(axis=0)
    assert red > green > blue > 30


def test_standin_with_faults_has_a_timetable() -> None:
    with open_source("picamera-standin:faults") as source:
        eventually(source)


def test_pi_camera_without_its_package_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    with pytest.raises(SourceError, match="install the package python3-picamera2"):
        open_source("picamera")


def test_pi_camera_with_half_its_packages_says_which_are_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "picamera2.py").write_text("import libcamera_of_nowhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with (
        open_source("picamera") as source,
        pytest.raises(SourceError, match="python3-libcamera"),
    ):
        source.read(10.0)


def test_usb_camera_that_is_absent_is_waited_for() -> None:
    with (
        open_source("usb:/dev/video-of-nobody") as source,
        pytest.raises(SourceError, match=r"/dev/video-of-nobody: no camera is plugged in there"),
    ):
        source.read(10.0)


def test_first_usb_camera_is_looked_for_at_each_attempt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def first() -> Path:
        asked.append(1)
        return tmp_path / "missing"

    monkeypatch.setattr(v4l2, "first_usb_camera", first)
    with open_source("usb") as source:
        for _ in range(2):
            with pytest.raises(SourceError, match="no camera is plugged in there"):
                source.read(10.0)
    assert len(asked) >= 2


def test_stream_of_motion_jpeg_opens() -> None:
    with serving(stream(plain())) as url, open_source(f"replay:{url}") as source:
        assert eventually(source).pixels.shape == (240, 320, 3)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://:80/",
        "http://host:99999/",
        "http://host:x/",
        "http://a b/",
        "http://h/\r\nX: y",
    ],
)
def test_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="write it as http://HOST:PORT/PATH"):
        open_source(f"replay:{url}")


@pytest.mark.parametrize("setting", ["http://ana:secret@host/", "replay:http://ana:secret@host:x/"])
def test_password_in_a_setting_is_never_shown(setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source(setting)
    assert "secret" not in str(caught.value)
