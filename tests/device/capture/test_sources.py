import sys
from pathlib import Path

import pytest

from device.capture import sources
from device.capture.demo import DemoSource
from device.capture.reconnecting import ReconnectingSource
from device.capture.replay import ReplaySource
from device.capture.sources import open_source
from device.capture.uvc import UsbCameraOpener
from device.errors import ConfigError, SourceError
from device.frame import SourceKind
from tests.device.capture.drivers import CLOCK, eventually, plain, serving, stream
from tests.device.images import PATTERN, encoded


def test_demo_opens() -> None:
    assert isinstance(open_source("demo", CLOCK), DemoSource)


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("demo", SourceKind.DEMO),
        ("replay:a.png", SourceKind.REPLAY),
        ("picamera-fake", SourceKind.DEMO),
        ("picamera-fake:faults", SourceKind.DEMO),
        ("mjpeg:http://camera/", SourceKind.CAMERA),
        ("usb", SourceKind.CAMERA),
        ("usb:/dev/video0", SourceKind.CAMERA),
    ],
)
def test_only_cameras_count_as_cameras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, kind: SourceKind
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(encoded(PATTERN, "PNG"))
    with open_source(setting, CLOCK) as source:
        assert source.kind is kind


@pytest.mark.parametrize("name", ["a.png", "with:colon.png", "with space.png"])
def test_replay_opens_a_path(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(encoded(PATTERN, "PNG"))
    with open_source(f"replay:{tmp_path / name}", CLOCK) as source:
        assert isinstance(source, ReplaySource)


def test_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.png").write_bytes(encoded(PATTERN, "PNG"))
    with open_source("replay:~/a.png", CLOCK) as source:
        assert isinstance(source, ReplaySource)


def test_replay_of_nothing_fails(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        open_source(f"replay:{tmp_path / 'missing'}", CLOCK)


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "camera",
        "demo:x",
        "replay",
        "replay:",
        "mjpeg:",
        "Demo",
        "picamera:0",
        "picamera-fake:x",
        "usb:",
    ],
)
def test_unknown_setting_is_named_with_what_there_is(setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source(setting, CLOCK)
    assert repr(setting) in str(caught.value)
    for known in ("demo", "replay:PATH", "mjpeg:URL", "picamera-fake", "usb:/dev/videoN"):
        assert known in str(caught.value)


def test_fake_of_the_pi_camera_shows_the_demonstration() -> None:
    with open_source("picamera-fake", CLOCK) as source:
        preview = eventually(source)
        still = source.still(10.0)
    assert preview.kind is still.kind is SourceKind.DEMO
    assert preview.pixels.shape == (540, 960, 3)
    assert still.pixels.shape == (1080, 1920, 3)
    red, green, blue = preview.pixels[100:440, 250:700].reshape(-1, 3).mean(axis=0)
    assert red > green > blue > 30


def test_fake_with_faults_has_a_timetable() -> None:
    with open_source("picamera-fake:faults", CLOCK) as source:
        eventually(source)


def test_pi_camera_without_its_package_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"python3-picamera2 and make .* --system-site-packages"):
        open_source("picamera", CLOCK)


def test_pi_camera_with_half_its_packages_says_which_are_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "picamera2.py").write_text("import libcamera_of_nowhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with (
        open_source("picamera", CLOCK) as source,
        pytest.raises(SourceError, match=r"python3-libcamera.*--system-site-packages") as caught,
    ):
        source.read(10.0)
    assert "libcamera_of_nowhere" in caught.value.fault.detail


@pytest.mark.parametrize(
    "raised",
    [
        "ImportError('libcamera.so.0.3: cannot open shared object file')",
        "ValueError('numpy.dtype size changed, may indicate binary incompatibility')",
        "AttributeError('_ARRAY_API not found')",
        "RuntimeError('module was compiled against NumPy C-API version 0x10')",
    ],
)
def test_pi_camera_that_was_built_for_other_packages_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, raised: str
) -> None:
    (tmp_path / "picamera2.py").write_text(f"raise {raised}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with (
        open_source("picamera", CLOCK) as source,
        pytest.raises(SourceError, match=r"does not fit .*--system-site-packages") as caught,
    ):
        source.read(10.0)
    assert raised.split("'")[1] in caught.value.fault.detail


def test_usb_camera_that_is_absent_is_waited_for() -> None:
    with (
        open_source("usb:/dev/video-of-nobody", CLOCK) as source,
        pytest.raises(SourceError, match=r"/dev/video-of-nobody: no camera is plugged in there"),
    ):
        source.read(10.0)


def test_usb_camera_is_looked_for_at_each_attempt(tmp_path: Path) -> None:
    asked = []
    opener = UsbCameraOpener(None, CLOCK, cameras=lambda: asked.append(1) or [])
    with ReconnectingSource("USB camera", opener, CLOCK, pauses=(0.01, 0.1)) as source:
        for _ in range(2):
            with pytest.raises(SourceError, match="no USB camera is plugged in"):
                source.read(10.0)
    assert len(asked) >= 2


def test_stream_of_motion_jpeg_opens() -> None:
    with serving(stream(plain())) as url, open_source(f"mjpeg:{url}", CLOCK) as source:
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
        open_source(f"mjpeg:{url}", CLOCK)


@pytest.mark.parametrize(
    "setting",
    [
        "http://ana:secret@host/",
        "http://host/?password=secret",
        "mjpeg:http://ana:secret@host:x/",
        "mjpeg:rtsp://ana:secret@host/",
        "rtsp://ana:secret@host/",
        "replay:http://ana:secret@host/",
        "replay:HTTP://ana:secret@host/",
        "replay:rtsp://host/secret",
        "usb:rtsp://host/secret",
    ],
)
def test_password_in_a_setting_is_never_shown(setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_source(setting, CLOCK)
    assert "secret" not in str(caught.value)
