from pathlib import Path

import pytest
from PIL import Image

from device.errors import ImageError
from device.imaging.image_file import read_image
from tests.device.images import PATTERN, encoded

TIFF = encoded(PATTERN, "TIFF")


def of_brand(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + bytes(200)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.heic", of_brand(b"heic"), "a HEIC picture, as iPhones take them"),
        ("a.jpg", of_brand(b"heix"), "a HEIC picture"),
        ("a.heif", of_brand(b"mif1"), "a HEIF picture"),
        ("a.avif", of_brand(b"avif"), "an AVIF picture"),
        ("a.cr3", of_brand(b"crx "), "a camera raw file (CR3)"),
        ("a.mov", of_brand(b"qt  "), "a video"),
        ("a.pdf", b"%PDF-1.7\n", "a PDF document"),
        ("a.gif", encoded(Image.new("L", (9, 9)), "GIF"), "a GIF picture"),
        ("a.cr2", b"II*\0\x10\0\0\0CR\x02\0", "a camera raw file (CR2)"),
        ("a.nef", TIFF, "a camera raw file (NEF)"),
        ("a.ARW", TIFF, "a camera raw file (ARW)"),
        ("a.orf", b"IIRO" + bytes(99), "a camera raw file (ORF)"),
        ("a.raf", b"FUJIFILMCCD-RAW 0201", "a camera raw file (RAF)"),
        ("a.psd", b"8BPS\0\x01", "a Photoshop document"),
        ("a.jxl", b"\xff\x0a\0\0", "a JPEG XL picture"),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
        ("a.jpg", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        ("a.docx", b"PK\x03\x04", "an office document"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_image(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: is ")
    assert told in message
    assert message.endswith("which cannot be read; save it as a JPEG or PNG")


def test_raw_file_by_another_name_is_not_read_as_its_preview(tmp_path: Path) -> None:
    image = Image.fromarray(PATTERN)
    content = encoded(image, "TIFF", tiffinfo={0xC612: b"\x01\x04\0\0"})
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ImageError, match=r"a camera raw file \(DNG\)"):
        read_image(tmp_path / "a.tif")
