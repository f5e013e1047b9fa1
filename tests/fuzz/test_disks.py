import subprocess
import sys

import pytest

from tests.device.commands import ROOT
from tests.fuzz.disks import ALLOWED, STATES


@pytest.mark.skipif(not ALLOWED, reason="may not mount")
def test_whatever_the_disk_is_like_all_is_told_in_a_line_and_nothing_acknowledged_is_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.disks"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    rows = {
        line.split(" | ")[0].lstrip("| "): line.split(" | ") for line in done.stdout.splitlines()
    }
    for state in STATES:
        for when in ("before the start", "while it runs"):
            works, refused = rows[f"{state}, {when}"][1:3]
            assert ("keep a picture" in works) == (state == "sound")
            assert ("keep a picture" in refused) == (state != "sound")
