import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from device.cli import main
from device.errors import ConfigError
from device.optics import OPTICS_FILE, Optics, load_optics, save_optics
from tests.device.imaging.test_ruler import ruler

OPTICS = Optics(
    mm_per_pixel=0.025, width=1024, height=768, calibrated=datetime(2026, 1, 2, tzinfo=UTC)
)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state"


def picture(path: Path, pixels: np.ndarray) -> str:
    Image.fromarray(pixels).save(path)
    return str(path)


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    assert load_optics(tmp_path) is None
    path = save_optics(tmp_path / "new", OPTICS)
    assert path == tmp_path / "new" / OPTICS_FILE
    assert load_optics(tmp_path / "new") == OPTICS


@given(factor=st.floats(0.2, 5.0))
def test_lengths_stay_the_same_in_frames_of_another_size(factor: float) -> None:
    width, height = round(1024 * factor), round(768 * factor)
    scale = OPTICS.mm_per_pixel_at(width, height)
    assert scale is not None
    assert scale * width == pytest.approx(0.025 * 1024, rel=0.01)


def test_frames_of_another_shape_have_no_scale() -> None:
    assert OPTICS.mm_per_pixel_at(1920, 1080) is None
    assert OPTICS.mm_per_pixel_at(768, 1024) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b'{"mm_per_pixel": -1}', b"\xff\xfe", b"[1]", b"[" * 4000,
     b'{"mm_per_pixel": 1e300, "width": 1, "height": 1, "calibrated": "2026-01-02T03:04:05Z"}'],
)  # fmt: skip
def test_damaged_calibration_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / OPTICS_FILE).write_bytes(content)
    with pytest.raises(ConfigError, match="calibrate again"):
        load_optics(tmp_path)


def test_calibration_that_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / OPTICS_FILE)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_optics(tmp_path)


def test_calibration_is_read_by_whoever_it_is_copied_to(tmp_path: Path) -> None:
    assert save_optics(tmp_path, OPTICS).stat().st_mode & 0o777 == 0o644


def test_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be kept"):
        save_optics(tmp_path / "file" / "below", OPTICS)


def test_a_ruler_calibrates_the_optics(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = picture(tmp_path / "ruler.png", ruler(40.0, 15.0))
    assert main(["calibrate", photo]) == 0
    optics = load_optics(state)
    assert optics is not None
    assert optics.mm_per_pixel == pytest.approx(1 / 40, rel=0.01)
    assert (optics.width, optics.height) == (600, 600)
    said = capsys.readouterr().out
    assert "15.0 mm wide" in said
    assert str(state / OPTICS_FILE) in said


def test_ticks_of_half_a_millimetre_are_named(tmp_path: Path, state: Path) -> None:
    photo = picture(tmp_path / "ruler.png", ruler(20.0))
    assert main(["calibrate", photo, "--length", "0.5"]) == 0
    optics = load_optics(state)
    assert optics is not None
    assert optics.mm_per_pixel == pytest.approx(0.025, rel=0.01)


def test_two_points_calibrate_the_optics(tmp_path: Path, state: Path) -> None:
    photo = picture(tmp_path / "a.png", np.full((300, 400, 3), 150, np.uint8))
    points = ["--from", "50", "100", "--to", "350", "100", "--length", "10"]
    assert main(["calibrate", photo, *points]) == 0
    optics = load_optics(state)
    assert optics is not None
    assert optics.mm_per_pixel == pytest.approx(10 / 300)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "a.png: no ruler"),
        (["--length", "0"], "--length"),
        (["--length", "nan"], "--length"),
        (["--from", "1", "1"], "both points"),
        (["--from", "1", "1", "--to", "5", "5"], "too close"),
        (["--from", "1", "1", "--to", "400", "5"], "not in the picture"),
    ],
)
def test_calibration_that_is_not_possible_is_told_and_nothing_kept(
    tmp_path: Path,
    state: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    photo = picture(tmp_path / "a.png", np.full((300, 400, 3), 150, np.uint8))
    assert main(["calibrate", photo, *arguments]) == 2
    assert told in capsys.readouterr().err
    assert not state.exists()
