import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.imaging.field_of_view import (
    FieldOfView,
    Geometry,
    central_field,
    crop,
    find_field,
    saliency_over_field,
)


def stop(
    height: int, width: int, x: float, y: float, radius: float, light: int = 150
) -> np.ndarray:
    """Return a frame that is lit inside a round stop."""
    random = np.random.default_rng(0)
    pixels = random.integers(130, 170, (height, width, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:height, :width]
    pixels[np.hypot(columns - x, rows - y) > radius] = 3
    return pixels


def test_field_without_a_stop_is_the_largest_centred_square() -> None:
    pixels = np.full((60, 100, 3), 120, np.uint8)
    assert find_field(pixels) == central_field(60, 100) == FieldOfView(20, 0, 60)


@pytest.mark.parametrize("pixels", [np.zeros((60, 100, 3), np.uint8), np.eye(90, dtype=np.uint8)])
def test_field_of_a_dark_frame_is_the_centred_square(pixels: np.ndarray) -> None:
    frame = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None] * 255, 3, axis=2)
    assert find_field(frame) == central_field(*frame.shape[:2])


@given(
    x=st.floats(0.35, 0.65), y=st.floats(0.4, 0.6), radius=st.floats(0.2, 0.45),
    scale=st.sampled_from([1, 2, 4]),
)  # fmt: skip
def test_round_stop_is_found_wherever_it_lies(
    x: float, y: float, radius: float, scale: int
) -> None:
    height, width = 180 * scale, 320 * scale
    centre_x, centre_y, pixels = x * width, y * height, radius * height
    field = find_field(stop(height, width, centre_x, centre_y, pixels))
    step = max(1, height // 150)
    assert field.side == pytest.approx(2 * pixels, abs=4 * step)
    left = min(max(centre_x - field.side / 2, 0), width - field.side)
    top = min(max(centre_y - field.side / 2, 0), height - field.side)
    assert field.left == pytest.approx(left, abs=3 * step)
    assert field.top == pytest.approx(top, abs=3 * step)


def test_stop_that_reaches_out_of_the_frame_gives_the_whole_height() -> None:
    field = find_field(stop(300, 400, 220, 150, 190))
    assert field.side == 300
    assert field.left == pytest.approx(70, abs=3)


@given(height=st.integers(1, 400), width=st.integers(1, 400), seed=st.integers(0, 9))
def test_field_lies_in_any_frame(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 60, (height, width, 3)).astype(np.uint8)
    field = find_field(pixels)
    assert field.side >= 1
    assert crop(pixels, field).shape == (field.side, field.side, 3)


def over_centre(values: np.ndarray, shape: tuple[int, ...], geometry: Geometry) -> np.ndarray:
    return saliency_over_field(values, shape, geometry, central_field(*shape[:2]))


def test_map_over_the_square_is_kept() -> None:
    values = np.random.default_rng(0).random((28, 28), np.float32)
    assert over_centre(values, (768, 1024, 3), "center-square") is values


def test_map_of_a_square_frame_is_kept() -> None:
    values = np.random.default_rng(0).random((28, 28), np.float32)
    np.testing.assert_allclose(over_centre(values, (90, 90, 3), "full-frame"), values, atol=1e-6)


@given(
    height=st.integers(50, 2000),
    width=st.integers(50, 2000),
    rows=st.integers(2, 40),
    columns=st.integers(2, 40),
)
def test_map_over_the_full_frame_is_cut_to_the_square(
    height: int, width: int, rows: int, columns: int
) -> None:
    # Maps that hold where in the frame they are, as a share of it, at the middle of each cell.
    x = np.tile((np.arange(columns, dtype=np.float32) + 0.5) / columns, (rows, 1))
    y = np.tile((np.arange(rows, dtype=np.float32)[:, None] + 0.5) / rows, (1, columns))
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    cut_x = over_centre(x, (height, width, 3), "full-frame")
    cut_y = over_centre(y, (height, width, 3), "full-frame")
    assert cut_x.shape == cut_y.shape == (rows, columns)
    assert cut_x.dtype == np.float32
    # OpenCV places its samples on a grid of 1/32 of a cell.
    np.testing.assert_allclose(
        cut_x, np.broadcast_to((left + x * side) / width, x.shape), atol=1 / 16 / columns
    )
    np.testing.assert_allclose(
        cut_y, np.broadcast_to((top + y * side) / height, y.shape), atol=1 / 16 / rows
    )


@pytest.mark.parametrize(("row", "column"), [(0.5, 0.5), (0.2, 0.7), (0.9, 0.3)])
def test_hot_spot_lies_over_the_same_skin(row: float, column: float) -> None:
    height, width, cells = 600, 1000, 50
    values = np.zeros((cells, cells), np.float32)
    values[int(row * cells), int(column * cells)] = 1.0
    cut = over_centre(values, (height, width, 3), "full-frame")
    found_row, found_column = np.unravel_index(np.argmax(cut), cut.shape)
    assert (found_row + 0.5) / cells * 600 == pytest.approx(row * height, abs=15)
    assert (found_column + 0.5) / cells * 600 + 200 == pytest.approx(column * width, abs=20)


def test_what_lies_beside_the_square_is_cut_off() -> None:
    values = np.zeros((28, 28), np.float32)
    values[:, :3] = 1.0
    assert not over_centre(values, (500, 1000, 3), "full-frame").any()


@pytest.mark.parametrize(
    ("field", "lies"),
    [(FieldOfView(0, 0, 48), True), (FieldOfView(16, 0, 48), True), (FieldOfView(17, 0, 48), False),
     (FieldOfView(0, 1, 48), False)],
)  # fmt: skip
def test_field_lies_in_a_frame_that_holds_all_of_it(field: FieldOfView, lies: bool) -> None:
    assert field.lies_in((48, 64, 3)) is lies
