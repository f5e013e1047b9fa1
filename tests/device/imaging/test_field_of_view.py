import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.imaging.field_of_view import (
    FieldOfView,
    Geometry,
    Square,
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
    # The middle of what is seen of it: the frame cuts it on the right.
    assert field.left == pytest.approx(65, abs=3)


def drawn(stop: np.ndarray, dark: int = 3) -> np.ndarray:
    """Return skin with a lesion in its middle, dark where `stop` is true."""
    height, width = stop.shape
    random = np.random.default_rng(0)
    pixels = np.array([205, 165, 145]) + random.normal(0, 6, (height, width, 3))
    rows, columns = np.mgrid[:height, :width]
    lesion = np.hypot((columns - width / 2) / 1.3, rows - height / 2) < height / 9
    pixels[lesion] = np.array([60, 38, 30])
    pixels[stop] = dark + random.normal(0, 1.5, (int(stop.sum()), 3))
    return np.clip(cv2.GaussianBlur(pixels, (0, 0), 0.8), 0, 255).astype(np.uint8)


def outside(kind: str, height: int, width: int) -> np.ndarray:
    """Return where a stop of a kind hides the frame: bool, (height, width)."""
    rows, columns = np.mgrid[:height, :width]
    y, x = (rows - height / 2) / height, (columns - width / 2) / height
    match kind:
        case "whole":
            return np.hypot(x, y) > 0.46
        case "touching":
            return np.hypot(x, y) > 0.5
        case "small":
            return np.hypot(x - 0.1, y + 0.05) > 0.25
        case "off-centre":
            return np.hypot(x + 0.12, y - 0.08) > 0.5
        case "cut above and below":
            return np.hypot(x, y) > 0.57
        case "cut on one side":
            return np.hypot(x - 0.3, y) > 0.62
        case "cut on every side":
            return np.hypot(x, y) > 0.74
        case "rounded square":
            beyond = np.hypot(np.maximum(abs(x) - 0.3, 0), np.maximum(abs(y) - 0.3, 0))
            return beyond > 0.16
        case "thin ring":
            return (abs(y) > 0.48) | (abs(x) > width / height / 2 - 0.02)
    raise AssertionError(kind)


STOPS = (
    "whole", "touching", "small", "off-centre", "cut above and below", "cut on one side",
    "cut on every side", "rounded square", "thin ring",
)  # fmt: skip


@pytest.mark.parametrize("dark", [0, 8, 60], ids=["black", "nearly black", "grey"])
@pytest.mark.parametrize("size", [(240, 320), (450, 600), (84, 84), (768, 1024)], ids=str)
@pytest.mark.parametrize("kind", STOPS)
def test_model_is_shown_the_largest_square_that_no_stop_hides(
    kind: str, size: tuple[int, int], dark: int
) -> None:
    hidden = outside(kind, *size)
    field = find_field(drawn(hidden, dark))
    assert field.lies_in(size)
    shown = field.unobstructed
    assert not crop(hidden, shown).any()
    # No larger square fits anywhere, but for the blurred rim.
    bordered = np.pad((~hidden).astype(np.uint8), 1)
    largest = 2 * cv2.distanceTransform(bordered, cv2.DIST_C, 3).max() - 1
    assert shown.side >= 0.88 * largest - 1


@pytest.mark.parametrize("kind", ["whole", "off-centre"])
def test_reflections_on_the_rim_and_words_beside_it_change_nothing(kind: str) -> None:
    hidden = outside(kind, 450, 600)
    pixels = drawn(hidden)
    marked = pixels.copy()
    cv2.putText(marked, "12 Mar", (4, 440), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    cv2.ellipse(marked, (300, 225), (235, 235), 0, 20, 50, (190, 190, 190), 3)
    plain, found = find_field(pixels).unobstructed, find_field(marked).unobstructed
    assert found.side == pytest.approx(plain.side, abs=0.04 * plain.side)
    assert not crop(hidden, found).any()


def test_stop_is_found_behind_a_black_lesion_that_touches_it() -> None:
    hidden = outside("whole", 450, 600)
    pixels = drawn(hidden)
    rows, columns = np.mgrid[:450, :600]
    pixels[(np.hypot(columns - 440, rows - 225) < 110) & ~hidden] = (30, 20, 18)
    shown = find_field(pixels).unobstructed
    assert not crop(hidden, shown).any()
    # Most of the lesion is still seen.
    assert shown.side > 0.5 * 0.92 * 450


@pytest.mark.parametrize("at", [(0, 0), (600, 450), (300, 0), (0, 225)])
def test_black_lesion_at_the_frames_edge_is_no_stop(at: tuple[int, int]) -> None:
    pixels = drawn(np.zeros((450, 600), bool))
    rows, columns = np.mgrid[:450, :600]
    random = np.random.default_rng(1)
    edge = 150 + 25 * np.sin(5 * np.arctan2(rows - at[1], columns - at[0]))
    lesion = np.hypot(columns - at[0], rows - at[1]) < edge
    pixels[lesion] = random.integers(15, 70, (int(lesion.sum()), 3))
    assert find_field(pixels) == central_field(450, 600)


@pytest.mark.parametrize("skin", [(230, 190, 175), (150, 105, 80), (96, 66, 52)], ids=str)
def test_light_that_falls_off_to_the_corners_is_no_stop(skin: tuple[int, int, int]) -> None:
    rows, columns = np.mgrid[:450, :600]
    falling = 1 - 0.8 * ((columns - 300) ** 2 + (rows - 225) ** 2) / 375**2
    pixels = (np.array(skin) * np.clip(falling, 0.15, 1)[:, :, None]).astype(np.uint8)
    assert find_field(pixels).unobstructed.side > 0.85 * 450


def test_map_over_what_a_stop_leaves_lies_over_the_same_skin() -> None:
    field = FieldOfView(100, 0, 600, Square(200, 100, 400))
    values = np.zeros((40, 40), np.float32)
    values[10, 30] = 1.0
    over = saliency_over_field(values, (600, 800, 3), "center-square", field)
    assert over.shape == (60, 60)
    row, column = np.unravel_index(np.argmax(over), over.shape)
    assert (row + 0.5) * 10 == pytest.approx(100 + 10.5 * 10, abs=10)
    assert (column + 0.5) * 10 == pytest.approx(100 + 30.5 * 10, abs=10)
    ones = saliency_over_field(np.ones((40, 40), np.float32), (600, 800, 3), "center-square", field)
    assert ones[0].max() == ones[:, 0].max() == 0.0
    assert ones[len(ones) // 2, len(ones) // 2] == 1.0


@given(height=st.integers(1, 400), width=st.integers(1, 400), seed=st.integers(0, 9))
def test_field_lies_in_any_frame(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 60, (height, width, 3)).astype(np.uint8)
    field = find_field(pixels)
    assert field.side >= 1
    assert crop(pixels, field).shape == (field.side, field.side, 3)
    assert field.lies_in((height, width))
    assert field.unobstructed.lies_in((height, width))


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
     (FieldOfView(0, 1, 48), False), (FieldOfView(-1, 0, 48), False),
     (FieldOfView(0, -1, 47), False), (FieldOfView(8, 8, 0), False),
     (FieldOfView(8, 8, -4), False), (FieldOfView(0, 0, 48, Square(8, 8, 30)), True),
     (FieldOfView(0, 0, 48, Square(50, 8, 30)), False)],
)  # fmt: skip
def test_field_lies_in_a_frame_that_holds_all_of_it(field: FieldOfView, lies: bool) -> None:
    assert field.lies_in((48, 64, 3)) is lies
