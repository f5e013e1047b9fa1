"""JPEG: what its header says, checked before anything is decoded, and its pixels.

ITU-T T.81. libjpeg-turbo decodes what is damaged and only warns; here a warning is an error.
"""

import struct
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from device.errors import ImageError
from device.imaging.color_profile import apply_transform, transform_to_srgb
from device.imaging.decoding import (
    MAX_MEMORY,
    MAX_PROFILE,
    Decoded,
    Limits,
    check_size,
    needs_too_much,
    reduced,
    reduction,
)
from device.imaging.orientation import orientation_of

MAX_BYTES: Final = 64 << 20
"""Largest file; 48 megapixels of a good camera are a third of it."""

MAX_SCANS: Final = 100
"""A progressive JPEG has about ten; each costs a pass over the whole image."""

_SOI: Final = b"\xff\xd8"
_EOI: Final = b"\xff\xd9"
_SOS: Final = 0xDA
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
_COMMENT: Final = 0xFE
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_UNUSUAL_FRAMES: Final = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF})
_PROGRESSIVE: Final = frozenset({0xC2, 0xCA})
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_JFIF: Final = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
_ADOBE_BYTES: Final = 12
_BLOCK_BYTES: Final = 128
_ROWS_AT_ONCE: Final = 128
_EXIF: Final = b"Exif\0\0"
_PROFILE: Final = b"ICC_PROFILE\0"


@dataclass(frozen=True, slots=True)
class _Header:
    """What stands before the first scan.

    Attributes
    ----------
    width, height
        In pixels.
    components
        1 of grey, 3 of colour, 4 of print.
    coefficients
        Bytes that libjpeg keeps until the last scan; 0 where one scan holds all.
    orientation
        An EXIF orientation.
    profile
        The ICC profile; may be empty.
    tables
        The segments that decoding needs, without metadata.
    scan
        Where the first scan begins.
    """

    width: int
    height: int
    components: int
    coefficients: int
    orientation: int
    profile: bytes
    tables: bytes
    scan: int


def decode_jpeg_bytes(
    data: bytes, limits: Limits, profile: bytes = b"", *, one_scan: bool = False
) -> Decoded:
    """Return the picture in a JPEG.

    Parameters
    ----------
    data
        The JPEG.
    limits
        How large it may be.
    profile
        An ICC profile that goes before its own.
    one_scan
        Refuse one that needs several passes.

    Raises
    ------
    device.errors.ImageError
        If it is damaged, of an unusual kind, or too large. The message does not say which file.
    """
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"is a JPEG of more than {MAX_BYTES >> 20} MB, which no camera takes; scale it down "
            "first"
        )
    header = _read_header(data)
    check_size(header.width, header.height, limits)
    if header.coefficients and one_scan:
        raise ImageError("is no JPEG of a single scan")
    if header.coefficients and data.count(b"\xff\xda", header.scan) > MAX_SCANS:
        raise ImageError(
            f"is a JPEG of more than {MAX_SCANS} scans, which no program writes; save it again"
        )
    factor = reduction(header.width, header.height, limits)
    area = reduced(header.width, factor) * reduced(header.height, factor)
    per_pixel = 3 if header.components < 4 else 7
    if len(data) + header.coefficients + area * per_pixel > MAX_MEMORY:
        raise needs_too_much()
    space: Literal["RGB", "CMYK"] = "RGB" if header.components < 4 else "CMYK"
    pixels = _pixels(data, header, space, factor)
    profile = profile or header.profile
    if space == "CMYK":
        return Decoded(_from_print(pixels, profile), header.orientation)
    mode: Literal["RGB", "L"] = "RGB" if header.components == 3 else "L"
    transform = transform_to_srgb(profile, mode) if profile else None
    if transform is not None:
        apply_transform(pixels, transform, mode)
    return Decoded(pixels, header.orientation)


def _pixels(
    data: bytes, header: _Header, space: Literal["RGB", "CMYK"], factor: int
) -> NDArray[np.uint8]:
    size = {
        "min_width": reduced(header.width, factor),
        "min_height": reduced(header.height, factor),
    }
    whole = {} if factor == 1 else size
    try:
        return np.asarray(simplejpeg.decode_jpeg(data, space, **whole))
    except ValueError:
        # It may have warned of what touches no pixel.
        try:
            plain = _without_metadata(data, header)
            return np.asarray(simplejpeg.decode_jpeg(plain, space, **whole))
        except ValueError as error:
            raise ImageError(f"the image is damaged or cut short ({error})") from None


def _without_metadata(data: bytes, header: _Header) -> bytes:
    """Return a JPEG's tables and scans alone.

    Cameras fill a scan up with zeros, or leave the mark of the end out. Pixels that are missing are
    warned of all the same.
    """
    end = data.find(_EOI, header.scan)
    scans = data[header.scan : end if end >= 0 else len(data)].rstrip(b"\0")
    # 0xff is always followed by a zero that belongs to it.
    stuffed = b"\0" if scans.endswith(b"\xff") else b""
    return b"".join((header.tables, scans, stuffed, _EOI))


def _read_header(data: bytes) -> _Header:
    at = 2
    tables = [_SOI]
    frame = exif = b""
    marker_of_frame = 0
    profile: dict[int, bytes] = {}
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 5 > len(data):
            raise ImageError("the image is damaged or cut short (it ends within its header)")
        marker = data[at + 1]
        if marker in _ALONE or marker in (0x00, 0xFF):
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _EOI[1]:
            raise ImageError("the image is damaged: it holds no picture")
        if marker == _SOS:
            break
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if marker in _FRAMES:
            marker_of_frame, frame = marker, body
        if marker == _APP1 and body.startswith(_EXIF) and not exif:
            exif = body
        elif marker == _APP2 and body.startswith(_PROFILE) and len(body) > 14:
            profile.setdefault(body[12], body[14:])
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= _ADOBE_BYTES:
            tables.append(b"\xff\xee\0\x0e" + body[:_ADOBE_BYTES])
        elif marker == _APP0 and body.startswith(b"JFIF\0"):
            tables.append(_JFIF)
        if not _APP0 <= marker <= 0xEF and marker != _COMMENT:
            tables.append(data[at : at + 2 + length])
        at += 2 + max(2, length)
    width, height, components, coefficients = _read_frame(marker_of_frame, frame, data[at + 4])
    whole = b"".join(profile[number] for number in sorted(profile))
    return _Header(
        width=width,
        height=height,
        components=components,
        coefficients=coefficients,
        orientation=orientation_of(exif) if exif else 1,
        profile=whole if len(whole) <= MAX_PROFILE else b"",
        tables=b"".join(tables),
        scan=at,
    )


def _read_frame(marker: int, body: bytes, in_first_scan: int) -> tuple[int, int, int, int]:
    """Return width, height, components, and the bytes that libjpeg keeps until the last scan."""
    if marker == 0:
        raise ImageError("the image is damaged or cut short (it tells no size)")
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise ImageError("the image is damaged or cut short (it ends within its header)")
    precision, height, width, components = struct.unpack_from(">BHHB", body)
    if precision != 8 or marker in _UNUSUAL_FRAMES or components not in (1, 3, 4):
        raise ImageError(
            "is a JPEG of an unusual kind (lossless, hierarchical, or not 8 bits deep); save it as "
            "a PNG"
        )
    factors = [divmod(body[7 + 3 * i], 16) for i in range(components)]
    if not all(1 <= across <= 4 and 1 <= down <= 4 for across, down in factors):
        raise ImageError("the image is damaged (its components have no size)")
    if marker not in _PROGRESSIVE and in_first_scan >= components:
        return width, height, components, 0
    columns = -(-width // (8 * max(across for across, _ in factors)))
    rows = -(-height // (8 * max(down for _, down in factors)))
    blocks = columns * rows * sum(across * down for across, down in factors)
    return width, height, components, blocks * _BLOCK_BYTES


def _from_print(inks: NDArray[np.uint8], profile: bytes) -> NDArray[np.uint8]:
    """Return CMYK as RGB, few rows at a time; JPEGs of print shops hold it inverted."""
    pixels = np.empty((*inks.shape[:2], 3), np.uint8)
    transform = transform_to_srgb(profile, "CMYK") if profile else None
    for top in range(0, len(inks), _ROWS_AT_ONCE):
        part = Image.fromarray(255 - inks[top : top + _ROWS_AT_ONCE], "CMYK")
        rgb = part.convert("RGB") if transform is None else transform.apply(part)
        pixels[top : top + _ROWS_AT_ONCE] = np.asarray(rgb)
    return pixels
