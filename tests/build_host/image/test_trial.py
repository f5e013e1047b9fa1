"""An update of the system: offered, installed, tried, and kept or left, whenever power fails."""

from pathlib import Path

import pytest

from build_host.image.recipe import OVERLAY
from tests.build_host.image.two_systems import CardWithTwoSystems

STICK = "sda1"
SOUND = """
case "$*" in
    *ActiveState*) echo active ;;
    *NRestarts*) echo 0 ;;
    *is-failed*) exit 1 ;;
    *) echo "systemctl $*" >> "{said}" ;;
esac
"""


class Instrument:
    """A card, with an update of a version on the stick in it."""

    def __init__(self, folder: Path) -> None:
        self.card = CardWithTwoSystems(folder)
        self.folder = folder
        self.stick = folder / "run/media" / STICK
        self.stick.mkdir(parents=True)
        (folder / "run/dermascope-status").mkdir()
        self.installs = True
        self.holds("1.3.0")
        self.card.tool("systemctl", SOUND.format(said=folder / "said"))
        self.card.tool("dermascope", "exit 0")

    def holds(self, version: str) -> None:
        """Put an update onto the stick."""
        (self.stick / "dermascope-update.raucb").write_bytes(b"")
        self.card.tool(
            "rauc",
            f'echo "rauc $*" >> "{self.folder}/said"\n'
            f"case $1 in info) echo \"RAUC_MF_VERSION='{version}'\" ;; "
            f'install) [ -e "{self.folder}/installs" ] && sh "{self.folder}/slot" set-primary '
            f'$(sed "s/.*rauc.slot=A.*/B/;s/.*rauc.slot=B.*/A/" "{self.folder}/cmdline") ;; '
            f'status) sh "{self.folder}/slot" set-state '
            f'$(sed "s/.*rauc.slot=\\(.\\).*/\\1/" "{self.folder}/cmdline") good ;; esac',
        )
        (self.folder / "installs").touch()

    @property
    def offer(self) -> str:
        path = self.folder / "run/dermascope-update/offer"
        return path.read_text().strip() if path.exists() else ""

    def look(self) -> str:
        self.card.script("update", "look", STICK)
        return self.offer

    def install(self) -> None:
        (self.folder / "run/dermascope-status/install-update").touch()
        self.card.script("update", "install")

    def start(self, slot: str, status: int = 0) -> str:
        """Start it, and return what is said of a trial."""
        self.card.start(slot)
        return self.card.script("confirm", status=status).stderr


@pytest.fixture
def instrument(tmp_path) -> Instrument:
    return Instrument(tmp_path)


def test_what_a_newer_update_brings_is_offered_and_not_installed_by_itself(instrument):
    assert instrument.look() == f"offered 1.3.0 {STICK}"
    assert "rauc install" not in instrument.card.said
    instrument.card.script("update", "forget", "sdb1")
    assert instrument.offer
    instrument.card.script("update", "forget", STICK)
    assert not instrument.offer


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("1.2.0", ""),
        ("1.1.9", f"older 1.1.9 {STICK}"),
        ("1.10.0", f"offered 1.10.0 {STICK}"),
        ("", f"untrusted - {STICK}"),
        ("$(reboot) x", f"untrusted - {STICK}"),
    ],
)
def test_what_is_told_of_an_update_follows_its_version(instrument, version, told):
    instrument.holds(version)
    assert instrument.look() == told


@pytest.mark.parametrize("kernel", ["Debian", "Debian with the module", "Raspberry Pi"])
def test_a_raspberry_pi_whose_kernel_cannot_try_an_update_says_so(instrument, kernel):
    (instrument.folder / "model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    if kernel == "Raspberry Pi":
        (instrument.folder / "vcio").symlink_to("/dev/null")
    elif kernel != "Debian":
        (instrument.folder / "modules/dermascope_tryboot").mkdir(parents=True)
    told = "untryable" if kernel == "Debian" else "offered"
    assert instrument.look() == f"{told} 1.3.0 {STICK}"


def test_an_update_that_could_not_be_judged_without_a_key_waits_for_it(instrument):
    run = instrument.folder / "run"
    (run / "dermascope").mkdir()
    (run / "dermascope/data.key-file").write_text("valley.key")
    instrument.look()
    instrument.card.script("update", "install")
    assert instrument.offer == f"keyless 1.3.0 {STICK}"
    assert "rauc install" not in instrument.card.said
    # One that was made before that was set is not locked.
    (run / "dermascope/data").write_text("plain\n")
    instrument.look()
    instrument.install()
    assert "rauc install" in instrument.card.said


def test_an_update_whose_key_is_here_is_tried(instrument):
    run = instrument.folder / "run"
    (run / "dermascope").mkdir()
    (run / "dermascope/data.key-file").write_text("valley.key")
    (run / "media/sdc1").mkdir(parents=True)
    (run / "media/sdc1/valley.key").write_bytes(bytes(64))
    instrument.look()
    instrument.install()
    assert "systemctl reboot --reboot-argument=0 tryboot" in instrument.card.said


def test_an_update_is_installed_at_once_where_the_instrument_does_not_work(instrument):
    instrument.card.tool("systemctl", f'echo "systemctl $*" >> "{instrument.folder}/said"')
    instrument.look()
    assert "systemctl start --no-block dermascope-update.service" in instrument.card.said


def test_an_update_that_was_there_before_the_instrument_failed_is_installed_then(instrument):
    start = "systemctl start --no-block dermascope-update.service"
    # It fails and is started again: systemd does not call that failed yet.
    assert instrument.look() == f"offered 1.3.0 {STICK}"
    assert start not in instrument.card.said
    instrument.card.script("update", "rescue")
    assert start in instrument.card.said


@pytest.mark.parametrize("version", ["1.2.0", "1.1.0", ""])
def test_an_instrument_that_failed_installs_nothing_that_was_not_offered(instrument, version):
    instrument.holds(version)
    instrument.look()
    instrument.card.script("update", "rescue")
    assert "systemctl start" not in instrument.card.said


def test_the_screen_of_an_instrument_that_failed_looks_for_an_update_first():
    unit = OVERLAY / "usr/lib/systemd/system/dermascope-fault.service.d/image.conf"
    lines = unit.read_text().splitlines()
    # As root, though the screen is not, and whatever comes of it.
    assert "ExecStartPre=+-/usr/lib/dermascope/update rescue" in lines


def test_an_update_that_works_is_kept(instrument):
    instrument.look()
    instrument.install()
    assert "systemctl reboot --reboot-argument=0 tryboot" in instrument.card.said
    assert not (instrument.folder / "run/dermascope-status/install-update").exists()
    assert instrument.card.starts == b"23"
    assert instrument.start("B") == ""
    assert instrument.card.starts == b"32"
    assert instrument.start("B") == ""
    assert list(instrument.card.memory.iterdir()) == []


def test_an_update_that_cannot_be_written_is_told_and_not_tried(instrument):
    instrument.look()
    (instrument.folder / "installs").unlink()
    instrument.card.script("update", "install", status=1)
    assert instrument.offer == f"failed 1.3.0 {STICK}"
    assert "reboot" not in instrument.card.said
    assert instrument.start("A") == ""


def test_an_update_is_not_installed_where_no_note_of_its_trial_can_be_kept(instrument):
    instrument.look()
    instrument.card.tool("mountpoint", f'[ "$2" != "{instrument.card.memory}" ]')
    instrument.card.script("update", "install", status=1)
    assert instrument.offer == f"failed 1.3.0 {STICK}"
    assert "rauc install" not in instrument.card.said
    assert "reboot" not in instrument.card.said


@pytest.mark.parametrize("fails", ["the note", "sync", "the restart", "it is stopped"])
def test_an_installation_that_comes_to_no_end_is_told(instrument, fails):
    instrument.look()
    if fails == "the note":
        (instrument.card.memory / "trial").mkdir()
    elif fails == "sync":
        instrument.card.tool("sync", "exit 1")
    elif fails == "the restart":
        instrument.card.tool("systemctl", "exit 1")
    else:
        info = "RAUC_MF_VERSION='1.3.0'"
        instrument.card.tool("rauc", f'[ $1 = install ] && kill -TERM $PPID; echo "{info}"')
    instrument.card.script("update", "install", status=None)
    assert instrument.offer == f"failed 1.3.0 {STICK}"
    assert "reboot" not in instrument.card.said


@pytest.mark.parametrize("version", ["1.1.0", "1.4.0", ""])
def test_an_update_that_is_another_by_now_is_not_installed(instrument, version):
    instrument.look()
    instrument.holds(version)
    instrument.card.script("update", "install", status=1)
    assert instrument.offer == f"untrusted - {STICK}"
    assert "rauc install" not in instrument.card.said
    assert list(instrument.card.memory.iterdir()) == []


def test_an_update_that_does_not_work_is_not_tried_again(instrument):
    instrument.look()
    instrument.install()
    instrument.card.tool("dermascope", "exit 3")
    assert "fails its self-test" in instrument.start("B", status=1)
    assert instrument.card.starts == b"23"
    assert "the update 1.3.0 does not work here" in instrument.start("A")
    assert instrument.look() == f"refused 1.3.0 {STICK}"
    instrument.holds("1.3.1")
    assert instrument.look() == f"offered 1.3.1 {STICK}"


def test_power_that_fails_before_the_trial_or_in_it_refuses_no_update(instrument):
    instrument.look()
    instrument.install()
    # Neither of the two: the firmware forgets that a trial was asked for.
    assert "may be tried again" in instrument.start("A")
    assert instrument.start("A") == ""
    assert instrument.look() == f"offered 1.3.0 {STICK}"
    instrument.install()
    assert instrument.start("B") == ""
    assert instrument.card.starts == b"32"


def test_an_update_that_never_gets_so_far_is_refused_in_the_end(instrument):
    for _ in range(2):
        instrument.look()
        instrument.install()
        assert "may be tried again" in instrument.start("A")
    instrument.look()
    instrument.install()
    assert "is not tried again" in instrument.start("A")
    assert instrument.look() == f"refused 1.3.0 {STICK}"


def test_power_that_fails_after_the_choice_leaves_the_new_system(instrument):
    instrument.look()
    instrument.install()
    instrument.card.start("B")
    instrument.card.slot("set-state", "B", "good")
    assert instrument.start("B") == ""
    assert instrument.card.starts == b"32"
    assert list(instrument.card.memory.iterdir()) == []


def fails_to_write(instrument: Instrument, what: str) -> None:
    """Have something fail on the card, whoever asks: a disk that has become read-only, for one."""
    if what == "the choice":
        instrument.card.tool("mount", '! echo "$*" | grep -q remount,rw')
    elif what == "the sector":
        instrument.card.tool("dd", "cat > /dev/null; exit 1")
    elif what == "the note of tries":
        (instrument.card.memory / "tries").mkdir()
    else:
        instrument.card.tool("rm", "exit 1")


@pytest.mark.parametrize(
    "what", ["the choice", "the sector", "the note of tries", "what is removed"]
)
def test_the_system_that_starts_by_default_is_never_left(instrument, what):
    instrument.look()
    instrument.install()
    fails_to_write(instrument, what)
    for _ in range(5):
        instrument.start("A")
    assert "mark-good" not in instrument.card.said
    assert instrument.card.starts == b"23"


@pytest.mark.parametrize("what", ["the note of tries", "what is removed"])
def test_a_system_that_was_kept_is_never_left(instrument, what):
    instrument.look()
    instrument.install()
    fails_to_write(instrument, what)
    for _ in range(2):
        instrument.start("B")
    assert instrument.card.starts == b"32"


@pytest.mark.parametrize("choice", [None, b"", bytes(512), b"[all]\nboot_partition=7\n[tryboot]\n"])
@pytest.mark.parametrize("slot", ["A", "B", "", "C"])
def test_a_system_is_not_left_where_nobody_can_tell_whether_it_is_on_trial(
    instrument, slot, choice
):
    instrument.look()
    instrument.install()
    instrument.card.choice.unlink()
    if choice is not None:
        instrument.card.choice.write_bytes(choice)
    assert "whether this one is on trial is not known" in instrument.start(slot)
    assert "mark-good" not in instrument.card.said
    assert (instrument.card.choice.read_bytes() if choice is not None else None) == choice


@pytest.mark.parametrize("what", ["the choice", "the sector"])
def test_a_trial_that_cannot_be_kept_is_left(instrument, what):
    instrument.look()
    instrument.install()
    fails_to_write(instrument, what)
    instrument.card.start("B")
    done = instrument.card.script("confirm", status=None)
    assert done.returncode != 0
    assert instrument.card.starts == b"23"


def test_nothing_is_offered_while_an_update_is_on_trial(instrument):
    instrument.look()
    instrument.install()
    instrument.card.script("update", "forget", STICK)
    instrument.card.start("B")
    assert instrument.look() == ""
