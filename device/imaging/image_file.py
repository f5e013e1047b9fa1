"""Image files from anywhere, read as if hostile."""

import io
import os
import warnings
from contextlib import nullcontext
from pathlib import Path, PurePath
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from device.errors import ImageError
from device.platform.stderr_filter import filtered_stderr
from device.text import printable, printable_path

FORMATS: Final = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "PPM")
"""Formats that photographs come in; Pillow's other decoders are never reached."""

SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".webp", ".ppm", ".pgm"}
)
"""Endings by which a folder's images are found (a file named outright may have any)."""

MAX_PIXELS: Final = 80_000_000
"""Largest image decoded: above any dermatoscope, and 240 MB of pixels on a 1 GB device."""

_PLAIN_MODES: Final = frozenset({"RGB", "L", "1", "P", "CMYK", "YCbCr", "HSV", "LAB"})


def read_image(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the image in a file, upright, as 8-bit RGB.

    EXIF orientation is applied; CMYK, palette, greyscale and 16-bit images are converted;
    transparent parts become black, as the surround of a dermatoscope's field of view is.

    Parameters
    ----------
    path
        A JPEG, PNG, TIFF, BMP, WebP or PPM file.
    max_pixels
        Images with more pixels than this are refused by their header, before decoding.

    Returns
    -------
    numpy.ndarray
        uint8, (height, width, 3), RGB.

    Raises
    ------
    device.errors.ImageError
        If the file is missing, unreadable, no image, truncated or too large. The message names
        the file and the reason in one line.
    """
    path = Path(path)
    name = printable_path(path)
    try:
        file = path.open("rb")
    except IsADirectoryError:
        raise ImageError(f"{name}: is a folder, not an image; name the files in it") from None
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: cannot be opened ({reason})") from None
    with file:
        return _decode(name, file, max_pixels, FORMATS)


def decode_jpeg(name: str, data: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the picture in a JPEG that came from elsewhere than a file, as `read_image` would.

    Parameters
    ----------
    name
        What to call it in messages.
    data
        The JPEG; any other format is refused.
    max_pixels
        As in `read_image`.

    Returns
    -------
    numpy.ndarray
        uint8, (height, width, 3), RGB.

    Raises
    ------
    device.errors.ImageError
        If it is no JPEG, truncated or too large.
    """
    return _decode(name, io.BytesIO(data), max_pixels, ("JPEG",))


def _decode(
    name: str, file: IO[bytes], max_pixels: int, formats: tuple[str, ...]
) -> NDArray[np.uint8]:
    try:
        # Decoders warn of damage that the result shows; max_pixels has a message of its own.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=formats) as image:
                _check_size(name, image.size, max_pixels)
                # libtiff speaks to file descriptor 2.
                quiet = filtered_stderr(lambda _: True) if image.format == "TIFF" else nullcontext()
                with quiet:
                    return _to_rgb(image)
    except ImageError:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise _too_large(name, max_pixels) from None
    except UnidentifiedImageError:
        if file.seek(0, os.SEEK_END) == 0:
            raise ImageError(f"{name}: is empty (0 bytes)") from None
        raise ImageError(
            f"{name}: is not an image that can be read (JPEG, PNG, TIFF, BMP, WebP, PPM)"
        ) from None
    except Exception as error:  # a decoder fails on hostile bytes in more ways than it documents
        reason = printable(" ".join(str(error).split())) or type(error).__name__
        raise ImageError(f"{name}: the image is damaged or cut short ({reason})") from None


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


def _check_size(name: str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            f"{name}: is {width} x {height} pixels, more than the limit of "
            f"{max_pixels // 1_000_000} megapixels; scale it down first"
        )


def _too_large(name: str, max_pixels: int) -> ImageError:
    return ImageError(
        f"{name}: is too large to decode (limit {max_pixels // 1_000_000} megapixels); "
        "scale it down first"
    )


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith(("I", "F")):
        return _from_deep_grey(upright)
    if upright.mode in _PLAIN_MODES and "transparency" not in upright.info:
        return np.asarray(upright.convert("RGB"))
    with_alpha = upright.convert("RGBA")
    surround = Image.new("RGBA", with_alpha.size, (0, 0, 0, 255))
    return np.asarray(Image.alpha_composite(surround, with_alpha).convert("RGB"))


def _from_deep_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Scale a 16-bit or floating-point grey image to 8 bits by its type's range."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535:
        raise ValueError("its pixel values are not those of a photograph")
    full_scale = 65535.0
    if image.mode == "F":
        full_scale = next(top for top in (1.0, 255.0, 65535.0) if values.max() <= top)
    grey = np.rint(values * (255.0 / full_scale)).astype(np.uint8)
    if "transparency" in image.info:
        grey[values == image.info["transparency"]] = 0
    return np.repeat(grey[:, :, None], 3, axis=2)
