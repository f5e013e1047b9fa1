"""Pictures as files: encrypted each with a key of its own, and with a small one for lists.

A file is a mark, the length of the small picture, the small picture (JPEG) and the picture (PNG),
both sealed. Only the archive's table knows which file is a picture: one that no row names is what
an interrupted `keep` left, and is removed or overwritten.
"""

import contextlib
import io
import os
import struct
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.imaging.decoding import MAX_PIXELS
from device.platform.durable_files import (
    PRIVATE_FILE,
    fsync_folder,
    give_to_owner,
    make_folder,
    set_mode,
)
from device.platform.regular_files import read_regular_file
from device.records.sealing import OVERHEAD, seal, unseal

PICTURES: Final = "pictures"
THUMBNAIL_SIDE: Final = 160

_MARK: Final = b"dsp1"
_HEAD: Final = struct.Struct(">4sI")
_IN_A_FOLDER: Final = 1000
_LARGEST: Final = 1 << 29
_LARGEST_THUMBNAIL: Final = 1 << 20
_JPEG_QUALITY: Final = 85


def picture_path(folder: Path, number: int) -> Path:
    """Return where the picture of a number lies in an archive's folder."""
    return folder / PICTURES / f"{number // _IN_A_FOLDER:04d}" / f"{number:07d}.picture"


def size_of_pictures(folder: Path) -> int:
    """Return the bytes of all pictures in an archive's folder, one look at each.

    Raises
    ------
    OSError
        If they cannot be looked at.
    """
    return sum(path.stat().st_size for path in (folder / PICTURES).glob("*/*"))


def encode_picture(
    pixels: NDArray[np.uint8], small: NDArray[np.uint8], key: bytes, identifier: str
) -> bytes:
    """Return the content of a picture's file.

    Parameters
    ----------
    pixels
        The picture: uint8, (height, width, 3), RGB; kept as it is.
    small
        What is shown of it in a list; reduced.
    key
        Its own.
    identifier
        Of its examination: the file is taken for no other's.
    """
    from PIL import Image

    thumbnail = seal(key, _jpeg(small), _context(identifier, "thumbnail"))
    head = _HEAD.pack(_MARK, len(thumbnail))
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, format="PNG", compress_level=1)
    picture = seal(key, png.getvalue(), head + _context(identifier, "picture"))
    return head + thumbnail + picture


def write_picture(path: Path, content: bytes) -> None:
    """Write a picture's file, and return once it cannot be lost.

    Raises
    ------
    OSError
        If it cannot be written; it is then not there.
    """
    make_folder(path.parent)
    path.unlink(missing_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            set_mode(file.fileno(), PRIVATE_FILE)
            give_to_owner(file.fileno(), path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def read_picture(path: Path, key: bytes, identifier: str) -> NDArray[np.uint8]:
    """Return a picture: uint8, (height, width, 3), RGB.

    Raises
    ------
    OSError
        If its file cannot be read.
    ValueError
        If its file was altered.
    """
    return _pixels(check_picture(path, key, identifier))


def check_picture(path: Path, key: bytes, identifier: str) -> bytes:
    """Return a picture as PNG, all of its file authenticated; raises as `read_picture`.

    The pixels are not looked at.
    """
    content = read_regular_file(path, _LARGEST)
    length = _thumbnail_length(content)
    head, rest = content[: _HEAD.size], content[_HEAD.size :]
    unseal(key, rest[:length], _context(identifier, "thumbnail"))
    return unseal(key, rest[length:], head + _context(identifier, "picture"))


def read_thumbnail(path: Path, key: bytes, identifier: str) -> NDArray[np.uint8]:
    """Return the small picture; raises as `read_picture`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        head = file.read(_HEAD.size)
        length = _thumbnail_length(head)
        jpeg = unseal(key, file.read(length), _context(identifier, "thumbnail"))
    small = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if small is None:
        raise ValueError("its small picture is none")
    return small.astype(np.uint8, copy=False)


def _thumbnail_length(content: bytes) -> int:
    if len(content) < _HEAD.size:
        raise ValueError("it is cut short")
    mark, length = _HEAD.unpack_from(content)
    if mark != _MARK or not OVERHEAD < length <= _LARGEST_THUMBNAIL:
        raise ValueError("it is no picture of the archive")
    return int(length)


def _context(identifier: str, part: str) -> bytes:
    return f"{part} of {identifier}".encode()


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    height, width = pixels.shape[:2]
    scale = min(1.0, THUMBNAIL_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    done, jpeg = cv2.imencode(
        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)
    )
    if not done:
        raise ValueError("it cannot be made small")
    return jpeg.tobytes()


def _pixels(png: bytes) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError("it has more pixels than the limit")
        return np.asarray(image.convert("RGB"))
