"""The data partition at the start of the machine: made once, and what was made is never lost."""

import subprocess
from pathlib import Path

import pytest

from build_host.image.recipe import OVERLAY
from device.provisioning.apply import DATA_DECIDED, DATA_KEY, DATA_KEY_FILE

SCRIPTS = OVERLAY / "usr/lib/dermascope"
TOOLS = (
    "mount",
    "umount",
    "cryptsetup",
    "wipefs",
    "partx",
    "resize2fs",
    "install",
    "sync",
    "sleep",
)
MADE = "sfdisk --quiet --no-reread --no-tell-kernel --part-type {disk} 7 83"
KEY = "a passphrase of the valley"


class Start:
    """The script of a card, where devices are files; commands of the system are stand-ins."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tools = folder / "tools"
        self.run = folder / "run/dermascope"
        self.disk = folder / "dev/mmcblk0"
        self.part = folder / "dev/mmcblk0p7"
        for path in (self._tools, self.run, self.disk.parent):
            path.mkdir(parents=True)
        (self.run / DATA_DECIDED).touch()
        self.part.touch()
        for name, value in (("start", 1000), ("size", 60_000)):
            path = folder / "sys/class/block/mmcblk0p7" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n")
        for name in (*TOOLS, "mkfs.ext4", "e2fsck"):
            self.tool(name)
        self.tool("findmnt", f"echo {folder}/dev/mmcblk0p5")
        self.tool("lsblk", "echo mmcblk0")
        self.tool("blockdev", "echo 61000")
        self.is_luks(False)
        places = {
            "/usr/lib/dermascope/": f"{folder}/",
            "/proc/cmdline": "/dev/null",
            "/sys/class": f"{folder}/sys/class",
            "/var/lib": f"{folder}/var/lib",
            "/run/": f"{folder}/run/",
            '"/dev/': f'"{folder}/dev/',
            "=/dev/": f"={folder}/dev/",
            "#/dev/": f"#{folder}/dev/",
            "in /dev/": f"in {folder}/dev/",
            "[ -b ": "[ -e ",
        }
        for name in ("card.sh", "data"):
            text = (SCRIPTS / name).read_text()
            for there, here in places.items():
                text = text.replace(there, here)
            (folder / name).write_text(text)

    def tool(self, name: str, script: str = "") -> None:
        path = self._tools / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self._folder}/said"\n{script}\n')
        path.chmod(0o755)

    def has_type(self, answer: str) -> None:
        """Have the partition table answer so when it is asked for the type."""
        asked = f'[ "$*" = "--part-type {self.disk} 7" ]'
        self.tool("sfdisk", f"if {asked}; then {answer}; fi")

    def is_luks(self, luks: bool) -> None:
        self.tool("cryptsetup", f'[ "$1" != isLuks ] || exit {0 if luks else 1}')

    def start(self) -> str:
        """Start the machine, and return what is found wrong with the partition."""
        for path in (self._folder / "said", self.run / "data"):
            path.unlink(missing_ok=True)
        done = subprocess.run(
            ["sh", str(self._folder / "data")],
            env={"PATH": f"{self._tools}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        found = self.run / "data"
        word = found.read_text().strip() if found.exists() else ""
        self.said = (self._folder / "said").read_text()
        assert (done.returncode == 0) == (word in {"", "plain"}), done.stderr
        last = done.stderr.splitlines()[-1:]
        assert not word or last[0].startswith("dermascope: the data partition ")
        return word

    @property
    def written(self) -> bool:
        """Whether anything that may lie on the partition is gone."""
        return any(word in self.said for word in ("wipefs", "mkfs", "luksFormat"))

    @property
    def made(self) -> bool:
        return MADE.format(disk=self.disk) in self.said.splitlines()

    @property
    def keeps_nothing(self) -> bool:
        """Whether what the program would keep is refused, and not lost with the memory."""
        return "mount -t tmpfs -o ro" in self.said and "mount -t ext4" not in self.said


@pytest.fixture
def card(tmp_path: Path) -> Start:
    return Start(tmp_path)


def test_a_partition_that_was_never_made_is_made_at_the_first_start(card: Start) -> None:
    card.has_type("echo da")
    assert card.start() == ""
    said = card.said.splitlines()
    order = [line.split()[0] for line in said if line.split()[0] in {"wipefs", "mkfs.ext4", "sync"}]
    assert order == ["wipefs", "mkfs.ext4", "sync"]
    # Only what is whole is told to be made, and only then is anything kept there.
    (mounted,) = (number for number, line in enumerate(said) if line.startswith("mount -t ext4"))
    assert said.index(f"sync {card.part}") < said.index(MADE.format(disk=card.disk)) < mounted


def test_a_partition_that_was_made_is_opened_and_never_made_again(card: Start) -> None:
    card.has_type("echo 83")
    assert card.start() == ""
    assert not card.written
    assert "mount -t ext4" in card.said


@pytest.mark.parametrize(
    "answer",
    ["echo 'sfdisk: cannot open: Input/output error' >&2; exit 1", "exit 1", "exit 0", "echo",
     "echo 8e", "echo c", "echo DA83", "echo da; exit 1"],
)  # fmt: skip
def test_a_partition_whose_type_is_not_known_is_left_as_it_is(card: Start, answer: str) -> None:
    card.has_type(answer)
    assert card.start() == "damaged"
    assert not card.written
    assert not card.made
    assert "sfdisk --quiet" not in card.said
    assert card.keeps_nothing


def test_a_first_start_that_was_cut_off_is_done_again(card: Start) -> None:
    card.has_type("echo da")
    (card.run / DATA_KEY).write_text(KEY)
    card.is_luks(True)
    assert card.start() == ""
    assert "luksFormat" in card.said
    assert card.made


@pytest.mark.parametrize("fails", ["wipefs", "mkfs.ext4", "sync"])
def test_what_could_not_be_made_whole_is_not_told_to_be_made(card: Start, fails: str) -> None:
    card.has_type("echo da")
    card.tool(fails, "exit 1")
    assert card.start() == "unmade"
    assert not card.made
    assert card.keeps_nothing


def test_nothing_is_kept_where_the_table_cannot_be_written(card: Start) -> None:
    card.has_type("echo da; else exit 1")
    assert card.start() == "unmade"
    assert card.keeps_nothing


def test_a_card_that_the_kernel_does_not_know_is_left_as_it_is(card: Start) -> None:
    card.has_type("echo da")
    card.tool("lsblk", "exit 1")
    assert card.start() == "damaged"
    assert not card.written


@pytest.mark.parametrize("key", ["", DATA_KEY, DATA_KEY_FILE])
def test_a_partition_is_not_made_before_the_settings_have_decided_how(
    card: Start, key: str
) -> None:
    card.has_type("echo da")
    (card.run / DATA_DECIDED).unlink()
    if key:
        (card.run / key).write_text(KEY)
    assert card.start() == "unknown"
    assert not card.written
    assert card.keeps_nothing
    # One that was made needs no word of the settings.
    card.has_type("echo 83")
    assert card.start() in {"", "plain"}


def test_what_the_settings_want_encrypted_is_never_made_in_plain(card: Start) -> None:
    card.has_type("echo da")
    (card.run / DATA_KEY).write_text(KEY)
    assert card.start() == ""
    said = card.said.splitlines()
    assert any("luksFormat" in line for line in said)
    (made,) = (line for line in said if line.startswith("mkfs.ext4"))
    assert made.endswith("/dev/mapper/dermascope-data")
    assert not (card.run / DATA_KEY).exists()


def test_a_partition_that_is_locked_or_plain_is_told(card: Start) -> None:
    card.has_type("echo 83")
    card.is_luks(True)
    assert card.start() == "locked"
    assert card.keeps_nothing
    card.is_luks(False)
    (card.run / DATA_KEY).write_text(KEY)
    assert card.start() == "plain"
    assert not card.written
