"""PNG: the chunks that pixels are made of, and none of the others.

A file's text, time or animation may be large, damaged or hostile, and decides nothing.
"""

import io
import struct
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import IO, Final

from device.errors import ImageError
from device.imaging.decoding import MAX_EXIF, MAX_PROFILE
from device.imaging.orientation import orientation_of

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_HEADER_BYTES: Final = 13
_LONGEST: Final = {b"IHDR": _HEADER_BYTES, b"PLTE": 768, b"tRNS": 256}
"""The most bytes of the small chunks that are kept."""

_KEPT: Final = frozenset({*_LONGEST, b"IDAT", b"IEND"})
_MAX_CHUNKS: Final = 100_000


@dataclass(frozen=True, slots=True)
class PngStructure:
    """What a PNG file holds.

    Attributes
    ----------
    width, height
        In pixels.
    pixels
        A PNG file of the pixels' chunks alone, read out of the whole one.
    orientation
        An EXIF orientation.
    profile
        The ICC profile; may be empty.
    """

    width: int
    height: int
    pixels: IO[bytes]
    orientation: int
    profile: bytes


def read_png_structure(file: IO[bytes]) -> PngStructure:
    """Return what a PNG file holds.

    Parameters
    ----------
    file
        Open at its beginning; it must stay open as long as the pixels are read.

    Raises
    ------
    device.errors.ImageError
        If it is damaged. The message does not say which file.
    """
    end = file.seek(0, io.SEEK_END)
    at = len(SIGNATURE)
    parts = [(0, at)]
    header = profile = b""
    orientation = 1
    for number in range(_MAX_CHUNKS + 1):
        file.seek(at)
        start = file.read(8)
        if len(start) < 8:
            break
        length, kind = struct.unpack(">I4s", start)
        after = min(at + 12 + length, end)
        if kind in _KEPT:
            if length > _LONGEST.get(kind, length):
                raise ImageError(f"the image is damaged (its {kind.decode()} is too long)")
            first, last = parts[-1]
            parts[-1:] = [(first, after)] if last == at else [(first, last), (at, after)]
        if kind == b"IHDR" and not header:
            header = file.read(_HEADER_BYTES)
        elif kind == b"iCCP" and length <= MAX_PROFILE and not profile:
            profile = _inflated(file.read(length))
        elif kind == b"eXIf" and length <= MAX_EXIF:
            orientation = orientation_of(file.read(length))
        elif kind == b"IEND":
            break
        at = after
        if number == _MAX_CHUNKS:
            raise ImageError(f"is a PNG of more than {_MAX_CHUNKS} chunks; save it again")
    if len(header) < _HEADER_BYTES:
        raise ImageError("the image is damaged or cut short (it tells no size)")
    width, height = struct.unpack_from(">II", header)
    pixels = io.BufferedReader(_Parts(file, parts), 1 << 16)
    return PngStructure(width, height, pixels, orientation, profile)


def _inflated(body: bytes) -> bytes:
    """Return the profile in an iCCP chunk; empty where it is damaged."""
    _, separator, packed = body.partition(b"\0")
    if not separator or packed[:1] != b"\0":
        return b""
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return b""
    return profile if inflater.eof else b""


class _Parts(io.RawIOBase):
    """Some parts of a file, read as one file.

    Parameters
    ----------
    file
        That the parts are of.
    parts
        Where each begins and ends, in bytes.
    """

    def __init__(self, file: IO[bytes], parts: list[tuple[int, int]]) -> None:
        self._file = file
        self._parts = parts
        self._starts = list(accumulate((b - a for a, b in parts), initial=0))
        self._at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read as much as lies in one part."""
        if self._at >= self._starts[-1]:
            return 0
        part = bisect_right(self._starts, self._at) - 1
        into = self._at - self._starts[part]
        first, last = self._parts[part]
        self._file.seek(first + into)
        data = self._file.read(min(len(buffer), last - first - into))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
