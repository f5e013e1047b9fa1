"""However much is exported, no more than a picture of it is in memory at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.device.commands import ROOT
from tests.device.interop.kill_exports import WRITERS


def most_memory(kind: str, count: int, folder: Path) -> float:
    command = [sys.executable, "-m", "tests.device.interop.export_memory", kind]
    done = subprocess.run(
        [*command, str(count), str(folder)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return float(done.stdout)


@pytest.mark.parametrize("kind", WRITERS)
def test_memory_does_not_grow_with_what_is_exported(kind: str, tmp_path: Path) -> None:
    few, many = (most_memory(kind, count, tmp_path / str(count)) for count in (10, 100))
    # The pictures between would take 20 MiB.
    assert many < few + 8.0
