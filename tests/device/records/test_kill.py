"""A program that is killed at any moment loses nothing that it acknowledged."""

import subprocess
import sys

from tests.device.commands import ROOT


def test_nothing_acknowledged_is_lost_and_nothing_is_half_there() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.device.records.kill", "--count", "200", "--seed", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert int(done.stdout.splitlines()[-1].split()[0]) >= 200
