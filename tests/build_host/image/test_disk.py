"""What goes onto a card's partitions."""

import os
import stat
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest

from build_host.image.debian import SUITE_EPOCH
from build_host.image.disk import SELECTOR, make_card, make_fat, settle_times
from build_host.image.recipe import load_recipe
from build_host.image.release import publish
from build_host.image.tools import Tools

EPOCH = 1_800_000_000


class StandIns(Tools):
    """The tools, of which each only makes the file that it is to make."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tools"
        self._folder.mkdir()
        for name, script in {
            "mkfs.vfat": 'while [ "$1" != -C ]; do shift; done; echo made > "$2"',
            "mcopy": f'cp -a "$(dirname "$5")" "{folder}/staged"',
            "genimage": f'echo made > "{folder}/dermascope.img"',
            "bmaptool": "exit 0",
            "xz": "echo packed",
        }.items():
            path = self._folder / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)

    def run(
        self,
        command: Sequence[str],
        shared: object,
        environment: Mapping[str, str] | None = None,
        accepted: object = (0,),
    ) -> str:
        before = os.umask(0o022)
        try:
            subprocess.run(command, env={"PATH": f"{self._folder}:/usr/bin:/bin"}, check=True)
        finally:
            os.umask(before)
        return ""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("settings", "image"), [(0o600, 0o600), (0o640, 0o600), (0o644, 0o644)])
def test_an_image_is_read_by_those_alone_who_may_read_its_settings(
    tmp_path: Path, settings: int, image: int
) -> None:
    tools = StandIns(tmp_path)
    source = tmp_path / "dermascope.toml"
    source.write_text("[machine.wifi]")
    source.chmod(settings)
    card = tmp_path / "dermascope.img"
    packed = tmp_path / "dermascope-1.0-arm64.img.xz"
    # Of an earlier build, of which the settings held something else.
    for left in (card, packed, tmp_path / SELECTOR):
        left.touch()
        left.chmod(0o644 if image == 0o600 else 0o600)
    make_fat(tmp_path / SELECTOR, {source.name: source}, 32, "DERMASCOPE", tools, EPOCH)
    assert mode(tmp_path / SELECTOR) == image
    assert make_card(tmp_path, load_recipe().partitions, tools) == card
    assert mode(card) == image
    publish(card, tmp_path, "1.0", date(2026, 1, 2), "https://example.org", tools)
    assert mode(packed) == image


def test_nobody_else_reads_the_settings_while_an_image_is_made(tmp_path: Path) -> None:
    tools = StandIns(tmp_path)
    source = tmp_path / "dermascope.toml"
    source.write_text("[machine.wifi]")
    source.chmod(0o600)
    make_fat(tmp_path / "image.vfat", {source.name: source}, 32, "DERMASCOPE", tools, EPOCH)
    assert (tmp_path / "staged" / source.name).is_file()
    assert mode(tmp_path / "staged") == 0o700


def test_two_roots_that_were_made_at_different_hours_have_the_same_times(tmp_path):
    for name, made in (("morning", EPOCH - 50_000), ("evening", EPOCH - 10_000)):
        root = tmp_path / name
        (root / "etc").mkdir(parents=True)
        (root / "etc/hostname").write_text("dermascope")
        (root / "etc/packed").write_text("as Debian packed it")
        (root / "etc/link").symlink_to("hostname")
        os.utime(root / "etc/packed", (SUITE_EPOCH - 9, SUITE_EPOCH - 9))
        for path in (root / "etc/hostname", root / "etc/link", root / "etc", root):
            os.utime(path, (made, made), follow_symlinks=False)
        settle_times(root, EPOCH)
        times = {
            str(path.relative_to(root)): path.lstat().st_mtime for path in (root, *root.rglob("*"))
        }
        assert times == {
            ".": EPOCH,
            "etc": EPOCH,
            "etc/hostname": EPOCH,
            "etc/link": EPOCH,
            "etc/packed": SUITE_EPOCH - 9,
        }
