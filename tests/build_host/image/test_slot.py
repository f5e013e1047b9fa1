"""Which of a card's two systems starts, as RAUC asks for it and changes it."""

import subprocess
from pathlib import Path

import pytest

from build_host.image.layout import AUTOBOOT_BYTES, SLOT_A, SLOT_B, autoboot
from build_host.image.recipe import OVERLAY

SCRIPTS = OVERLAY / "usr/lib/dermascope"


class CardWithTwoSystems:
    """The scripts of a card, where partitions are folders and mounting is nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.choice = folder / "selector/autoboot.txt"
        self._tools = folder / "tools"
        for path in (self.choice.parent, self._tools):
            path.mkdir()
        self.choice.write_bytes(autoboot(SLOT_A, SLOT_B))
        self._tool("mount", "")
        self._tool("umount", "")
        self._tool("sync", "")
        self._tool("rmdir", "")
        self._tool("findmnt", "echo /dev/mmcblk0p5")
        self._tool("mktemp", f'mkdir -p "{folder}/boot"; echo "{folder}/boot"')
        (folder / "boot").mkdir()
        for name in "AB":
            (folder / f"boot/cmdline.{name}").write_text(f"rauc.slot={name}\n")
        for name in ("card.sh", "slot"):
            text = (SCRIPTS / name).read_text()
            text = text.replace("/boot/firmware", str(self.choice.parent))
            text = text.replace("/usr/lib/dermascope", str(folder))
            text = text.replace("/proc/cmdline", str(folder / "cmdline"))
            (folder / name).write_text(text)
        self.start("A")

    def _tool(self, name: str, script: str) -> None:
        path = self._tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def start(self, slot: str) -> None:
        (self._folder / "cmdline").write_text(f"quiet rauc.slot={slot} panic=10\n")

    def slot(self, *words: str) -> str:
        done = subprocess.run(
            ["sh", str(self._folder / "slot"), *words],
            env={"PATH": f"{self._tools}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    @property
    def command_line(self) -> str:
        """Of the system that was installed."""
        return (self._folder / "boot/cmdline.txt").read_text()

    @property
    def starts(self) -> bytes:
        """Return the first partition that the firmware is told of, and that of a trial."""
        lines = self.choice.read_bytes().splitlines()
        return b"".join(line[-1:] for line in lines if line.startswith(b"boot_partition="))


@pytest.fixture
def card(tmp_path) -> CardWithTwoSystems:
    return CardWithTwoSystems(tmp_path)


def test_a_new_card_starts_a(card):
    assert card.slot("get-current") == "A"
    assert card.slot("get-primary") == "A"
    assert card.starts == b"23"
    assert [card.slot("get-state", name) for name in "AB"] == ["good", "bad"]


def test_a_system_that_was_installed_is_tried_and_does_not_start_by_itself(card):
    card.slot("set-primary", "B")
    assert card.slot("get-primary") == "B"
    assert card.starts == b"23"
    assert "rauc.slot=B" in card.command_line


def test_a_system_that_was_marked_good_while_it_ran_starts_from_then_on(card):
    card.slot("set-primary", "B")
    card.start("B")
    card.slot("set-state", "B", "good")
    assert card.slot("get-primary") == "B"
    assert card.starts == b"32"


def test_a_system_that_does_not_run_cannot_be_made_the_one_that_starts(card):
    card.slot("set-primary", "B")
    card.slot("set-state", "B", "good")
    assert card.starts == b"23"


def test_a_system_that_is_about_to_be_written_over_is_not_tried(card):
    card.slot("set-primary", "B")
    card.slot("set-state", "B", "bad")
    assert card.slot("get-primary") == "A"


def test_there_and_back(card):
    for slot, other in ("BA", "AB", "BA"):
        card.slot("set-primary", slot)
        card.start(slot)
        card.slot("set-state", slot, "good")
        assert card.slot("get-state", other) == "bad"
    assert card.starts == b"32"


def test_the_choice_always_fills_one_sector(card):
    for words in (("set-primary", "B"), ("set-state", "B", "bad"), ("set-primary", "A")):
        card.slot(*words)
        assert card.choice.stat().st_size == AUTOBOOT_BYTES
