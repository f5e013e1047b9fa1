"""What an image is made with."""

import os
from pathlib import Path

import pytest

from build_host.image.commands import ToolError
from build_host.image.tools import build_root

INTERRUPTED = """#!/bin/sh
for root; do :; done
mkdir -p "$root/proc" && mount -t proc proc "$root/proc" && kill -9 $$
"""
DONE = """#!/bin/sh
for root; do :; done
mkdir "$root" && touch "$root/made"
"""


def stand_in(folder: Path, script: str) -> None:
    command = folder / "mmdebstrap"
    command.write_text(script)
    command.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_root_is_made_after_one_that_was_killed_while_the_kernel_was_mounted_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    root = tmp_path / "cache/root"
    stand_in(tmp_path, INTERRUPTED)
    with pytest.raises(ToolError):
        build_root(root, ["{}"])
    assert not root.exists()
    stand_in(tmp_path, DONE)
    build_root(root, ["{}"])
    assert (root / "made").is_file()
    assert str(root) not in Path("/proc/self/mounts").read_text()
