"""The image starts into the instrument, and is what an image should be."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from PIL import Image, ImageChops, ImageStat

from build_host.image.contents import MANIFEST
from tests.image.conftest import BUILT, Flash
from tests.image.machine import READY, Machine

CAMERA = "modules_load=vivid vivid.n_devs=1"
"""A camera of the kernel's own, which draws what it shows."""

LOG = "systemd.journald.forward_to_console=1"
KEPT = r"an examination was kept"

UNDERSTOOD = (710.0, 422.0)
"""Where the button of the first page is, in pixels."""

START_SECONDS = 3600.0
"""For a machine that has much other work too: on an idle one it is two minutes."""


@pytest.fixture(scope="module")
def machine(flash: Flash, tools, tmp_path_factory) -> Iterator[Machine]:
    card = flash('source = "usb:/dev/video0"\nlanguage = "en"\n')
    folder = tmp_path_factory.mktemp("machine")
    with Machine(card, folder, tools, extra=f"{CAMERA} {LOG}") as started:
        started.wait_for(READY, START_SECONDS)
        yield started


def settled(machine: Machine, path: Path, seconds: float = 120.0) -> Image.Image:
    """Return what the screen shows once it shows anything."""
    end = time.monotonic() + seconds
    while True:
        picture = Image.open(machine.screenshot(path)).convert("RGB")
        if ImageStat.Stat(picture).stddev[0] > 10.0 or time.monotonic() > end:
            return picture
        time.sleep(2.0)


def working(machine: Machine, seconds: float = START_SECONDS) -> None:
    """Wait until the instrument says that all of it works."""
    end = time.monotonic() + seconds
    while "camera working, analysis working, model working" not in (
        status := machine.root("systemctl show --property StatusText dermascope.service")
    ):
        assert time.monotonic() < end, status
        time.sleep(5.0)


def test_the_screen_asks_first_whether_its_limits_were_understood(machine, shown):
    picture = settled(machine, shown / "limits.png")
    assert picture.size == (800, 480)
    assert ImageStat.Stat(picture).stddev[0] > 10.0


def test_a_touch_shows_the_live_view(machine, shown):
    before = Image.open(shown / "limits.png").convert("RGB")
    working(machine)
    machine.touch(*UNDERSTOOD)
    time.sleep(30.0)
    after = Image.open(machine.screenshot(shown / "live.png")).convert("RGB")
    changed = ImageStat.Stat(ImageChops.difference(before, after)).mean
    assert sum(changed) > 15.0


def test_a_key_captures_and_the_examination_is_kept(machine, shown):
    machine.press("spc")
    machine.wait_for(KEPT, START_SECONDS)
    time.sleep(10.0)
    machine.screenshot(shown / "captured.png")
    kept = machine.root("ls /var/lib/dermascope/examinations/pictures/0000").split()
    assert any(re.fullmatch(r"\d{7}\.picture", name) for name in kept), kept


def test_no_unit_failed(machine):
    failed = machine.root("systemctl --failed --plain --no-legend --no-pager")
    assert failed.strip() == ""


def test_the_root_is_read_only(machine):
    assert "erofs" in machine.root("findmnt --noheadings --output FSTYPE,OPTIONS /")
    assert "Read-only" in machine.root("touch /usr/written 2>&1")


def test_the_data_partition_has_grown_to_the_end_of_the_card(machine):
    size = int(machine.root("findmnt --bytes --noheadings --output SIZE /data"))
    assert size > 1 << 30


def test_nobody_can_log_in(machine):
    unlocked = machine.root("awk -F: '$2 !~ /^[!*]/ { print $1 }' /etc/shadow")
    assert unlocked.strip() == ""
    assert machine.root("systemctl is-active ssh.service ssh.socket").split() == ["inactive"] * 2
    assert machine.root("systemctl list-units --plain --no-legend 'getty@*' 'serial-getty@*'") == ""


@pytest.mark.parametrize("tool", ["gcc", "cc", "pip", "pip3", "apt-get", "make"])
def test_nothing_can_be_built_or_installed(machine, tool):
    assert machine.root(f"command -v {tool}").strip() == ""


def test_the_log_lies_in_memory_and_nothing_is_swapped(machine):
    assert machine.root("ls /var/log/journal 2>/dev/null").strip() == ""
    assert machine.root("ls /run/log/journal").strip()
    assert len(machine.root("cat /proc/swaps").strip().splitlines()) == 1


def test_the_clock_never_shows_a_time_before_the_image(machine):
    contents = msgspec.json.decode((BUILT / "work/root" / MANIFEST).read_bytes())
    now = datetime.fromtimestamp(int(machine.root("date +%s")), UTC)
    assert now >= datetime.fromisoformat(contents["built"])


def test_a_command_has_the_settings_and_the_records_of_the_card(machine):
    program = "from device.config import load_config; print(load_config().source)"
    assert machine.root(f"/opt/dermascope/bin/python -c '{program}'").strip() == "usb:/dev/video0"
    assert "model" in machine.root("dermascope status").lower()
    assert machine.root("dermascope selftest --running --only disk; echo $?").split()[-1] == "0"


def test_the_program_runs_as_its_own_user(machine):
    assert machine.root("ps -o user= -C dermascope").split()[:1] == ["dermascope"]
