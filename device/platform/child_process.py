"""Python in a process of its own, which finds the same modules."""

import os
import sys
from pathlib import Path


def same_modules() -> dict[str, str]:
    """Return this process's environment, so that the same modules are found."""
    found = os.pathsep.join(str(Path(place).resolve()) for place in sys.path if place)
    return {**os.environ, "PYTHONPATH": found, "OPENBLAS_NUM_THREADS": "1"}
