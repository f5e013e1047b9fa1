"""The program on the instrument's processor, under an emulator of one program."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from build_host.image.program import PREFIX, TREE
from tests.image.conftest import BUILT

ROOT = BUILT / "work/root"
PROGRAM = TREE / "tests/image/golden_outputs.py"

_IN_ROOT = """
root=$1
shift
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/tmp"
mount --rbind /dev "$root/dev"
exec chroot "$root" "$@"
"""


def on_arm64(
    words: Sequence[str], program: Path = Path(os.devnull), accepted: Collection[int] = (0,)
) -> str:
    """Return what a command of the instrument's own prints, given a file to read."""
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", _IN_ROOT, "sh"]
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/tmp",  # noqa: S108
        "SDL_VIDEODRIVER": "dummy",
    }
    with program.open("rb") as file:
        done = subprocess.run(
            [*command, str(ROOT), f"/{PREFIX}/bin/{words[0]}", *words[1:]],
            env=environment,
            stdin=file,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode in accepted, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def answers(tools) -> dict[str, dict[str, Any]]:
    tools.emulate()
    said = json.loads(on_arm64(["python", "-B", "-"], PROGRAM))
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


def test_the_selftest_passes(tools):
    tools.emulate()
    # 3 where a pass takes too long: an emulator's time is never what is tested.
    told = json.loads(on_arm64(["dermascope", "selftest", "--json"], accepted=(0, 3)))
    states = {check["check"]: check["state"] for check in told["checks"]}
    failed = {check for check, state in states.items() if state == "failed"}
    assert failed <= {"time of a pass"}
    passed = {check for check, state in states.items() if state == "passed"}
    assert {"model", "golden outputs", "disk"} <= passed
