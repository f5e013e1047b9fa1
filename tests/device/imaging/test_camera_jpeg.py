import contextlib
import io
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from device.errors import ImageError
from device.imaging.camera_jpeg import MAX_DECODED_PIXELS, decode_frame
from tests.device.images import PATTERN, encoded, huge_png

NOISE = np.random.default_rng(3).integers(0, 256, (240, 320, 3), np.uint8)
JPEG = encoded(NOISE, "JPEG", quality=95)
HALF = len(JPEG) // 2


def without_tables(content: bytes) -> bytes:
    """Return a JPEG without its Huffman tables, as many cameras send it."""
    kept, at = bytearray(content[:2]), 2
    while content[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")
        if content[at + 1] != 0xC4:
            kept += content[at:end]
        at = end
    return bytes(kept) + content[at:]


def test_frame_is_what_any_viewer_shows() -> None:
    shown = np.asarray(Image.open(io.BytesIO(JPEG)))
    np.testing.assert_array_equal(decode_frame(JPEG), shown)


@pytest.mark.parametrize(
    "options", [{"subsampling": 0}, {"subsampling": 1}, {"restart_marker_blocks": 7}]
)
def test_every_sampling_and_restart_markers_are_read(options: dict[str, int]) -> None:
    content = encoded(PATTERN, "JPEG", quality=100, **options)
    np.testing.assert_allclose(
        decode_frame(content), np.asarray(Image.open(io.BytesIO(content))), atol=8
    )


def test_grey_frame_is_rgb_too() -> None:
    assert decode_frame(encoded(NOISE[:, :, 0], "JPEG")).shape == (240, 320, 3)


def test_huffman_tables_may_be_missing_and_filling_may_follow() -> None:
    content = without_tables(encoded(NOISE, "JPEG", quality=95))
    np.testing.assert_array_equal(decode_frame(content + bytes(4000)), decode_frame(JPEG))


@pytest.mark.parametrize("content", [JPEG[:-2], JPEG[:-2] + bytes(700) + JPEG[-2:]])
def test_frame_of_which_no_pixel_is_missing_is_taken(content: bytes) -> None:
    """Some cameras fill the scan up with zeros, or leave the mark of the end out."""
    np.testing.assert_array_equal(decode_frame(content), decode_frame(JPEG))


@pytest.mark.parametrize(
    "damaged",
    [
        JPEG[:HALF],
        JPEG[:HALF] + bytes(len(JPEG) - HALF),
        JPEG[:HALF] + JPEG[HALF + 500 :],
        JPEG[:HALF] + bytes(500) + JPEG[HALF + 500 :],
        JPEG[:300],
        b"",
        b"\xff\xd8",
        b"\xff\xd8" * 50,
        JPEG.replace(b"\xff\xda", b"\xff\xd9", 1),
        encoded(NOISE, "PNG"),
        huge_png(),
    ],
)
def test_damaged_frame_is_refused(damaged: bytes) -> None:
    with pytest.raises(ImageError):
        decode_frame(damaged)


def test_frame_of_several_scans_is_refused_by_its_header() -> None:
    with pytest.raises(ImageError, match="no JPEG of a single scan"):
        decode_frame(encoded(NOISE, "JPEG", progressive=True))


def test_frame_that_is_too_large_is_refused_by_its_header() -> None:
    with pytest.raises(ImageError, match="60000 x 60000"):
        at = JPEG.index(b"\xff\xc0") + 5
        decode_frame(JPEG[:at] + b"\xea\x60\xea\x60" + JPEG[at + 4 :])


@pytest.mark.parametrize(
    ("size", "given"),
    [((3840, 2160), (3840, 2160)), ((3841, 2163), (1921, 1082)), ((5000, 5000), (2500, 2500))],
)
def test_very_large_frame_is_reduced_while_it_is_decoded(
    size: tuple[int, int], given: tuple[int, int]
) -> None:
    pixels = decode_frame(encoded(Image.new("RGB", size, (200, 150, 130)), "JPEG"))
    assert pixels.shape == (given[1], given[0], 3)
    assert given[0] * given[1] <= MAX_DECODED_PIXELS
    np.testing.assert_allclose(pixels[-1, -1], (200, 150, 130), atol=4)


@given(at=st.integers(0, len(JPEG) - 1), value=st.integers(0, 255), cut=st.integers(0, 2000))
def test_any_bytes_give_a_frame_or_the_projects_error(at: int, value: int, cut: int) -> None:
    content = bytearray(JPEG)
    content[at] = value
    with contextlib.suppress(ImageError):
        assert decode_frame(bytes(content[: len(content) - cut])).shape[2] == 3


_MEASURE = """
import resource, sys
from device.imaging.camera_jpeg import decode_frame
content = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
frames = [decode_frame(content) for _ in range(5)]
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_burst_of_the_largest_frames_takes_little_memory() -> None:
    content = encoded(Image.effect_noise((5000, 5000), 20).convert("RGB"), "JPEG", quality=80)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE], input=content, capture_output=True, check=True,
        env=os.environ,
    )  # fmt: skip
    assert int(done.stdout) < 150
