"""Reading one file in a process of its own, to see what it takes."""

import os
import subprocess
import sys
from pathlib import Path

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
before = most()
try:
    pixels = read_image(sys.argv[2])
    told = f"{pixels.shape[1]} x {pixels.shape[0]}"
except ImageError as error:
    told = str(error)
print(most() - before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
print(told)
"""


def read_alone(small: Path, path: Path) -> tuple[int, int, str]:
    """Read a file in a process of its own, after a small one.

    Returns
    -------
    tuple
        Bytes that it took at most in that process, and that one which it started took as a whole;
        and the image's size, or what is wrong with it.
    """
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
    own, of_child = map(int, figures.split())
    return own, of_child, told.removeprefix(f"{path}: ")
