import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from device.imaging.decoding import Limits
from device.imaging.pillow_decoder import decode_with_pillow
from tests.device.images import PATTERN, STORED, encoded
from tests.device.imaging.test_jpeg_file import BAD_TAG
from tests.fuzz.files import read_here

OUTSIDE = 0xFFFFFFF0
TAGS = {
    "no-more": {},
    "exif-outside": {34665: (4, 1, OUTSIDE)},
    "unknown-type": {0x9999: (77, 5, 5)},
    "value-outside": {0x9999: (5, 1, OUTSIDE)},
    "profile-outside": {34675: (7, 4000, OUTSIDE)},
    "xmp-without-end": {700: (1, 0x7FFFFFFF, 0)},
    "date-outside": {306: (2, 20, OUTSIDE)},
}


def tiff_with(tags: dict[int, tuple[int, int, int]], orientation: int, *, deflated: bool) -> bytes:
    """Return `PATTERN` as a TIFF with more tags: type, count and value of each."""
    height, width = STORED[orientation].shape[:2]
    data = STORED[orientation].tobytes()
    data = zlib.compress(data) if deflated else data
    depths = 8 + 2 + 12 * (10 + len(tags)) + 4
    entries = {
        256: (4, 1, width), 257: (4, 1, height), 258: (3, 3, depths),
        259: (3, 1, 8 if deflated else 1), 262: (3, 1, 2), 273: (4, 1, depths + 6),
        274: (3, 1, orientation), 277: (3, 1, 3), 278: (4, 1, height), 279: (4, 1, len(data)),
        **tags,
    }  # fmt: skip
    return b"".join(
        (
            struct.pack("<4sIH", b"II*\0", 8, len(entries)),
            *(struct.pack("<HHII", tag, *entries[tag]) for tag in sorted(entries)),
            struct.pack("<I3H", 0, 8, 8, 8),
            data,
        )
    )


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("tags", TAGS.values(), ids=TAGS)
def test_tags_that_touch_no_pixel_decide_nothing(
    tags: dict[int, tuple[int, int, int]], deflated: bool
) -> None:
    for orientation in (1, 6):
        content = tiff_with(tags, orientation, deflated=deflated)
        np.testing.assert_array_equal(read_here(content), PATTERN)


@pytest.mark.parametrize(
    "chunks", [{"exif": BAD_TAG[6:]}, {"icc_profile": b"nonsense"}, {"xmp": b"<"}]
)
def test_odd_metadata_of_a_webp_decides_nothing(chunks: dict[str, bytes]) -> None:
    content = encoded(PATTERN, "WEBP", lossless=True, **chunks)
    turned = np.rot90(PATTERN, -1) if "exif" in chunks else PATTERN
    np.testing.assert_array_equal(read_here(content), turned)


def test_first_picture_of_a_webp_animation_is_read() -> None:
    second = Image.new("RGB", (40, 24))
    content = encoded(PATTERN, "WEBP", save_all=True, append_images=[second], lossless=True)
    np.testing.assert_array_equal(read_here(content), PATTERN)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_an_image_of_many_bands_is_put_together_in_order(mode: str) -> None:
    rows = np.repeat(np.arange(1200) % 256, 300).reshape(1200, 300).astype(np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(rows.astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(rows).convert(mode)
    expected = np.asarray(picture.convert("RGB")) if mode != "I;16" else np.dstack([rows] * 3)
    decoded = decode_with_pillow(BytesIO(encoded(picture, "PNG")), "PNG", Limits())
    np.testing.assert_array_equal(decoded.pixels, expected)
