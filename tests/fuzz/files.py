"""Damaged image files by the thousand: what is read, what is refused, and what that takes.

``python -m tests.fuzz.files --count 100000`` prints the table of ``docs/robustness.md``.
"""

import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from device.capture.demo import SCENES, demo_frame
from device.errors import ImageError
from device.imaging.decoders import decode
from device.imaging.decoding import Limits
from device.imaging.file_kind import HEAD_BYTES, kind_of
from device.imaging.orientation import upright
from tests.device.images import dicom, encoded
from tests.device.imaging.large import LARGE, SPARSE, write_sparse
from tests.device.imaging.reading import Taken, read_alone
from tests.device.profiles import DISPLAY_P3
from tests.fuzz.outcomes import SEED, Outcome, attempts, options, table

SMALL: Final = Limits(max_pixels=4_000_000)
"""A header that claims more is refused as one of 80 megapixels is, only sooner."""

WAYS: Final = ("one byte changed", "bytes changed", "cut short", "part repeated", "part zeroed")


def whole_files() -> dict[str, bytes]:
    """Return one undamaged file of each kind, of a lesion that the program draws."""
    pixels = np.ascontiguousarray(demo_frame(SCENES[0]).pixels[::6, ::6])
    jpeg = encoded(pixels, "JPEG", icc_profile=DISPLAY_P3)
    return {
        "JPEG": jpeg,
        "JPEG, progressive": encoded(pixels, "JPEG", progressive=True),
        "PNG": encoded(pixels, "PNG", icc_profile=DISPLAY_P3),
        "TIFF": encoded(pixels, "TIFF", compression="tiff_lzw"),
        "TIFF, deflated": encoded(pixels, "TIFF", compression="tiff_adobe_deflate"),
        "BMP": encoded(pixels, "BMP"),
        "WebP": encoded(pixels, "WEBP"),
        "WebP, lossless": encoded(pixels, "WEBP", lossless=True),
        "PPM": encoded(pixels, "PPM"),
        "DICOM": dicom(pixels),
        "DICOM, JPEG": dicom(pixels, jpeg),
    }


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a file damaged in one of `WAYS`."""
    spoilt = bytearray(content)
    # Headers are a small part of a file and the larger part of what can go wrong.
    reach = len(spoilt) if chance.random() < 0.5 else min(len(spoilt), 400)
    at = chance.randrange(reach)
    length = chance.randrange(1, 1 + max(1, len(spoilt) // 8))
    match chance.choice(WAYS):
        case "one byte changed":
            spoilt[at] ^= chance.randrange(1, 256)
        case "bytes changed":
            for _ in range(chance.randrange(2, 20)):
                spoilt[chance.randrange(reach)] = chance.randrange(256)
        case "cut short":
            del spoilt[at:]
        case "part repeated":
            spoilt[at:at] = spoilt[at : at + length]
        case _:
            spoilt[at : at + length] = bytes(min(length, len(spoilt) - at))
    return bytes(spoilt)


def read_here(content: bytes, limits: Limits = SMALL) -> NDArray[np.uint8]:
    """Return the picture in a file's bytes, read without a process of its own.

    Raises
    ------
    device.errors.ImageError
        If it cannot be read.
    """
    kind = kind_of(content[:HEAD_BYTES])
    if kind is None:
        raise ImageError("is not an image that can be read")
    decoded = decode(BytesIO(content), kind, limits)
    return upright(decoded.pixels, decoded.orientation)


def attack(count: int, seed: int = SEED) -> dict[str, Outcome]:
    """Read damaged files and return what came of them, by kind.

    Parameters
    ----------
    count
        How many, over all kinds.
    seed
        Of the damage.

    Raises
    ------
    Exception
        Whatever is not an `ImageError` of one line: the attack has succeeded.
    """
    chance = random.Random(seed)
    wholes = whole_files()

    def prepared(kind: str, number: int) -> Callable[[], None]:
        return partial(_see, damaged(wholes[kind], chance))

    return attempts(count, seed, tuple(wholes), prepared, ImageError)


def _see(content: bytes) -> None:
    pixels = read_here(content)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise AssertionError(f"gave {pixels.dtype} of {pixels.shape}")


@dataclass
class Noticed:
    """What became of JPEGs with one byte of the picture changed.

    Attributes
    ----------
    files, refused
        How many there were, and how many were refused.
    ruined, ruined_refused
        How many had more than a tenth of their pixels wrong, and how many of those were refused.
    """

    files: int = 0
    refused: int = 0
    ruined: int = 0
    ruined_refused: int = 0


def change_one_byte(count: int, seed: int = SEED) -> Noticed:
    """Change one byte of the picture in a JPEG of each scene in turn, and return what is noticed.

    What a viewer would have shown, and the program too, is told by Pillow, which is silent.
    """
    chance = random.Random(seed)
    drawn = [np.ascontiguousarray(demo_frame(scene).pixels[::3, ::3]) for scene in SCENES]
    pictures = [encoded(pixels, "JPEG", quality=90) for pixels in drawn]
    wholes = [read_here(content).astype(np.int16) for content in pictures]
    noticed = Noticed()
    while noticed.files < count:
        # How much is noticed depends on the picture: from a fifth to two thirds.
        content, whole = (of[noticed.files % len(SCENES)] for of in (pictures, wholes))
        start = content.index(b"\xff\xda") + 14
        spoilt = bytearray(content)
        spoilt[chance.randrange(start, len(content) - 2)] ^= chance.randrange(1, 256)
        try:
            with Image.open(BytesIO(spoilt)) as image:
                shown = np.asarray(image).astype(np.int16)
        except OSError:
            continue
        ruined = bool((np.abs(shown - whole).max(axis=2) > 8).mean() > 0.1)
        try:
            read_here(bytes(spoilt))
        except ImageError:
            refused = True
        else:
            refused = False
        noticed.files += 1
        noticed.refused += refused
        noticed.ruined += ruined
        noticed.ruined_refused += refused and ruined
    return noticed


def hungry() -> Iterator[tuple[str, int, Taken]]:
    """Yield each file that would take much memory or time: its name, its size, what it took."""
    with tempfile.TemporaryDirectory() as folder:
        small, path = Path(folder) / "small.png", Path(folder) / "file"
        small.write_bytes(encoded(np.zeros((16, 16, 3), np.uint8), "PNG"))
        for kind, make in LARGE.items():
            path.write_bytes(make())
            yield kind, path.stat().st_size, read_alone(small, path)
        for kind, start in SPARSE.items():
            write_sparse(path, start)
            yield f"{kind}, sparse", path.stat().st_size, read_alone(small, path)
            path.unlink()


def hungry_table(rows: Iterable[tuple[str, int, Taken]]) -> str:
    """Return what files of `hungry` took, as Markdown."""
    lines = [
        "| file | its size | memory | processor | what came out |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {kind} | {size / 1e6:,.3f} MB | {max(t.own, t.of_child) / 1e6:.0f} MB | "
        f"{t.seconds:.1f} s | {t.told} |"
        for kind, size, t in rows
    ]
    return "\n".join(lines)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Let nobody hear what libtiff says of each file."""
    heard = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        yield
    finally:
        os.dup2(heard, 2)


def main() -> None:
    """Attack as often as the command line says, and print the table."""
    told = options(__doc__, 100_000)
    # First of all: the peak of this process is told.
    with unheard():
        damage = table(attack(told.count, told.seed), "kind", "files", "read")
    sys.stdout.write(hungry_table(hungry()) + "\n\n" + damage + "\n\n")
    noticed = change_one_byte(told.count // 20, told.seed)
    sys.stdout.write(
        f"Of {noticed.files:,} JPEGs with one byte of the picture changed, {noticed.refused:,} "
        f"were refused; of the {noticed.ruined:,} that had more than a tenth of their pixels wrong "
        f"by it, {noticed.ruined_refused:,}.\n"
    )


if __name__ == "__main__":
    main()
