import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.capture.demo import SCENES, demo_frame
from device.errors import ImageError
from device.imaging.field_of_view import crop, find_field
from device.imaging.ruler import find_ticks


def ruler(spacing: float, turn: float = 0.0, side: int = 600, width: float = 1.6) -> np.ndarray:
    """Return a ruler with ticks every `spacing` pixels, every fifth and tenth longer."""
    axis = (np.arange(side) - side / 2 + 0.5).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    angle = np.radians(turn)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    number = np.rint(along / spacing)
    length = np.where(number % 10 == 0, 0.3, np.where(number % 5 == 0, 0.24, 0.17)) * side
    off = np.abs(along - number * spacing)
    ink = np.clip(width / 2 + 0.5 - off, 0, 1) * ((across > -20) & (across < length - 20))
    grey = np.where(np.abs(across) < 0.35 * side, 225, 160) - 190 * ink
    noise = np.random.default_rng(1).normal(0, 4, (side, side))
    grey = cv2.GaussianBlur(grey, (0, 0), 0.8) + noise
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


@given(spacing=st.floats(12, 60), turn=st.floats(0, 179))
@settings(max_examples=5)
def test_spacing_of_ticks_is_found_however_the_ruler_lies(spacing: float, turn: float) -> None:
    found = find_ticks(ruler(spacing, turn))
    assert found.spacing == pytest.approx(spacing, rel=0.01)
    assert abs((found.direction - turn + 90) % 180 - 90) < 2.0


@pytest.mark.parametrize("blur", [1.0, 2.0])
def test_ruler_that_is_not_quite_sharp_is_measured(blur: float) -> None:
    picture = cv2.GaussianBlur(ruler(60.0, 10.0), (0, 0), blur)
    assert find_ticks(picture).spacing == pytest.approx(60.0, rel=0.01)


def test_large_picture_gives_the_same_scale() -> None:
    assert find_ticks(ruler(80.0, 20.0, side=1200, width=5.0)).spacing == pytest.approx(
        80, rel=0.01
    )


def test_ruler_seen_through_a_round_stop_is_measured() -> None:
    picture = ruler(30.0, 33.0)
    rows, columns = np.mgrid[:600, :600] - 299.5
    picture[np.hypot(rows, columns) > 295] = 0
    assert find_ticks(picture).spacing == pytest.approx(30.0, rel=0.01)


@pytest.mark.parametrize("scene", range(len(SCENES)))
def test_skin_is_no_ruler(scene: int) -> None:
    pixels = demo_frame(SCENES[scene]).pixels
    with pytest.raises(ImageError, match="no ruler"):
        find_ticks(crop(pixels, find_field(pixels)))


@pytest.mark.parametrize("side", [1, 20, 49])
def test_picture_that_is_too_small_is_told(side: int) -> None:
    with pytest.raises(ImageError, match="too small"):
        find_ticks(np.full((side, side, 3), 120, np.uint8))


def test_picture_of_one_colour_has_no_ruler() -> None:
    with pytest.raises(ImageError, match="no ruler"):
        find_ticks(np.full((300, 300, 3), 120, np.uint8))
