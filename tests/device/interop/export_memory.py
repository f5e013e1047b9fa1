"""Exports so many examinations, and prints the most memory that it took, in MiB.

``python -m tests.device.interop.export_memory KIND COUNT FOLDER``
"""

import resource
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from device.config import Config
from device.interop.study import ExaminedLesion
from device.models.chosen import open_bundle
from device.records.model import Examination
from tests.device.interop.kill_exports import WRITERS
from tests.device.interop.studies import DECISION, examined

SIZE = (240, 320, 3)
"""Of each picture: a quarter of a MiB."""


def every(count: int) -> Iterator[ExaminedLesion]:
    """Yield examinations one after another, as an archive is read."""
    manifest = open_bundle(Config()).manifest
    for number in range(1, count + 1):
        one = examined(manifest, number=number, decision=DECISION)
        pixels = np.full(SIZE, number % 256, np.uint8)
        yield replace(one, examination=Examination(one.examination.record, pixels))


def main() -> None:
    """Export what the command line asks for."""
    kind, count, folder = sys.argv[1:]
    assert WRITERS[kind](every(int(count)), Path(folder)) == int(count)
    sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f}\n")


if __name__ == "__main__":
    main()
