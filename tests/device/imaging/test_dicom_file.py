from pathlib import Path

import numpy as np
import pytest

from device.errors import ImageError
from device.imaging.image_file import read_image
from tests.device.images import PATTERN, encoded, jpeg_pixels

pytest.importorskip("pydicom")

from tests.device.images import dicom


def read(folder: Path, content: bytes) -> np.ndarray:
    (folder / "a.dcm").write_bytes(content)
    return read_image(folder / "a.dcm")


def refusal(folder: Path, content: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        read(folder, content)
    message = str(caught.value)
    assert "Jane" not in message
    assert len(message.splitlines()) == 1
    return message


def test_photograph_is_read_as_it_is(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(tmp_path, dicom(PATTERN)), PATTERN)


def test_photograph_in_planes_is_read(tmp_path: Path) -> None:
    planes = np.ascontiguousarray(PATTERN.transpose(2, 0, 1)).tobytes()
    content = dicom(PATTERN, PlanarConfiguration=1, PixelData=planes)
    np.testing.assert_array_equal(read(tmp_path, content), PATTERN)


def test_first_of_several_photographs_is_read(tmp_path: Path) -> None:
    both = PATTERN.tobytes() + bytes(PATTERN.size)
    content = dicom(PATTERN, NumberOfFrames=2, PixelData=both)
    np.testing.assert_array_equal(read(tmp_path, content), PATTERN)


def test_compressed_photograph_is_read_as_its_jpeg(tmp_path: Path) -> None:
    jpeg = encoded(PATTERN, "JPEG", quality=95)
    np.testing.assert_array_equal(read(tmp_path, dicom(PATTERN, jpeg)), jpeg_pixels(jpeg))


def test_jpeg_of_red_green_and_blue_keeps_its_colours(tmp_path: Path) -> None:
    jpeg = encoded(PATTERN, "JPEG", quality=100, subsampling=0, keep_rgb=True)
    adobe = jpeg.index(b"\xff\xee")
    plain = jpeg[:adobe] + jpeg[adobe + 16 :]
    content = dicom(PATTERN, plain, PhotometricInterpretation="RGB")
    np.testing.assert_allclose(read(tmp_path, content).astype(int), PATTERN, atol=3)


def test_deep_photograph_is_scaled(tmp_path: Path) -> None:
    deep = (PATTERN.astype(np.uint16) << 4).tobytes()
    content = dicom(PATTERN, PixelData=deep, BitsAllocated=16, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read(tmp_path, content), PATTERN)


def test_damaged_jpeg_in_it_is_refused(tmp_path: Path) -> None:
    jpeg = encoded(np.tile(PATTERN, (4, 4, 1)), "JPEG")
    assert "damaged" in refusal(tmp_path, dicom(PATTERN, jpeg[:-60] + jpeg[-2:]))


def test_file_cut_short_is_refused(tmp_path: Path) -> None:
    content = dicom(PATTERN)
    for length in (132, 300, len(content) - 100):
        assert "DICOM" in refusal(tmp_path, content[:length])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"PhotometricInterpretation": "MONOCHROME2", "SamplesPerPixel": 1},
            "no colour photograph",
        ),
        ({"Rows": 30_000, "Columns": 30_000}, "30000 x 30000 pixels"),
        ({"Rows": 0}, "no pixels"),
    ],
)
def test_what_is_no_photograph_is_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    assert reason in refusal(tmp_path, dicom(PATTERN, **changes))


def test_unknown_compression_is_told(tmp_path: Path) -> None:
    content = dicom(PATTERN, encoded(PATTERN, "JPEG"))
    lossless = content.replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.4.80")
    assert "compression that cannot be read" in refusal(tmp_path, lossless)


def test_missing_pydicom_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pydicom").mkdir()
    (tmp_path / "pydicom" / "__init__.py").write_text("raise ImportError('no')")
    content = dicom(PATTERN)
    monkeypatch.syspath_prepend(tmp_path)
    assert "pip install pydicom" in refusal(tmp_path, content)
