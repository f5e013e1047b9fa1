"""DICOM photographs: dermoscopic images as archives hand them out.

PS3.3 A.32.1 (VL photographic image) and Supplement 221 (dermoscopic photography). Nothing of the
file but its pixels is kept, and nothing of it stands in a message: it names a patient.
"""

import contextlib
import io
import logging
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from device.errors import ImageError
from device.imaging.color_profile import apply_transform, transform_to_srgb
from device.imaging.decoding import (
    MAX_MEMORY,
    MAX_PROFILE,
    Decoded,
    Limits,
    check_size,
    needs_too_much,
)
from device.imaging.jpeg_file import decode_jpeg_bytes

if TYPE_CHECKING:
    from pydicom import Dataset

_JPEG: Final = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_OTHERS: Final = frozenset(
    {
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.5",
        "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.91",
    }
)
"""Transfer syntaxes that pydicom reads: three without compression, RLE, JPEG 2000."""

_COLOURS: Final = frozenset(
    {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", "YBR_PARTIAL_420", "PALETTE COLOR"}
)
_ADOBE_RGB: Final = b"\xff\xee\0\x0eAdobe\0d\0\0\0\0\0"
"""Tells libjpeg that the three components are red, green and blue."""


def decode_dicom(file: IO[bytes], limits: Limits) -> Decoded:
    """Return the first picture in a DICOM file.

    Raises
    ------
    device.errors.ImageError
        If it is damaged, holds no colour photograph, is too large, or pydicom is not installed.
        The message does not say which file.
    """
    try:
        from pydicom import config, dcmread
    except ImportError:
        raise ImageError(
            "is a DICOM file, and pydicom, which reads them, is not installed; install it with "
            "pip install pydicom"
        ) from None
    # It quotes values of the file, which may name a patient.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    config.settings.reading_validation_mode = config.IGNORE
    # It is read whole, with every picture in it.
    if file.seek(0, io.SEEK_END) > MAX_MEMORY:
        raise needs_too_much()
    file.seek(0)
    try:
        dataset = dcmread(file)
        return Decoded(_pixels(dataset, limits))
    except ImageError:
        raise
    except MemoryError:
        raise needs_too_much() from None
    except Exception as error:  # pydicom fails on hostile bytes in more ways than it documents
        raise ImageError(
            f"the DICOM file is damaged or cut short ({type(error).__name__})"
        ) from None


def _pixels(dataset: "Dataset", limits: Limits) -> NDArray[np.uint8]:
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    colours = str(dataset.get("PhotometricInterpretation", ""))
    if "PixelData" not in dataset or colours not in _COLOURS:
        raise ImageError("is a DICOM file that holds no colour photograph")
    check_size(int(dataset.Columns), int(dataset.Rows), limits)
    if syntax in _JPEG:
        return _from_jpeg(dataset, colours, limits)
    if syntax not in _OTHERS:
        raise ImageError(
            "is a DICOM file with a compression that cannot be read; export it uncompressed or as "
            "a JPEG"
        )
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    values: NDArray[Any] = pixel_array(dataset, index=0)
    deepest = int(dataset.BitsStored)
    if colours == "PALETTE COLOR":
        values = apply_color_lut(values, dataset)
        deepest = values.dtype.itemsize * 8
    if values.ndim != 3 or values.shape[2] != 3 or values.dtype.kind != "u":
        raise ImageError("is a DICOM file that holds no colour photograph")
    pixels = (values >> max(0, deepest - 8)).astype(np.uint8)
    profile = _profile(dataset)
    transform = transform_to_srgb(profile, "RGB") if profile else None
    if transform is not None:
        apply_transform(pixels, transform)
    return pixels


def _from_jpeg(dataset: "Dataset", colours: str, limits: Limits) -> NDArray[np.uint8]:
    from pydicom.encaps import generate_frames

    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    data = next(generate_frames(dataset.PixelData, number_of_frames=frames))
    if colours == "RGB" and b"Adobe" not in data[:1024]:
        data = data[:2] + _ADOBE_RGB + data[2:]
    return decode_jpeg_bytes(data, limits, _profile(dataset)).pixels


def _profile(dataset: "Dataset") -> bytes:
    holders = [dataset]
    with contextlib.suppress(AttributeError, IndexError):
        holders.append(dataset.OpticalPathSequence[0])
    profiles = (bytes(holder.get("ICCProfile") or b"") for holder in holders)
    return next((profile for profile in profiles if 0 < len(profile) <= MAX_PROFILE), b"")
