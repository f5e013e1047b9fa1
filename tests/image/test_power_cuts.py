"""Power that fails at any moment: the instrument comes back, and nothing acknowledged is lost."""

import hashlib
import os
import random
import re
import time
from pathlib import Path

import pytest

from device.records.encrypted_archive import EncryptedArchive
from device.records.verification import verify
from tests.image.card import Card, partitions
from tests.image.conftest import BUILT, Flash
from tests.image.machine import READY, Machine
from tests.image.test_boot import CAMERA, KEPT, LOG, START_SECONDS, UNDERSTOOD, working

CUTS = int(os.environ.get("DERMASCOPE_CUTS", "5"))
SEED = int(os.environ.get("DERMASCOPE_SEED", "28"))
SYSTEM = (2, 3, 5, 6)
"""Partitions that nothing but an update writes to."""

SETTINGS = 'source = "usb:/dev/video0"\nlanguage = "en"\n'


def content(card: Card, number: int) -> str:
    """Return the SHA-256 of a partition."""
    part = partitions(card.path)[number]
    digest = hashlib.sha256()
    with card.path.open("rb") as file:
        file.seek(part.start)
        left = part.size
        while left:
            block = file.read(min(left, 1 << 22))
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def examinations(card: Card, folder: Path) -> list[str]:
    """Return the examinations that a card holds, once the program itself finds nothing wrong."""
    folder.mkdir()
    image = folder / "data.img"
    card.copy_out(7, image)
    shared = [folder]
    card.tools.run(["e2fsck", "-fy", str(image)], shared, accepted=(0, 1))
    card.tools.run(["debugfs", "-R", f"rdump /state/examinations {folder}", str(image)], shared)
    image.unlink()
    archive = EncryptedArchive(folder / "examinations", create=False)
    assert [told for told in verify(archive) if told] == []
    identifiers = archive.identifiers()
    for identifier in identifiers:
        archive.read(identifier)
    archive.close()
    return identifiers


def told(line: str) -> None:
    """Write down what came of a cut: a long series says how far it is."""
    with (BUILT / "cuts.txt").open("a") as file:
        print(f"series {SEED}: {line}", file=file)


@pytest.mark.skipif(CUTS == 0, reason="no cuts were asked for")
def test_nothing_acknowledged_is_lost_and_the_program_comes_back(flash: Flash, tools, tmp_path):
    chance = random.Random(SEED)
    card = flash(SETTINGS)
    before = {number: content(card, number) for number in SYSTEM}
    acknowledged = 0
    for number in range(CUTS):
        # Some cuts fall into the start, the first of which makes the data partition.
        while_starting = number == 0 or chance.random() < 0.3
        with Machine(card, tmp_path / "machine", tools, extra=f"{CAMERA} {LOG}") as machine:
            if while_starting:
                machine.wait_for(r"dermascope-data\.service", START_SECONDS)
                seconds = chance.uniform(0.0, 20.0)
                time.sleep(seconds)
            else:
                machine.wait_for(READY, START_SECONDS)
                working(machine)
                machine.touch(*UNDERSTOOD)
                seconds = chance.uniform(5.0, 90.0)
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    machine.press("spc")
                    time.sleep(chance.uniform(0.5, 4.0))
            machine.cut_power()
            acknowledged += (new := len(re.findall(KEPT, machine.said)))
        found = {number: content(card, number) for number in SYSTEM}
        assert found == before, f"cut {number}: the system was written to"
        when = "into its start" if while_starting else "into its use"
        told(f"cut {number + 1} of {CUTS}, {seconds:.0f} s {when}, {new} examinations acknowledged")
    with Machine(card, tmp_path / "machine", tools, extra=f"{CAMERA} {LOG}") as machine:
        machine.wait_for(READY, START_SECONDS)
        assert machine.root("systemctl --failed --plain --no-legend").strip() == ""
        machine.root("sync")
    kept = examinations(card, tmp_path / "data")
    told(f"started again; {acknowledged} acknowledged, {len(kept)} kept and sound")
    assert len(kept) >= acknowledged > 0
