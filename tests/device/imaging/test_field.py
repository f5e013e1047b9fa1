import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.imaging.field import field_of_view, map_over_field


def test_field_is_the_largest_centred_square() -> None:
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, 20:80] = 7
    field = field_of_view(pixels)
    assert field.shape == (60, 60, 3)
    assert (field == 7).all()


def test_map_over_the_square_is_kept() -> None:
    values = np.random.default_rng(0).random((28, 28), np.float32)
    assert map_over_field(values, (768, 1024, 3), "center-square") is values


def test_map_of_a_square_frame_is_kept() -> None:
    values = np.random.default_rng(0).random((28, 28), np.float32)
    np.testing.assert_allclose(map_over_field(values, (90, 90, 3), "full-frame"), values, atol=1e-6)


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
    left, top = (width - side) / 2, (height - side) / 2
    cut_x = map_over_field(x, (height, width, 3), "full-frame")
    cut_y = map_over_field(y, (height, width, 3), "full-frame")
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
    cut = map_over_field(values, (height, width, 3), "full-frame")
    found_row, found_column = np.unravel_index(np.argmax(cut), cut.shape)
    assert (found_row + 0.5) / cells * 600 == pytest.approx(row * height, abs=15)
    assert (found_column + 0.5) / cells * 600 + 200 == pytest.approx(column * width, abs=20)


def test_what_lies_beside_the_square_is_cut_off() -> None:
    values = np.zeros((28, 28), np.float32)
    values[:, :3] = 1.0
    assert not map_over_field(values, (500, 1000, 3), "full-frame").any()
