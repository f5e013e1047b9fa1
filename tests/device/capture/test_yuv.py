import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.capture.yuv import yuv_to_rgb

COLOURS = [(220, 30, 20), (30, 200, 40), (20, 40, 210), (128, 128, 128), (255, 255, 255), (0, 0, 0)]
WEIGHTS = {
    "sYCC": (0.299, 0.114, True),
    "SMPTE170M": (0.299, 0.114, False),
    "Rec709": (0.2126, 0.0722, False),
    "Rec2020": (0.2627, 0.0593, False),
    "Rec709/Rec709/Rec709/Full": (0.2126, 0.0722, True),
    "Smpte170m/Rec709/Rec601/Limited": (0.299, 0.114, False),
}


def encoded(colour: tuple[int, int, int], space: str) -> tuple[int, int, int]:
    """Return Y, U and V as the standards define them."""
    red, blue, full = WEIGHTS[space]
    r, g, b = (c / 255 for c in colour)
    light = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - light) / (2 * (1 - blue)), (r - light) / (2 * (1 - red))
    if full:
        return round(255 * light), min(255, round(128 + 255 * u)), min(255, round(128 + 255 * v))
    return round(16 + 219 * light), round(128 + 224 * u), round(128 + 224 * v)


def buffer(
    colour: tuple[int, int, int], size: tuple[int, int], stride: int, kind: str, space: str
) -> NDArray[np.uint8]:
    """Return a camera's buffer of one colour; its padding is another one."""
    width, height = size
    y, u, v = encoded(colour, space)
    array = np.full((height * 3 // 2, stride), 77, np.uint8)
    array[:height, :width] = y
    first, second = (u, v) if kind in ("YUV420", "NV12") else (v, u)
    if kind.startswith("NV"):
        array[height:, 0:width:2] = first
        array[height:, 1:width:2] = second
    else:
        planes = array[height:].reshape(2, height // 2, stride // 2)
        planes[0, :, : width // 2], planes[1, :, : width // 2] = first, second
    return array


@pytest.mark.parametrize("kind", ["YUV420", "YVU420", "NV12", "NV21"])
@pytest.mark.parametrize("space", WEIGHTS)
def test_colours_come_back_in_every_format_and_colour_space(kind: str, space: str) -> None:
    for colour in COLOURS:
        rgb = yuv_to_rgb(buffer(colour, (12, 8), 16, kind, space), (12, 8), kind, space)
        assert rgb.shape == (8, 12, 3)
        np.testing.assert_allclose(rgb.reshape(-1, 3), [colour] * 96, atol=3)


@given(
    width=st.integers(1, 20).map(lambda n: 2 * n),
    height=st.integers(1, 20).map(lambda n: 2 * n),
    padding=st.integers(0, 16).map(lambda n: 2 * n),
)
def test_padding_is_never_seen(width: int, height: int, padding: int) -> None:
    array = buffer((200, 100, 50), (width, height), width + padding, "YUV420", "SMPTE170M")
    rgb = yuv_to_rgb(array, (width, height), "YUV420", "SMPTE170M")
    assert rgb.shape == (height, width, 3)
    np.testing.assert_allclose(rgb.reshape(-1, 3), [(200, 100, 50)] * (width * height), atol=3)


def test_colour_space_is_known_by_what_its_object_calls_itself() -> None:
    array = buffer((220, 30, 20), (12, 8), 16, "NV12", "Rec709")
    rgb = yuv_to_rgb(array, (12, 8), "NV12", "<libcamera.ColorSpace 'Rec709'>")
    np.testing.assert_allclose(rgb.reshape(-1, 3), [(220, 30, 20)] * 96, atol=3)


def test_unknown_colour_space_is_read_as_opencv_does() -> None:
    for colour in COLOURS:
        array = buffer(colour, (16, 8), 16, "YUV420", "SMPTE170M")
        ours = yuv_to_rgb(array, (16, 8), "YUV420", "None")
        theirs = cv2.cvtColor(array, cv2.COLOR_YUV2RGB_I420)
        np.testing.assert_allclose(ours.astype(int), theirs, atol=2)
