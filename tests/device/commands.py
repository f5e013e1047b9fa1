"""The command line as tests use it, and what it says."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from device.inference.finding import FindingRecord
from tests.device.images import (
    PATTERN,
    encoded,
)

GIVE_UP_SECONDS = 600.0
ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]
JPEG = encoded(PATTERN, "JPEG")


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line as a person does."""
    return subprocess.run(
        [sys.executable, "-m", "device", *map(os.fspath, arguments)],
        cwd=ROOT,
        check=False,
        text=True,
        timeout=GIVE_UP_SECONDS,
        **({"capture_output": True} | options),
    )


def records(out: str) -> list[FindingRecord]:
    return [msgspec.json.decode(line, type=FindingRecord, strict=True) for line in out.splitlines()]


def complaint(capsys: Capture) -> str:
    """Return the one line on standard error."""
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("dermascope: ")
    assert "internal error" not in lines[0]
    return lines[0]
