"""Power that fails at any moment of a run loses nothing that was acknowledged by then."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.device.records.power_cut import cut_at_any_moment


def _can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], check=False).returncode == 0


@pytest.mark.skipif(not _can_trace(), reason="strace is not installed, or may not trace")
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_acknowledged_is_lost(tmp_path: Path, seed: int) -> None:
    assert cut_at_any_moment(tmp_path, seed, 0.1) > 40
