import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.capture.demo import SCENES, demo_frame, draw_lesion, render_view
from device.imaging.field_of_view import FieldOfView, find_field
from device.imaging.motion import SIDE, estimate_motion, motion_thumbnail

CANVAS = draw_lesion(SCENES[1])


def seen(x: float = 0.0, y: float = 0.0, light: float = 1.0) -> np.ndarray:
    """Return a lesion behind a round stop, moved by parts of the field's side."""
    side = 480
    moved = cv2.warpAffine(
        CANVAS[150:750, 150:750],
        np.array([[0.8, 0, x * side], [0, 0.8, y * side]]),
        (side, side),
        borderMode=cv2.BORDER_REFLECT_101,
    )
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    moved[np.hypot(rows, columns) > side / 2] = 0
    return np.clip(moved * light, 0, 255).astype(np.uint8)


@given(x=st.floats(-0.15, 0.15), y=st.floats(-0.15, 0.15))
def test_shift_of_the_skin_behind_a_stop_that_stays_is_measured(x: float, y: float) -> None:
    found = estimate_motion(motion_thumbnail(seen()), motion_thumbnail(seen(x, y)))
    assert found == pytest.approx(np.hypot(x, y), abs=0.02)


def test_same_picture_in_other_light_has_not_moved() -> None:
    assert estimate_motion(motion_thumbnail(seen()), motion_thumbnail(seen())) == 0.0
    assert estimate_motion(motion_thumbnail(seen()), motion_thumbnail(seen(light=0.8))) < 0.01


def test_sensor_noise_on_plain_skin_is_no_motion() -> None:
    random = np.random.default_rng(0)
    first, second = (
        motion_thumbnail(random.normal(150, 10, (600, 800, 3)).clip(0, 255).astype(np.uint8))
        for _ in range(2)
    )
    assert estimate_motion(first, second) == 0.0


def test_pictures_with_nothing_in_common_are_as_far_apart_as_can_be() -> None:
    random = np.random.default_rng(0)
    first, second = (random.normal(0, 40, (SIDE, SIDE)).astype(np.float32) for _ in range(2))
    assert estimate_motion(first, second) == 0.5


def test_share_is_of_the_field_of_view_whatever_the_frame() -> None:
    found = []
    for size in ((1024, 768), (1920, 1440)):
        first, second = (
            cv2.resize(render_view(CANVAS, SCENES[1], seconds), size) for seconds in (0.0, 0.8)
        )
        field = find_field(first)
        found.append(
            estimate_motion(motion_thumbnail(first, field), motion_thumbnail(second, field))
        )
    assert found[0] > 0.003
    assert found[0] == pytest.approx(found[1], abs=0.005)


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (40, 3), (64, 64), (151, 300)], ids=str)
def test_frame_of_any_size_has_a_small_picture(shape: tuple[int, int]) -> None:
    pixels = np.full((*shape, 3), 90, np.uint8)
    small = motion_thumbnail(pixels)
    assert small.shape == (SIDE, SIDE)
    assert small.dtype == np.float32
    assert estimate_motion(small, small) == 0.0


def test_only_the_field_is_compared() -> None:
    pixels = demo_frame(SCENES[0]).pixels.copy()
    field = FieldOfView(300, 200, 400)
    before = motion_thumbnail(pixels, field)
    pixels[:180] = pixels[:, :280] = 255
    np.testing.assert_array_equal(motion_thumbnail(pixels, field), before)
