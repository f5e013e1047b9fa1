"""A data partition that is encrypted as a whole: by a passphrase, or by a key on a stick."""

import os
import time
from pathlib import Path

from build_host.image.layout import DATA
from build_host.image.tools import Tools
from tests.image.card import Card, partitions
from tests.image.conftest import Flash
from tests.image.machine import READY, Machine, plugged, stick
from tests.image.test_boot import CAMERA, KEPT, LOG, START_SECONDS, UNDERSTOOD, working

SETTINGS = 'source = "usb:/dev/video0"\nlanguage = "en"\n[machine.data]\n'
RIGHT = f'{SETTINGS}passphrase = "a passphrase of the valley"\n'
WRONG = f'{SETTINGS}passphrase = "a passphrase of the mountain"\n'
LUKS = b"LUKS\xba\xbe"
KEYS = "ls /run/dermascope/data.key 2>/dev/null"


def begins_with(card: Card, magic: bytes) -> bool:
    with card.path.open("rb") as file:
        file.seek(partitions(card.path)[DATA].start)
        return file.read(len(magic)) == magic


def test_a_passphrase_encrypts_it_and_without_it_nothing_is_kept(
    flash: Flash, tools: Tools, tmp_path: Path, shown: Path
) -> None:
    card = flash(RIGHT)
    assert not begins_with(card, LUKS)
    with Machine(card, tmp_path / "machine", tools, extra=f"{CAMERA} {LOG}") as machine:
        machine.wait_for(READY, START_SECONDS)
        working(machine)
        machine.touch(*UNDERSTOOD)
        machine.press("spc")
        machine.wait_for(KEPT, START_SECONDS)
        assert "/dev/mapper/" in machine.root("findmnt --noheadings --output SOURCE /data")
        size = int(machine.root("findmnt --bytes --noheadings --output SIZE /data"))
        assert size > 1 << 30
        assert machine.root(KEYS) == ""
        machine.root("sync")
    assert begins_with(card, LUKS)
    card.write(1, "dermascope.toml", WRONG.encode())
    with Machine(card, tmp_path / "machine", tools, extra=f"{CAMERA} {LOG}") as machine:
        machine.wait_for(READY, START_SECONDS)
        assert machine.root("cat /run/dermascope/data").strip() == "locked"
        working(machine)
        machine.touch(*UNDERSTOOD)
        time.sleep(10.0)
        machine.screenshot(shown / "data-locked.png")
        assert machine.root("ls /var/lib/dermascope/examinations 2>/dev/null") == ""
    card.write(1, "dermascope.toml", RIGHT.encode())
    with Machine(card, tmp_path / "machine", tools, extra=f"{CAMERA} {LOG}") as machine:
        machine.wait_for(READY, START_SECONDS)
        working(machine)
        assert machine.root("ls /var/lib/dermascope/examinations/pictures/0000").split()


def test_a_key_on_a_stick_opens_it(flash: Flash, tools: Tools, tmp_path: Path) -> None:
    card = flash(f'{SETTINGS}key_file = "valley.key"\n')
    key = tmp_path / "stick/valley.key"
    key.parent.mkdir()
    key.write_bytes(os.urandom(64))
    image = stick([key], tools)
    for _ in ("made", "opened"):
        with Machine(
            card,
            tmp_path / "machine",
            tools,
            extra=f"{CAMERA} {LOG}",
            arguments=plugged(image),
            shared=[image.parent],
        ) as machine:
            machine.wait_for(READY, START_SECONDS)
            assert "/dev/mapper/" in machine.root("findmnt --noheadings --output SOURCE /data")
            assert machine.root(KEYS) == ""
            machine.root("sync")
        assert begins_with(card, LUKS)
