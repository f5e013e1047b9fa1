"""Image files from anywhere, read as if hostile."""

import os
import stat
from pathlib import Path, PurePath
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from device.errors import ImageError
from device.imaging.decoder_process import decode_in_process
from device.imaging.decoders import decode
from device.imaging.decoding import KEPT_PIXELS, MAX_PIXELS, Decoded, Limits, needs_too_much
from device.imaging.file_kind import HEAD_BYTES, kind_of, unreadable_kind
from device.imaging.orientation import upright
from device.text import printable_path

READABLE: Final = "JPEG, PNG, TIFF, BMP, WebP, PPM, DICOM"
"""Formats that photographs come in; no other decoder is ever reached."""

SUFFIXES: Final = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp", ".ppm", ".pgm",
        ".dcm",
    }
)  # fmt: skip
"""Endings by which a folder's images are found (a file named outright may have any)."""


def read_image(
    path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS, kept_pixels: int = KEPT_PIXELS
) -> NDArray[np.uint8]:
    """Return the image in a file, upright, as 8-bit sRGB.

    EXIF orientation and an embedded colour profile are applied, and no other metadata is looked at;
    CMYK, palette, greyscale and 16-bit images are converted; transparent parts become black, as the
    surround of a dermatoscope's field of view is. At most `device.imaging.decoding.MAX_MEMORY`
    bytes are taken. May be called in any thread.

    Parameters
    ----------
    path
        A JPEG, PNG, TIFF, BMP, WebP, PPM or DICOM file. Of several pictures in it the first is
        read.
    max_pixels
        Images with more pixels than this are refused by their header, before decoding.
    kept_pixels
        Images with more pixels than this are reduced by a whole factor while they are decoded.

    Returns
    -------
    numpy.ndarray
        uint8, (height, width, 3), RGB.

    Raises
    ------
    device.errors.ImageError
        If the file is missing, unreadable, no image, damaged or too large. The message names the
        file and the reason in one line.
    """
    name = printable_path(path)
    limits = Limits(max_pixels, kept_pixels)
    try:
        with _open(path) as file:
            decoded = _decode(file, PurePath(path).suffix, limits)
        return upright(decoded.pixels, decoded.orientation)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: cannot be read ({reason})") from None


def _open(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a file, and nothing that is none: a pipe would be waited on for ever."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ImageError("no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"cannot be opened ({reason})") from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise ImageError("is a folder, not an image; name the files in it")
    raise ImageError("is a pipe or a device, not an image file; save the image to a file first")


def _decode(file: IO[bytes], suffix: str, limits: Limits) -> Decoded:
    head = file.read(HEAD_BYTES)
    if not head:
        raise ImageError("is empty (0 bytes)")
    file.seek(0)
    kind, unreadable = kind_of(head), unreadable_kind(head, suffix)
    if unreadable is not None:
        raise ImageError(f"is {unreadable}, which cannot be read; save it as a JPEG or PNG")
    if kind is None:
        raise ImageError(f"is not an image that can be read ({READABLE})")
    try:
        if kind in ("JPEG", "PNG"):
            return decode(file, kind, limits)
        return decode_in_process(file, kind, limits)
    except MemoryError:
        raise needs_too_much() from None


def find_images(folder: Path) -> list[str]:
    """Return the names of the image files directly in `folder`, by ending, in order.

    Names, not paths: a folder may hold a hundred thousand.

    Raises
    ------
    device.errors.ImageError
        If the folder cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if PurePath(entry.name).suffix.lower() in SUFFIXES and entry.is_file()
            )
    except OSError as error:
        reason = error.strerror or error
        raise ImageError(
            f"{printable_path(folder)}: the folder cannot be listed ({reason})"
        ) from None
