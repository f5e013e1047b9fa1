"""The program on the instrument's processor, under an emulator of one program."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from build_host.image.program import PREFIX, TREE
from tests.image.conftest import BUILT

ROOT = BUILT / "work/root"
PROGRAM = TREE / "tests/image/golden_outputs.py"

_IN_ROOT = """
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
exec chroot "$1" "$2" -B - < "$3"
"""


def on_arm64(program: Path) -> str:
    """Return what a program prints on the instrument's own Python and libraries."""
    python = f"/{PREFIX}/bin/python"
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", _IN_ROOT, "sh"]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/tmp"}  # noqa: S108
    done = subprocess.run(
        [*command, str(ROOT), python, str(program)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def answers(tools) -> dict[str, dict]:
    tools.emulate()
    said = json.loads(on_arm64(PROGRAM))
    assert said["machine"] == "aarch64"
    return said["answers"]


def test_every_network_gives_the_same_bits_as_here(answers):
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        env={**os.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        check=True,
    )
    here = json.loads(done.stdout)["answers"]
    assert sorted(answers) == sorted(here)
    for sha256, answer in here.items():
        assert answers[sha256] == answer, answer["model"]


def test_every_network_of_the_live_view_gives_the_known_answers(answers):
    known = [answer for answer in answers.values() if answer["known"]]
    assert known
    for answer in known:
        assert answer["logits"] == answer["known"], answer["model"]
