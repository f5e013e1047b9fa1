import struct
from pathlib import Path

import numpy as np
import pytest

from device.errors import ImageError
from device.imaging.image_file import read_image
from tests.device.images import PATTERN, cmyk_jpeg, encoded, jpeg_pixels
from tests.fuzz.files import change_one_byte

JPEG = encoded(PATTERN, "JPEG", quality=90)
BAD_TAG = b"Exif\0\0" + struct.pack(
    "<4sIHHHIIHHIII", b"II*\0", 8, 2, 0x0112, 3, 1, 6, 0x9999, 5, 1, 0xFFFF, 0
)
"""An orientation, and a tag whose value lies outside the block."""


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segment(content: bytes, added: bytes) -> bytes:
    return content[:2] + added + content[2:]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(JPEG[:-2] + bytes(5) + JPEG[-2:], id="zeros-before-the-end"),
        pytest.param(JPEG[:-2], id="no-mark-of-the-end"),
        pytest.param(JPEG + b"\0\xffmore", id="more-after-the-end"),
        pytest.param(JPEG.replace(b"JFIF\0\x01\x01", b"JFIF\0\x07\x01"), id="jfif-of-tomorrow"),
        pytest.param(JPEG[:20] + b"junk" + JPEG[20:], id="junk-in-the-header"),
        pytest.param(with_segment(JPEG, segment(0xEE, b"Adobe\0d\0\0\0\0\x09")), id="adobe-9"),
        pytest.param(with_segment(JPEG, segment(0xE2, b"ICC_PROFILE\0\x01\x01" + b"x" * 200)),
                     id="profile-that-is-none"),
        pytest.param(with_segment(JPEG, segment(0xE2, b"ICC_PROFILE\0\x09\x02")), id="profile-9"),
        pytest.param(with_segment(JPEG, segment(0xFE, b"\xff\xda" * 9000)), id="long-comment"),
    ],
)  # fmt: skip
def test_what_touches_no_pixel_decides_nothing(content: bytes) -> None:
    np.testing.assert_array_equal(jpeg_pixels(content), jpeg_pixels(JPEG))


def test_orientation_beside_a_bad_tag_is_obeyed(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(with_segment(JPEG, segment(0xE1, BAD_TAG)))
    turned = np.rot90(jpeg_pixels(JPEG), -1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), turned)


def test_a_picture_that_libjpeg_warns_of_is_refused() -> None:
    noticed = change_one_byte(200)
    # What a changed byte ruins is not always noticed: JPEG has no sums. Before, nothing was.
    assert noticed.ruined > 40
    assert noticed.ruined_refused > noticed.ruined / 4


def test_missing_pixels_are_not_made_up() -> None:
    content = encoded(np.tile(PATTERN, (4, 4, 1)), "JPEG", quality=95)
    for end in (content[:-60] + content[-2:], content[:-60], content[:-60] + bytes(60)):
        with pytest.raises(ImageError, match="damaged or cut short"):
            jpeg_pixels(end)


def test_too_many_scans_are_refused_before_decoding() -> None:
    content = encoded(PATTERN, "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    jpeg_pixels(content)
    with pytest.raises(ImageError, match="more than 100 scans"):
        jpeg_pixels(content[:-2] + content[last:-2] * 200 + content[-2:])


@pytest.mark.parametrize("precision", [12, 16])
def test_unusual_jpeg_is_called_so(precision: int) -> None:
    content = bytearray(JPEG)
    content[content.index(b"\xff\xc0") + 4] = precision
    with pytest.raises(ImageError, match="unusual kind"):
        jpeg_pixels(bytes(content))


@pytest.mark.parametrize("content", [JPEG[:20], JPEG[:4], b"\xff\xd8\xff\xd9", b"\xff\xd8\xff" * 9])
def test_header_cut_short_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"/a: the image is damaged") as caught:
        read_image(path)
    assert len(str(caught.value).splitlines()) == 1


def test_grey_jpeg_has_equal_channels() -> None:
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (16, 1))
    pixels = jpeg_pixels(encoded(ramp, "JPEG", quality=100))
    assert (pixels == pixels[:, :, :1]).all()
    np.testing.assert_allclose(pixels[:, :, 0], ramp, atol=2)


def test_progressive_jpeg_has_the_same_pixels() -> None:
    progressive = encoded(PATTERN, "JPEG", quality=90, progressive=True)
    np.testing.assert_array_equal(jpeg_pixels(progressive), jpeg_pixels(JPEG))


def test_print_shops_jpeg_with_odd_metadata_is_no_negative() -> None:
    content = with_segment(
        cmyk_jpeg(), segment(0xE1, BAD_TAG.replace(b"\x06\0\0\0", b"\x01\0\0\0"))
    )
    np.testing.assert_allclose(jpeg_pixels(content), PATTERN, atol=6)
