"""Updates of the system: one that works is kept, one that does not is left, records stay."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from build_host.image.layout import SLOT_A, SLOT_B, kernel_command_line
from build_host.image.recipe import load_recipe
from build_host.image.tools import Tools
from build_host.image.update import make_update
from build_host.image.update_key import default_update_key
from tests.image.card import Card, partitions
from tests.image.conftest import BUILT, Flash
from tests.image.machine import READY, Machine
from tests.image.test_boot import CAMERA, KEPT, LOG, START_SECONDS, UNDERSTOOD, working
from tests.image.test_power_cuts import SETTINGS, examinations

WORK = BUILT / "work"
NO_MODEL = "systemd.setenv=DERMASCOPE_MODELS=/nowhere"
INSTALL_SECONDS = 2400.0


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("update")


def update(work: Path, tools: Tools, version: str, *, broken: bool = False) -> Path:
    """Return a stick with an update: the same system, under another version.

    In a broken one the program does not find its model, whatever it tries.
    """
    folder = work / version
    folder.mkdir()
    boot = WORK / "boot-a.vfat"
    if broken:
        boot = folder / "boot.vfat"
        shutil.copyfile(WORK / "boot-a.vfat", boot)
        for slot in (SLOT_A, SLOT_B):
            line = folder / f"cmdline.{slot.name}"
            line.write_text(f"{kernel_command_line(slot)} {NO_MODEL}\n")
            shared = [folder]
            tools.run(["mcopy", "-D", "o", "-i", str(boot), str(line), "::/"], shared)
    bundle = folder / "dermascope-update.raucb"
    compatible = load_recipe().compatible
    root = WORK / "root.erofs"
    make_update(root, boot, bundle, default_update_key(), compatible, version, tools)
    return stick(bundle, tools)


def stick(bundle: Path, tools: Tools) -> Path:
    """Return the image of a USB stick with an update on it."""
    image = bundle.with_name("stick.img")
    size = str((bundle.stat().st_size >> 10) + 32768)
    shared = [bundle.parent]
    tools.run(["mkfs.vfat", "-F", "32", "-n", "STICK", "-C", str(image), size], shared)
    tools.run(["mcopy", "-i", str(image), str(bundle), "::/"], shared)
    bundle.unlink()
    return image


def plugged(image: Path) -> list[str]:
    """Return the emulator's arguments for a stick that is plugged in."""
    return [
        "-device", "qemu-xhci",
        "-drive", f"file={image},format=raw,if=none,id=stick,readonly=on",
        "-device", "usb-storage,drive=stick",
    ]  # fmt: skip


class Instrument:
    """A card, and whatever machine it is started in."""

    def __init__(self, card: Card, folder: Path, tools: Tools) -> None:
        self.card = card
        self._folder = folder
        self._tools = tools

    def start(self, image: Path | None = None, *, trial: bool = False) -> Machine:
        return Machine(
            self.card,
            self._folder,
            self._tools,
            trial=trial,
            extra=f"{CAMERA} {LOG}",
            arguments=plugged(image) if image else (),
            shared=[image.parent] if image else (),
        )


@pytest.fixture(scope="module")
def instrument(flash: Flash, tools: Tools, work: Path) -> Iterator[Instrument]:
    made = Instrument(flash(SETTINGS), work / "machine", tools)
    with made.start() as machine:
        machine.wait_for(READY, START_SECONDS)
        working(machine)
        machine.touch(*UNDERSTOOD)
        machine.press("spc")
        machine.wait_for(KEPT, 300.0)
        machine.root("sync")
    yield made


@pytest.fixture(scope="module")
def good(work: Path, tools: Tools) -> Path:
    return update(work, tools, "10.0.0")


def holds(card: Card, number: int, image: Path) -> bool:
    """Tell whether a partition begins with an image."""
    start = partitions(card.path)[number].start
    with card.path.open("rb") as disk, image.open("rb") as file:
        disk.seek(start)
        while block := file.read(1 << 22):
            if disk.read(len(block)) != block:
                return False
    return True


def test_power_that_fails_while_an_update_is_installed_changes_nothing(instrument, good):
    with instrument.start(good) as machine:
        machine.wait_for(READY, START_SECONDS)
        machine.wait_for(r"rauc.*[Ii]nstall", INSTALL_SECONDS)
        time.sleep(30.0)
        machine.cut_power()
        assert not machine.asks_for_trial
    with instrument.start() as machine:
        assert machine.partition == SLOT_A.boot
        machine.wait_for(READY, START_SECONDS)
        machine.root("sync")


def test_an_update_that_does_not_start_is_left_without_a_hand(instrument, work, tools):
    broken = update(work, tools, "9.0.0", broken=True)
    with instrument.start(broken) as machine:
        machine.wait_until_off(INSTALL_SECONDS)
        assert machine.asks_for_trial, machine.said[-3000:]
    with instrument.start(trial=True) as machine:
        assert machine.partition == SLOT_B.boot
        # The system goes back by itself: the machine is started again, and not for a trial.
        machine.wait_until_off(START_SECONDS)
        assert not machine.asks_for_trial
    with instrument.start() as machine:
        assert machine.partition == SLOT_A.boot
        machine.wait_for("the update 9.0.0 did not start", START_SECONDS)
        machine.wait_for(READY, START_SECONDS)
        machine.root("sync")


def test_an_update_that_works_is_kept(instrument, good):
    with instrument.start(good) as machine:
        machine.wait_until_off(INSTALL_SECONDS)
        assert machine.asks_for_trial, machine.said[-3000:]
    assert holds(instrument.card, SLOT_B.root, WORK / "root.erofs")
    with instrument.start(trial=True) as machine:
        assert machine.partition == SLOT_B.boot
        machine.wait_for(READY, START_SECONDS)
        machine.wait_for(r"Finished .*dermascope-confirm\.service", START_SECONDS)
        machine.root("sync")
    with instrument.start() as machine:
        assert machine.partition == SLOT_B.boot
        machine.wait_for(READY, START_SECONDS)


def test_the_records_are_untouched(instrument, work):
    assert len(examinations(instrument.card, work / "records")) == 1
