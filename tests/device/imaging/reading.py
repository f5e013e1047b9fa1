"""Reading one file in a process of its own, to see what it takes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.device.commands import GIVE_UP_SECONDS, ROOT

# The peak of the process itself is the kernel's VmHWM: getrusage tells its starter's too.
_PROGRAM = """
import re, resource, sys
from pathlib import Path
from device.errors import ImageError
from device.imaging.image_file import read_image

def most():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

read_image(sys.argv[1])
def used():
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime

before, start = most(), used()
try:
    pixels = read_image(sys.argv[2])
    told = f"{pixels.shape[1]} x {pixels.shape[0]}"
except ImageError as error:
    told = str(error)
children = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = used() - start + children.ru_utime + children.ru_stime
print(most() - before, children.ru_maxrss * 1024, seconds)
print(told)
"""


class Taken(NamedTuple):
    """What reading a file took.

    Attributes
    ----------
    own
        Bytes at most in the process that reads, beside what it holds anyway.
    of_child
        Bytes at most of a process that it started, as a whole; 0 if it started none.
    seconds
        Of the processor, in both.
    told
        The image's size, or what is wrong with it.
    """

    own: int
    of_child: int
    seconds: float
    told: str


def read_alone(small: Path, path: Path) -> Taken:
    """Read a file in a process of its own, after a small one."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(small), str(path)],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
        timeout=GIVE_UP_SECONDS,
    )
    figures, told = done.stdout.splitlines()
    own, of_child, seconds = figures.split()
    return Taken(int(own), int(of_child), float(seconds), told.removeprefix(f"{path}: "))
