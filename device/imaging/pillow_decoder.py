"""What Pillow decodes: one copy of the image, turned into RGB a few rows at a time."""

from collections.abc import Callable
from typing import IO, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from device.errors import ImageError
from device.imaging.color_profile import ProfileMode, transform_to_srgb
from device.imaging.decoding import (
    MAX_EXIF,
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
from device.text import printable

PillowFormat = Literal["PNG", "TIFF", "BMP", "WEBP", "PPM"]

Allocate = Callable[[tuple[int, int, int]], NDArray[np.uint8]]
"""Returns memory for an image of a shape."""

_BAND_PIXELS: Final = 1 << 18
_SMALL_MODES: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Bytes for each pixel in Pillow's memory; every other mode has 4."""

_PROFILE_MODES: Final[dict[str, ProfileMode]] = {
    "1": "L", "L": "L", "LA": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGB", "CMYK": "CMYK",
}  # fmt: skip
"""Which pixels a colour profile speaks of."""

_DNG_VERSION: Final = 0xC612
_NO_MEMORY: Final = "decoder error -9"
"""What Pillow says when libtiff gets no memory (IMAGING_CODEC_MEMORY)."""

_WEBP_BYTES: Final = 17
"""Bytes for each pixel that libwebp's decoder and Pillow hold together."""


def empty(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return memory of this process for an image."""
    return np.empty(shape, np.uint8)


def decode_with_pillow(
    file: IO[bytes],
    file_format: PillowFormat,
    limits: Limits,
    profile: bytes = b"",
    allocate: Allocate = empty,
) -> Decoded:
    """Return the picture in a file.

    Parameters
    ----------
    file
        Open at its beginning.
    file_format
        What it is; no other decoder is tried.
    limits
        How large it may be.
    profile
        Its ICC profile, where the caller has read it; else the file's own is used.
    allocate
        Where the pixels go; called before anything is decoded.

    Raises
    ------
    device.errors.ImageError
        If it is damaged, no photograph, or too large. The message does not say which file.
    """
    try:
        if file_format == "WEBP":
            _check_webp(file)
        with Image.open(file, formats=(file_format,)) as image:
            return _decode(image, limits, profile, allocate)
    except ImageError:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise needs_too_much() from None
    except UnidentifiedImageError:
        raise ImageError("the image is damaged: its header cannot be read") from None
    except Exception as error:  # a decoder fails on hostile bytes in more ways than it documents
        if str(error) == _NO_MEMORY:
            raise needs_too_much() from None
        reason = printable(" ".join(str(error).split())) or type(error).__name__
        raise ImageError(f"the image is damaged or cut short ({reason})") from None


def _decode(image: Image.Image, limits: Limits, profile: bytes, allocate: Allocate) -> Decoded:
    width, height = image.size
    check_size(width, height, limits)
    if image.format == "TIFF" and _DNG_VERSION in image.getexif():
        raise ImageError("is a camera raw file (DNG), which cannot be read; save it as a JPEG")
    factor = reduction(width, height, limits)
    shape = (reduced(height, factor), reduced(width, factor), 3)
    held = width * height * _SMALL_MODES.get(image.mode, 4)
    if held + shape[0] * shape[1] * shape[2] > MAX_MEMORY:
        raise needs_too_much()
    pixels = allocate(shape)
    # Pillow turns a TIFF upright itself.
    exif = image.info.get("exif", b"") if image.format == "WEBP" else b""
    profile = profile or image.info.get("icc_profile") or b""
    image.load()
    if image.mode.startswith(("I", "F")):
        to_band = _deep_grey(image)
    else:
        to_band = _colours(image, profile if len(profile) <= MAX_PROFILE else b"")
    rows = max(1, _BAND_PIXELS // (image.width * factor)) * factor
    for top in range(0, image.height, rows):
        band = to_band(image.crop((0, top, image.width, min(top + rows, image.height))))
        if factor > 1:
            band = band.reduce(factor)
        pixels[top // factor : top // factor + band.height] = np.asarray(band.convert("RGB"))
    return Decoded(pixels, orientation_of(exif) if 0 < len(exif) <= MAX_EXIF else 1)


def _check_webp(file: IO[bytes]) -> None:
    """Check a WebP file's size: Pillow makes room for its picture when it opens it.

    Raises
    ------
    device.errors.ImageError
        If it would not fit.
    """
    head = file.read(30).ljust(30, b"\0")
    file.seek(0)
    width = height = 0
    match head[12:16]:
        case b"VP8X":
            width = int.from_bytes(head[24:27], "little") + 1
            height = int.from_bytes(head[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width = int.from_bytes(head[26:28], "little") & 0x3FFF
            height = int.from_bytes(head[28:30], "little") & 0x3FFF
    if width * height * _WEBP_BYTES > MAX_MEMORY:
        raise needs_too_much()


def _colours(image: Image.Image, profile: bytes) -> Callable[[Image.Image], Image.Image]:
    """Return what turns some rows of an image into sRGB, transparent parts into black."""
    transform: ImageCms.ImageCmsTransform | None = None
    mode = _PROFILE_MODES.get(image.mode)
    if profile and mode is not None:
        transform = transform_to_srgb(profile, mode)
    transparent = image.mode in {"LA", "PA", "RGBA", "RGBa", "La"} or "transparency" in image.info

    def to_rgb(band: Image.Image) -> Image.Image:
        alpha = band.convert("RGBA").getchannel("A") if transparent else None
        rgb = band.convert("RGB") if transform is None else transform.apply(band.convert(mode))
        if alpha is None:
            return rgb
        surround = Image.new("RGBA", rgb.size, (0, 0, 0, 255))
        rgb.putalpha(alpha)
        return Image.alpha_composite(surround, rgb).convert("RGB")

    return to_rgb


def _deep_grey(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return what scales some rows of 16-bit or floating-point grey to 8 bits by its type's range.

    Raises
    ------
    ValueError
        If its values are not those of a photograph.
    """
    highest = 0.0
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        values = np.asarray(image.crop(box))
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535:
            raise ValueError("its pixel values are not those of a photograph")
        highest = max(highest, float(values.max()))
    full_scale = 65535.0
    if image.mode == "F":
        full_scale = next(top for top in (1.0, 255.0, 65535.0) if highest <= top)
    transparent = image.info.get("transparency")

    def to_grey(band: Image.Image) -> Image.Image:
        values = np.asarray(band).astype(np.float64)
        grey = np.rint(values * (255.0 / full_scale)).astype(np.uint8)
        if transparent is not None:
            grey[values == transparent] = 0
        return Image.fromarray(grey)

    return to_grey
