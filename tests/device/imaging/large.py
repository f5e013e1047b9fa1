"""Files that are small on the disk and large in memory."""

import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from tests.device.images import encoded

SIDE = 8900
"""Of a square just below 80 megapixels."""


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def large_png(depth: int, colour: int, row_bytes: int, *chunks: bytes) -> bytes:
    """Return a black PNG of `SIDE` x `SIDE` pixels."""
    packer = zlib.compressobj(1)
    row = bytes(row_bytes + 1)
    packed = b"".join(packer.compress(row) for _ in range(SIDE)) + packer.flush()
    header = struct.pack(">IIBBBBB", SIDE, SIDE, depth, colour, 0, 0, 0)
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header), *chunks, _chunk(b"IDAT", packed),
         _chunk(b"IEND", b""))
    )  # fmt: skip


def webp_animation() -> bytes:
    """Return a WebP animation whose canvas is far larger than its one frame."""
    whole = encoded(Image.new("RGB", (16, 16)), "WEBP", lossless=True)
    frame = struct.pack("<3s3s3s3s3sB", *(n.to_bytes(3, "little") for n in (0, 0, 15, 15, 100)), 0)
    parts = (
        (b"VP8X", struct.pack("<I3s3s", 2, *[(SIDE - 1).to_bytes(3, "little")] * 2)),
        (b"ANIM", bytes(6)),
        (b"ANMF", frame + whole[12:]),
    )
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
        for kind, content in parts
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def tiff(entries: Mapping[int, tuple[int, int, int]], strip: bytes = b"") -> bytes:
    """Return a TIFF of these tags: type, count and value of each."""
    directory = b"".join(struct.pack("<HHII", tag, *entries[tag]) for tag in sorted(entries))
    return struct.pack("<4sIH", b"II*\0", 8, len(entries)) + directory + bytes(4) + strip


def tiff_of_one_tile() -> bytes:
    """Return a compressed TIFF whose one tile is far larger than its picture."""
    tile = 24_000
    packed = zlib.compress(bytes(1 << 20), 1)
    count = 13
    at = 8 + 2 + 12 * count + 4
    return tiff(
        {
            256: (4, 1, 512), 257: (4, 1, 512), 258: (3, 1, 8), 259: (3, 1, 8), 262: (3, 1, 1),
            277: (3, 1, 1), 284: (3, 1, 1), 317: (3, 1, 1), 322: (4, 1, tile), 323: (4, 1, tile),
            324: (4, 1, at), 325: (4, 1, len(packed)), 339: (3, 1, 1),
        },
        packed,
    )  # fmt: skip


def large_jpeg(**options: object) -> bytes:
    """Return a grey JPEG of `SIDE` x `SIDE` pixels."""
    return encoded(Image.new("L", (SIDE, SIDE), 128), "JPEG", **options)


def jpeg_of_many_scans(scans: int = 16_000) -> bytes:
    """Return a progressive JPEG whose last scan is repeated."""
    content = encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * scans + b"\xff\xd9"


def jpeg_that_claims(width: int, height: int, **options: object) -> bytes:
    """Return a small JPEG whose header tells another size."""
    content = bytearray(encoded(Image.new("RGB", (64, 64)), "JPEG", **options))
    frame = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def write_sparse(path: Path, start: bytes, size: int = 6 << 30) -> None:
    """Write a file that is nearly all hole."""
    path.write_bytes(start)
    os.truncate(path, size)


def sparse_chunk() -> bytes:
    """Return the beginning of a PNG one of whose chunks has no end."""
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + struct.pack(">I4s", 0x7FFFFFFF, b"tEXt")


LARGE: Mapping[str, Callable[[], bytes]] = {
    "png-grey-16": lambda: large_png(16, 0, 2 * SIDE),
    "png-rgba": lambda: large_png(8, 6, 4 * SIDE),
    "png-rgb-16": lambda: large_png(16, 2, 6 * SIDE),
    "png-palette": lambda: large_png(8, 3, SIDE, _chunk(b"PLTE", bytes(768))),
    "png-one-bit": lambda: large_png(1, 0, -(-SIDE // 8)),
    "tiff-one-tile": tiff_of_one_tile,
    "tiff-float": lambda: encoded(Image.new("F", (SIDE, SIDE)), "TIFF", compression="tiff_lzw"),
    "tiff-grey": lambda: encoded(Image.new("L", (SIDE, SIDE)), "TIFF", compression="tiff_lzw"),
    "webp-animation": webp_animation,
    "webp": lambda: encoded(Image.new("RGB", (SIDE, SIDE)), "WEBP", method=0),
    "ppm-text": lambda: b"P2 %d %d 255\n" % (SIDE, SIDE) + b"0 " * (1 << 20),
    "jpeg": large_jpeg,
    "jpeg-progressive": lambda: large_jpeg(progressive=True),
    "jpeg-progressive-colour": lambda: jpeg_that_claims(SIDE, SIDE, progressive=True),
    "jpeg-many-scans": jpeg_of_many_scans,
}
"""Files whose decoding would take far more memory or time than their size says."""

SPARSE = {
    "png": sparse_chunk(),
    "jpeg": encoded(Image.new("RGB", (16, 16)), "JPEG")[:-2],
    "webp": webp_animation(),
    "dicom": b"\0" * 128 + b"DICM",
    "tiff": tiff(
        {
            256: (4, 1, 64), 257: (4, 1, 64), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1),
            273: (4, 1 << 30, 200), 279: (4, 1 << 30, 200),
        }
    ),
}  # fmt: skip
"""How files begin that are nearly all hole."""
