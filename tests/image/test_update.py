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
from tests.image.machine import READY, Machine, plugged, stick
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
    return stick([bundle], tools)


def install(machine: Machine, version: str, shown: Path) -> None:
    """Have the update on the stick installed, as a person does: on the screen."""
    machine.wait_for(READY, START_SECONDS)
    working(machine)
    end = time.monotonic() + START_SECONDS
    while f"offered {version}" not in (offer := machine.root("cat /run/dermascope-update/offer")):
        assert time.monotonic() < end, offer
        time.sleep(2.0)
    # What is told of it is seen for some seconds.
    time.sleep(20.0)
    for page, target in (("live", "more"), ("settings", "about"), ("about", "models")):
        machine.touch_target(page, target)
        time.sleep(10.0)
    machine.screenshot(shown / f"update-{version}.png")
    machine.touch_target("models", "update")
    machine.wait_for(r"Starting .*dermascope-update\.service", 120.0)


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


def test_power_that_fails_while_an_update_is_installed_changes_nothing(instrument, good, shown):
    with instrument.start(good) as machine:
        install(machine, "10.0.0", shown)
        time.sleep(20.0)
        machine.screenshot(shown / "update-is-written.png")
        machine.cut_power()
        assert not machine.asks_for_trial
    with instrument.start() as machine:
        assert machine.partition == SLOT_A.boot
        machine.wait_for(READY, START_SECONDS)
        machine.root("sync")


def test_an_update_that_does_not_start_is_left_without_a_hand(instrument, work, tools, shown):
    broken = update(work, tools, "9.0.0", broken=True)
    with instrument.start(broken) as machine:
        install(machine, "9.0.0", shown)
        machine.wait_until_off(INSTALL_SECONDS)
        assert machine.asks_for_trial, machine.said[-3000:]
    with instrument.start(trial=True) as machine:
        assert machine.partition == SLOT_B.boot
        # The system goes back by itself: the machine is started again, and not for a trial.
        machine.wait_until_off(START_SECONDS)
        assert not machine.asks_for_trial
    with instrument.start(broken) as machine:
        assert machine.partition == SLOT_A.boot
        machine.wait_for("the update 9.0.0 does not work here", START_SECONDS)
        machine.wait_for(READY, START_SECONDS)
        machine.wait_for(r"Finished .*dermascope-offer@", START_SECONDS)
        assert "refused 9.0.0" in machine.root("cat /run/dermascope-update/offer")
        machine.root("sync")


def test_an_update_that_works_is_kept(instrument, good, shown):
    with instrument.start(good) as machine:
        install(machine, "10.0.0", shown)
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
