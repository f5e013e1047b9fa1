"""Image files of every kind, made by hand where no library writes them."""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from device.imaging.decoding import Limits
from device.imaging.jpeg_file import decode_jpeg_bytes

PATTERN = np.zeros((24, 40, 3), np.uint8)
"""Upright and unlike itself in every other orientation; one colour in each 8 x 8 block, so that a
JPEG holds it all but exactly."""
for _row in range(3):
    for _column in range(5):
        PATTERN[8 * _row : 8 * _row + 8, 8 * _column : 8 * _column + 8] = (
            40 + 80 * _row,
            30 + 45 * _column,
            200 - 30 * _row - 20 * _column,
        )

STORED = {
    1: PATTERN,
    2: PATTERN[:, ::-1],
    3: PATTERN[::-1, ::-1],
    4: PATTERN[::-1],
    5: PATTERN.transpose(1, 0, 2),
    6: np.rot90(PATTERN, 1),
    7: np.rot90(PATTERN, 2).transpose(1, 0, 2),
    8: np.rot90(PATTERN, -1),
}
"""How a camera stores `PATTERN` under each EXIF orientation."""


def encoded(image: Image.Image | NDArray[np.uint8], file_format: str, **options: object) -> bytes:
    """Return an image as the bytes of a file."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(np.ascontiguousarray(image))
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def turned_jpeg(orientation: int) -> bytes:
    """Return `PATTERN` as a camera held this way writes it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(STORED[orientation], "JPEG", quality=100, subsampling=0, exif=exif)


def cmyk_jpeg() -> bytes:
    """Return `PATTERN` as a print shop's JPEG."""
    image = Image.fromarray(PATTERN).convert("CMYK")
    return encoded(image, "JPEG", quality=100, subsampling=0)


def png(
    width: int, height: int, depth: int, colour: int, rows: bytes, *chunks: tuple[bytes, bytes]
) -> bytes:
    """Return a PNG file with this header and these pixels, whether or not they fit."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def grey_16_bit_png(values: NDArray[np.uint16], *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a 16-bit greyscale PNG."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(values.shape[1], values.shape[0], 16, 0, rows, *chunks)


def huge_png() -> bytes:
    """Return a PNG of a few bytes that claims to be 30000 x 30000."""
    return png(30000, 30000, 8, 2, b"\0" * 64)


def damaged_tiff() -> bytes:
    """Return a TIFF of which libtiff complains to file descriptor 2."""
    noise = Image.effect_noise((64, 64), 50)
    content = bytearray(encoded(noise, "TIFF", compression="tiff_lzw"))
    content[100:140] = b"\xff" * 40
    return bytes(content)


def half_transparent() -> Image.Image:
    """Return `PATTERN` with its left half transparent (its colours are still there)."""
    alpha = np.full(PATTERN.shape[:2], 255, np.uint8)
    alpha[:, :20] = 0
    return Image.fromarray(np.dstack([PATTERN, alpha]))


def palette_with_transparency() -> Image.Image:
    """Return a picture whose left half is a transparent palette entry that is white."""
    picture = Image.new("P", (40, 24), 1)
    picture.putpalette([255, 255, 255, 200, 100, 50])
    picture.paste(0, (0, 0, 20, 24))
    picture.info["transparency"] = 0
    return picture


def dicom(pixels: NDArray[np.uint8], jpeg: bytes = b"", **changes: object) -> bytes:
    """Return a photograph as an archive hands it out, for a patient called Jane Doe.

    Parameters
    ----------
    pixels
        uint8, (height, width, 3), RGB; stored as they are unless there is a JPEG.
    jpeg
        The same picture, compressed.
    changes
        Other attributes of the file.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit if jpeg else ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"
    dataset.SOPInstanceUID = "1.2.3"
    dataset.PatientName = "Doe^Jane"
    dataset.Modality = "XC"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = pixels.shape
    dataset.PhotometricInterpretation = "YBR_FULL_422" if jpeg else "RGB"
    dataset.PlanarConfiguration = dataset.PixelRepresentation = 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = encapsulate([jpeg]) if jpeg else pixels.tobytes()
    dataset["PixelData"].VR = "OB"
    for name, value in changes.items():
        setattr(dataset, name, value)
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def jpeg_pixels(content: bytes) -> NDArray[np.uint8]:
    """Return a JPEG's pixels as they lie in it: uint8, (height, width, 3), RGB."""
    return decode_jpeg_bytes(content, Limits()).pixels
