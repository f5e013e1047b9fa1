import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.capture.demo import SCENES, demo_frame
from device.imaging.field_of_view import WORKING_SIDE, FieldOfView, central_field, crop
from device.imaging.preprocessing import (
    InputSpec,
    crop_field,
    downscale,
    model_region,
    resize_known_field,
    resize_to_input,
    scale_pixels,
    scale_table,
)

SQUARE = InputSpec(height=28, width=28, geometry="center-square")
FULL = InputSpec(height=28, width=28, geometry="full-frame")

sides = st.integers(1, 80)


def tensor_of(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    return scale_pixels(resize_to_input(pixels, spec), spec)[None]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), "u1")


def test_full_frame_is_the_image_itself() -> None:
    pixels = noise(5, 9)
    assert model_region(pixels, "full-frame", FieldOfView(2, 0, 5)) is pixels


def test_square_is_a_view_of_the_field() -> None:
    pixels = noise(20, 30)
    part = model_region(pixels, "center-square", FieldOfView(7, 3, 12))
    assert np.shares_memory(part, pixels)
    np.testing.assert_array_equal(part, pixels[3:15, 7:19])


@given(height=sides, width=sides)
def test_field_without_a_stop_is_the_largest_square_and_centred(height: int, width: int) -> None:
    pixels = noise(height, width) | 64
    look = crop_field(pixels)
    side = min(height, width)
    assert look.pixels.shape == (side, side, 3)
    assert look.field == central_field(height, width)
    np.testing.assert_array_equal(look.pixels, crop(pixels, look.field))


@given(height=sides, width=sides, geometry=st.sampled_from(["center-square", "full-frame"]))
def test_any_image_gets_the_tensors_size(height: int, width: int, geometry: str) -> None:
    spec = InputSpec(height=20, width=12, geometry=geometry)
    resized = resize_to_input(noise(height, width), spec)
    assert resized.shape == (20, 12, 3)
    assert resized.dtype == np.uint8


@given(colour=st.tuples(*[st.integers(0, 255)] * 3), height=sides, width=sides)
def test_one_colour_stays_that_colour(
    colour: tuple[int, int, int], height: int, width: int
) -> None:
    resized = resize_to_input(np.full((height, width, 3), colour, np.uint8), FULL)
    assert (resized == np.array(colour, np.uint8)).all()


def test_every_output_pixel_is_the_mean_of_those_under_it() -> None:
    pixels = noise(56, 112)
    blocks = pixels.reshape(28, 2, 28, 4, 3).astype(np.float64).mean(axis=(1, 3))
    difference = resize_to_input(pixels, FULL).astype(np.float64) - blocks
    assert np.abs(difference).max() <= 0.5


def test_image_of_the_tensors_size_is_not_changed() -> None:
    pixels = noise(28, 28)
    np.testing.assert_array_equal(resize_to_input(pixels, FULL), pixels)
    np.testing.assert_array_equal(resize_to_input(pixels, SQUARE), pixels)


def test_full_frame_squeezes_and_square_cuts() -> None:
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, :20] = 255
    assert (resize_to_input(pixels, FULL)[:, :5] == 255).all()
    assert not resize_to_input(
        pixels, SQUARE, crop_field(pixels, field=central_field(60, 100))
    ).any()


@pytest.mark.parametrize(
    ("height", "width", "factor"),
    [(150, 200, 1), (299, 400, 1), (300, 400, 2), (450, 600, 2), (768, 1024, 4), (1080, 1920, 4),
     (2160, 4096, 8)],
)  # fmt: skip
def test_large_frames_are_halved_to_no_less_than_training_images_hold(
    height: int, width: int, factor: int
) -> None:
    small = downscale(np.zeros((height, width, 3), np.uint8))
    assert small.shape == (height // factor, width // factor, 3)


def test_halving_takes_the_mean_of_whole_blocks() -> None:
    pixels = noise(603, 1205)
    blocks = pixels[:600, :1204].reshape(150, 4, 301, 4, 3).astype(np.float64).mean(axis=(1, 3))
    # Each of the two halvings rounds.
    assert np.abs(downscale(pixels).astype(np.float64) - blocks).max() <= 1.0


def test_what_is_reduced_stays_as_it_is() -> None:
    small = downscale(noise(700, 900))
    assert downscale(small) is small
    np.testing.assert_array_equal(
        resize_to_input(noise(700, 900), FULL), resize_to_input(small, FULL)
    )


def test_model_with_a_larger_input_is_given_no_less_than_that() -> None:
    assert crop_field(noise(880, 1200)).pixels.shape == (220, 220, 3)
    assert crop_field(noise(880, 1200), 224).pixels.shape == (440, 440, 3)


@pytest.mark.parametrize(
    ("radius", "input_side", "side"),
    [
        (420, 0, 210),
        (420, 96, 210),
        (420, 160, 420),
        (200, 96, 200),
        (140, 96, 280),
        (140, 224, 280),
    ],
)
def test_small_stop_in_a_large_frame_keeps_its_detail(
    radius: int, input_side: int, side: int
) -> None:
    rows, columns = np.mgrid[:900, :1200]
    pixels = np.where(np.hypot(columns - 500, rows - 450) <= radius, 150, 0).astype(np.uint8)
    look = crop_field(np.repeat(pixels[:, :, None], 3, axis=2), input_side)
    assert look.field.side == pytest.approx(2 * radius, abs=20)
    assert look.field.left + look.field.side / 2 == pytest.approx(500, abs=12)
    assert len(look.pixels) == pytest.approx(side, abs=16)
    assert look.unobstructed.min() == 150
    assert len(look.unobstructed) / len(look.pixels) == pytest.approx(0.66, abs=0.02)
    assert len(look.pixels) >= min(WORKING_SIDE, look.field.side)


@pytest.mark.parametrize("shape", [(768, 1024), (901, 1203), (400, 533)])
@pytest.mark.parametrize("least", [WORKING_SIDE, 224])
@pytest.mark.parametrize("radius", [0.39, 0.2])
def test_known_field_gives_what_is_found(shape: tuple[int, int], least: int, radius: float) -> None:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    away = np.hypot(columns - shape[1] / 2, rows - shape[0] / 2)
    pixels = (noise(*shape) | 64) * (away <= radius * shape[0])[:, :, None].astype(np.uint8)
    found = crop_field(pixels, least)
    assert found.field.side < shape[0]
    known = crop_field(pixels, least, found.field)
    assert known.field == found.field
    np.testing.assert_array_equal(known.pixels, found.pixels)


def test_colour_order_is_kept() -> None:
    pixels = np.zeros((56, 56, 3), np.uint8)
    pixels[:, :, 0] = 200
    assert resize_to_input(pixels, FULL)[0, 0].tolist() == [200, 0, 0]
    assert tensor_of(pixels, FULL)[0, 0, 0].tolist() == pytest.approx([200 / 255, 0, 0])


def test_input_is_not_altered() -> None:
    pixels = noise(60, 60)
    before = pixels.copy()
    tensor_of(pixels, FULL)
    np.testing.assert_array_equal(pixels, before)


def test_image_that_may_not_be_written_is_accepted() -> None:
    pixels = noise(60, 61)
    pixels.flags.writeable = False
    assert tensor_of(pixels, SQUARE).shape == (1, 28, 28, 3)


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
    small = resize_to_input(pixels, spec)
    expected = scale_table(spec)[small][None]
    assert scale_pixels(small, spec).dtype == np.float32
    assert tensor_of(pixels, spec).tobytes() == expected.tobytes()
    assert tensor_of(pixels, spec).shape == (1, 9, 7, 3)


def test_scaling_reaches_both_ends_of_its_range() -> None:
    spec = InputSpec(height=1, width=1, geometry="full-frame", scale=2 / 255, offset=-1.0)
    table = scale_table(spec)
    assert table[0] == -1.0
    assert table[255] == pytest.approx(1.0, abs=1e-6)


def test_resize_agrees_with_opencv_on_a_photograph_sized_image() -> None:
    pixels = noise(299, 399)
    expected = cv2.resize(pixels, (28, 28), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(resize_to_input(pixels, FULL), expected)


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


@pytest.mark.parametrize("geometry", ["center-square", "full-frame"])
@pytest.mark.parametrize("height", [150, 300, 433, 768, 1080])
@pytest.mark.parametrize("stopped", [False, True])
def test_field_that_is_known_gives_what_is_seen_of_one_that_is_looked_for(
    stopped: bool, height: int, geometry: str
) -> None:
    demo = demo_frame(SCENES[0]).pixels
    seen = demo if stopped else demo[200:560, 300:780]
    pixels = cv2.resize(seen, (height * 4 // 3, height), interpolation=cv2.INTER_AREA)
    spec = InputSpec(height=96, width=96, geometry=geometry)
    field = crop_field(pixels, 96).field
    assert (field.inscribed is not None) == stopped
    np.testing.assert_array_equal(
        resize_known_field(pixels, spec, field), resize_to_input(pixels, spec)
    )
