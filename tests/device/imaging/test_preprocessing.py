import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.imaging.field import central_field
from device.imaging.preprocessing import (
    InputSpec,
    model_view,
    reduced,
    reduction,
    resize,
    scale,
    scale_table,
    to_tensor,
)

SQUARE = InputSpec(height=28, width=28, geometry="center-square")
FULL = InputSpec(height=28, width=28, geometry="full-frame")

sides = st.integers(1, 80)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), "u1")


def test_full_frame_is_the_image_itself() -> None:
    pixels = noise(5, 9)
    assert model_view(pixels, "full-frame") is pixels


@given(height=sides, width=sides)
def test_square_is_the_largest_and_centred(height: int, width: int) -> None:
    pixels = noise(height, width)
    part = model_view(pixels, "center-square")
    side = min(height, width)
    assert part.shape == (side, side, 3)
    assert np.shares_memory(part, pixels)
    top, left = (height - side) // 2, (width - side) // 2
    np.testing.assert_array_equal(part, pixels[top : top + side, left : left + side])
    assert abs((height - side - top) - top) <= 1
    assert abs((width - side - left) - left) <= 1


@given(height=sides, width=sides, geometry=st.sampled_from(["center-square", "full-frame"]))
def test_any_image_gets_the_tensors_size(height: int, width: int, geometry: str) -> None:
    spec = InputSpec(height=20, width=12, geometry=geometry)
    resized = resize(noise(height, width), spec)
    assert resized.shape == (20, 12, 3)
    assert resized.dtype == np.uint8


@given(colour=st.tuples(*[st.integers(0, 255)] * 3), height=sides, width=sides)
def test_one_colour_stays_that_colour(
    colour: tuple[int, int, int], height: int, width: int
) -> None:
    resized = resize(np.full((height, width, 3), colour, np.uint8), FULL)
    assert (resized == np.array(colour, np.uint8)).all()


def test_every_output_pixel_is_the_mean_of_those_under_it() -> None:
    pixels = noise(56, 112)
    blocks = pixels.reshape(28, 2, 28, 4, 3).astype(np.float64).mean(axis=(1, 3))
    difference = resize(pixels, FULL).astype(np.float64) - blocks
    assert np.abs(difference).max() <= 0.5


def test_image_of_the_tensors_size_is_not_changed() -> None:
    pixels = noise(28, 28)
    np.testing.assert_array_equal(resize(pixels, FULL), pixels)
    np.testing.assert_array_equal(resize(pixels, SQUARE), pixels)


def test_full_frame_squeezes_and_square_cuts() -> None:
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, :20] = 255
    assert (resize(pixels, FULL)[:, :5] == 255).all()
    assert not resize(pixels, SQUARE, central_field(60, 100)).any()


@pytest.mark.parametrize(
    ("height", "width", "factor"),
    [(150, 200, 1), (450, 600, 1), (599, 800, 1), (600, 800, 2), (1080, 1920, 3), (2160, 4096, 7)],
)
def test_large_frames_are_reduced_by_a_whole_number(height: int, width: int, factor: int) -> None:
    assert reduction(height, width) == factor
    small = reduced(np.zeros((height, width, 3), np.uint8))
    assert small.shape == (height // factor, width // factor, 3)


def test_reducing_takes_the_mean_of_whole_blocks() -> None:
    pixels = noise(905, 1207)
    blocks = pixels[:903, :1206].reshape(301, 3, 402, 3, 3).astype(np.float64).mean(axis=(1, 3))
    assert np.abs(reduced(pixels).astype(np.float64) - blocks).max() <= 0.5


def test_what_is_reduced_stays_as_it_is() -> None:
    small = reduced(noise(700, 900))
    assert reduced(small) is small
    np.testing.assert_array_equal(resize(noise(700, 900), FULL), resize(small, FULL))


def test_colour_order_is_kept() -> None:
    pixels = np.zeros((56, 56, 3), np.uint8)
    pixels[:, :, 0] = 200
    assert resize(pixels, FULL)[0, 0].tolist() == [200, 0, 0]
    assert to_tensor(pixels, FULL)[0, 0, 0].tolist() == pytest.approx([200 / 255, 0, 0])


def test_input_is_not_altered() -> None:
    pixels = noise(60, 60)
    before = pixels.copy()
    to_tensor(pixels, FULL)
    np.testing.assert_array_equal(pixels, before)


def test_image_that_may_not_be_written_is_accepted() -> None:
    pixels = noise(60, 61)
    pixels.flags.writeable = False
    assert to_tensor(pixels, SQUARE).shape == (1, 28, 28, 3)


@given(
    factor=st.floats(-4, 4, allow_nan=False, width=32),
    offset=st.floats(-200, 200, allow_nan=False, width=32),
)
def test_scaling_is_one_product_and_one_sum_in_float32(factor: float, offset: float) -> None:
    spec = msgspec.structs.replace(FULL, scale=factor, offset=offset)
    table = scale_table(spec)
    assert table.dtype == np.float32
    for value in (0, 1, 127, 255):
        assert table[value] == np.float32(value) * np.float32(factor) + np.float32(offset)


def test_table_and_tensor_hold_the_same_bits() -> None:
    spec = InputSpec(height=9, width=7, geometry="full-frame", scale=2 / 255, offset=-1.0)
    pixels = noise(40, 33)
    small = resize(pixels, spec)
    expected = scale_table(spec)[small][None]
    assert scale(small, spec).dtype == np.float32
    assert to_tensor(pixels, spec).tobytes() == expected.tobytes()
    assert to_tensor(pixels, spec).shape == (1, 9, 7, 3)


def test_scaling_reaches_both_ends_of_its_range() -> None:
    spec = InputSpec(height=1, width=1, geometry="full-frame", scale=2 / 255, offset=-1.0)
    table = scale_table(spec)
    assert table[0] == -1.0
    assert table[255] == pytest.approx(1.0, abs=1e-6)


def test_resize_agrees_with_opencv_on_a_photograph_sized_image() -> None:
    pixels = noise(450, 600)
    expected = cv2.resize(pixels, (28, 28), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(resize(pixels, FULL), expected)


@pytest.mark.parametrize(("height", "width"), [(0, 28), (28, 0), (1025, 28), (28, 1025), (-1, 28)])
def test_impossible_sizes_are_refused(height: int, width: int) -> None:
    with pytest.raises(ValueError, match="out of 1 to 1024"):
        InputSpec(height=height, width=width, geometry="full-frame")


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "bgr"},
        {"geometry": "circle"},
        {"resize": "cubic"},
        {"height": 0},
        {"height": "9"},
    ],
)
def test_section_that_is_not_understood_is_refused(change: dict[str, object]) -> None:
    section = {"height": 28, "width": 28, "geometry": "full-frame"}
    msgspec.convert(section, InputSpec)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(section | change, InputSpec)
