"""A process of its own for decoders that promise neither how much memory they take nor how long.

It is started for one file and ends with it. What it may take is limited by the kernel, and what it
writes to standard error, as libtiff does, is heard by nobody.
"""

import math
import mmap
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from device.errors import ImageError
from device.imaging.decoders import decode
from device.imaging.decoding import MAX_MEMORY, Decoded, Limits, needs_too_much
from device.imaging.file_kind import FileKind
from device.platform.child_process import same_modules

_WAIT_SECONDS: Final = 120.0
"""For a machine that is very busy, or a disk that is very slow."""


class _Task(msgspec.Struct, frozen=True):
    """What the process is to do: the file is one descriptor, the pixels go into another."""

    file: int
    pixels: int
    kind: FileKind
    limits: Limits


class _Answer(msgspec.Struct, frozen=True):
    """What came of it: the image's shape, or what is wrong."""

    shape: tuple[int, int, int] = (0, 0, 0)
    orientation: int = 1
    error: str = ""


def decode_in_process(file: IO[bytes], kind: FileKind, limits: Limits) -> Decoded:
    """Return the picture in a file, decoded in a process with limits.

    Parameters
    ----------
    file
        Open at its beginning; it has a descriptor.
    kind
        What it is.
    limits
        How large it may be.

    Raises
    ------
    device.errors.ImageError
        If it is damaged, no photograph, or takes too much memory or time. The message does not say
        which file.
    """
    pixels = os.memfd_create("pixels")
    try:
        task = _Task(file.fileno(), pixels, kind, limits)
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", __name__],
                input=msgspec.json.encode(task),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(task.file, task.pixels),
                env=same_modules(),
                timeout=_WAIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _takes_too_long(limits) from None
        if done.returncode == -signal.SIGXCPU:
            raise _takes_too_long(limits)
        if done.returncode < 0:
            raise ImageError(
                f"the image is damaged: its decoder was ended by signal {-done.returncode}"
            )
        if done.returncode > 0:
            raise needs_too_much()
        answer = msgspec.json.decode(done.stdout, type=_Answer)
        if answer.error:
            raise ImageError(answer.error)
        return Decoded(_mapped(pixels, answer.shape), answer.orientation)
    finally:
        os.close(pixels)


def main() -> None:
    """Do the task on standard input, and tell on standard output what came of it."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=_Task)
    before = _data_bytes()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, task.limits.seconds)
    _limit(resource.RLIMIT_DATA, before + MAX_MEMORY)

    def allocate(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        # Shared memory is not counted by the kernel's limit.
        _limit(resource.RLIMIT_DATA, before + MAX_MEMORY - math.prod(shape))
        os.ftruncate(task.pixels, math.prod(shape))
        return _mapped(task.pixels, shape)

    try:
        with os.fdopen(task.file, "rb") as file:
            # The descriptor stands where whoever opened it has read to.
            file.seek(0)
            decoded = decode(file, task.kind, task.limits, allocate)
        answer = _Answer(decoded.pixels.shape, decoded.orientation)
    except ImageError as error:
        answer = _Answer(error=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def _mapped(memory: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return shared memory as an image; it is freed with it."""
    return np.frombuffer(mmap.mmap(memory, math.prod(shape)), np.uint8).reshape(shape)


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (allowed, hard))


def _data_bytes() -> int:
    """Return how much memory of its own this process holds."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    (line,) = (line for line in status.splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) << 10


def _takes_too_long(limits: Limits) -> ImageError:
    return ImageError(
        f"takes more than {limits.seconds} seconds to decode; save it as a JPEG or PNG"
    )


if __name__ == "__main__":
    main()
