import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.errors import ImageError
from device.imaging.image_file import read_image
from tests.device.images import PATTERN, encoded
from tests.device.imaging.test_jpeg_file import BAD_TAG

PNG = encoded(PATTERN, "PNG")
AFTER_HEADER = 8 + 25


def chunk(kind: bytes, body: bytes, crc: int | None = None) -> bytes:
    right = zlib.crc32(kind + body)
    return (
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", right if crc is None else crc)
    )


def with_chunk(*chunks: bytes) -> bytes:
    return PNG[:AFTER_HEADER] + b"".join(chunks) + PNG[AFTER_HEADER:]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            with_chunk(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"x" * (9 << 20))),
            id="large-xmp",
        ),
        pytest.param(
            with_chunk(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(9 << 20)))), id="text-bomb"
        ),
        pytest.param(with_chunk(chunk(b"tEXt", b"a\0b", crc=7)), id="bad-sum-in-text"),
        pytest.param(with_chunk(chunk(b"iCCP", b"")), id="empty-profile"),
        pytest.param(with_chunk(chunk(b"iCCP", b"a\0\x05nonsense")), id="odd-profile"),
        pytest.param(
            with_chunk(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(9 << 20)))), id="profile-bomb"
        ),
        pytest.param(with_chunk(chunk(b"eXIf", b"nonsense")), id="exif-that-is-none"),
        pytest.param(with_chunk(chunk(b"acTL", struct.pack(">II", 0, 0))), id="no-animation"),
        pytest.param(with_chunk(chunk(b"pHYs", b"x")), id="short-size"),
        pytest.param(PNG + b"more", id="more-after-the-end"),
        pytest.param(PNG[:-12], id="no-mark-of-the-end"),
    ],
)
def test_what_touches_no_pixel_decides_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PATTERN)


def test_first_picture_of_an_animation_is_read(tmp_path: Path) -> None:
    second = Image.new("RGB", (40, 24))
    content = encoded(PATTERN, "PNG", save_all=True, append_images=[second])
    (tmp_path / "a.png").write_bytes(content)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PATTERN)


def test_orientation_is_obeyed(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(with_chunk(chunk(b"eXIf", BAD_TAG[6:])))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(PATTERN, -1))


@pytest.mark.parametrize("kind", [b"PLTE", b"tRNS"])
def test_table_without_end_is_refused(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "a.png").write_bytes(with_chunk(chunk(kind, bytes(3000))))
    with pytest.raises(ImageError, match="too long"):
        read_image(tmp_path / "a.png")


def test_pixels_with_a_bad_sum_are_refused(tmp_path: Path) -> None:
    content = bytearray(PNG)
    content[content.index(b"IDAT") + 40] ^= 0xFF
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match="damaged"):
        read_image(tmp_path / "a.png")


def test_chunks_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(with_chunk(chunk(b"tEXt", b"") * 100_001))
    with pytest.raises(ImageError, match="more than 100000 chunks"):
        read_image(tmp_path / "a.png")
