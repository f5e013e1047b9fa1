"""A program that is killed at any moment loses nothing that it acknowledged."""

import re
import subprocess
import sys

from tests.device.commands import ROOT


def test_nothing_acknowledged_is_lost_and_nothing_is_half_there() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.device.records.kill", "--count", "300", "--seed", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    killed = dict(
        re.findall(r"^\| \**(.+?)\** \| (\d+) \| 0 \| 0 \| 0 \|$", done.stdout, re.MULTILINE)
    )
    assert int(killed.pop("all")) >= 300
    for operation in (
        "save a picture", "back up", "restore", "import", "migration", "PIN", "export", "queue",
    ):  # fmt: skip
        assert any(operation in told and int(count) for told, count in killed.items()), operation
