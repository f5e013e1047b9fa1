"""What the machine says of itself, read from a folder laid out as the kernel's."""

import os
from pathlib import Path

import pytest

from device.selftest import machine
from device.selftest.check import CheckState, Item
from tests.device.clocks import ManualClock


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("told", "state"),
    [("41500", CheckState.PASSED), ("74000", CheckState.WARNING), ("83000", CheckState.FAILED),
     ("nonsense", CheckState.UNTESTED)],
)  # fmt: skip
def test_heat_is_that_of_the_hottest_part(tmp_path: Path, told: str, state: CheckState) -> None:
    write(tmp_path / "class/thermal/thermal_zone1/temp", told)
    if told != "nonsense":
        write(tmp_path / "class/thermal/thermal_zone0/temp", "20000")
    check = machine.temperature_check(tmp_path)
    assert check.state is state
    if state is not CheckState.UNTESTED:
        assert f"{int(told) / 1000:.0f} °C" in check.found.text


@pytest.mark.parametrize(
    ("flags", "state", "words"),
    [("0", CheckState.PASSED, "never"), ("50005", CheckState.FAILED, "too low now"),
     ("50000", CheckState.WARNING, "has been too low"),
     ("4", CheckState.WARNING, "slowed down now"),
     ("80008", CheckState.WARNING, "has been slowed down")],
)  # fmt: skip
def test_power_is_what_the_firmware_noted(
    tmp_path: Path, flags: str, state: CheckState, words: str
) -> None:
    write(tmp_path / "devices/platform/soc/soc:firmware/get_throttled", flags)
    check = machine.power_check(tmp_path)
    assert check.state is state
    assert words in check.found.text


@pytest.mark.parametrize(
    ("alarm", "state"),
    [("0", CheckState.PASSED), ("1", CheckState.WARNING), (None, CheckState.UNTESTED)],
)
def test_power_is_what_the_kernel_noted_where_the_firmware_says_nothing(
    tmp_path: Path, alarm: str | None, state: CheckState
) -> None:
    write(tmp_path / "class/hwmon/hwmon0/name", "cpu_thermal")
    if alarm is not None:
        write(tmp_path / "class/hwmon/hwmon1/name", "rpi_volt")
        write(tmp_path / "class/hwmon/hwmon1/in0_lcrit_alarm", alarm)
    assert machine.power_check(tmp_path).state is state


def test_no_network_is_no_fault(tmp_path: Path) -> None:
    write(tmp_path / "class/net/lo/operstate", "unknown")
    write(tmp_path / "class/net/eth0/operstate", "down")
    check = machine.network_check(tmp_path)
    assert (check.state, check.found.text) == (
        CheckState.PASSED,
        "not connected, and none is needed",
    )
    write(tmp_path / "class/net/eth0/operstate", "up")
    assert machine.network_check(tmp_path).found.text == "connected by eth0"


def test_touch_panel_is_told_from_a_keyboard(tmp_path: Path) -> None:
    write(tmp_path / "class/input/input0/name", "Keyboard")
    write(tmp_path / "class/input/input0/capabilities/key", "fffffffffffffffe")
    write(tmp_path / "class/input/input0/capabilities/abs", "0")
    assert machine.touch_check(tmp_path).state is CheckState.WARNING
    write(tmp_path / "class/input/input1/name", "FT5406")
    write(tmp_path / "class/input/input1/capabilities/abs", "260800000000003")
    check = machine.touch_check(tmp_path)
    assert (check.state, check.found.text) == (CheckState.PASSED, "found: FT5406")


def with_disk(sys: Path, folder: Path, life_time: str | None) -> None:
    """Lay out the kernel's folder of the disk that a folder lies on: a partition of a card."""
    number = folder.stat().st_dev
    card = sys / "block/mmcblk0"
    write(card / "mmcblk0p2/partition", "2")
    if life_time is not None:
        write(card / "device/life_time", life_time)
    node = sys / f"dev/block/{os.major(number)}:{os.minor(number)}"
    node.parent.mkdir(parents=True)
    node.symlink_to(card / "mmcblk0p2")


@pytest.mark.parametrize(
    ("life_time", "state", "percent"),
    [("0x01 0x03", CheckState.PASSED, "30 %"), ("0x0b 0x01", CheckState.WARNING, "100 %"),
     ("0x00 0x00", CheckState.UNTESTED, ""), ("", CheckState.UNTESTED, ""),
     (None, CheckState.UNTESTED, "")],
)  # fmt: skip
def test_wear_is_the_worse_of_what_the_card_says(
    tmp_path: Path, life_time: str | None, state: CheckState, percent: str
) -> None:
    with_disk(tmp_path / "sys", tmp_path, life_time)
    room, wear = machine.disk_checks(tmp_path / "not/yet/there", tmp_path / "sys")
    assert (room.item, wear.item, wear.state) == (Item.DISK, Item.WEAR, state)
    assert percent in wear.found.text


def test_disk_that_cannot_be_written_fails(tmp_path: Path, no_privilege: None) -> None:
    room = next(iter(machine.disk_checks(Path("/proc/self"), tmp_path)))
    assert room.state is CheckState.FAILED


def test_disk_with_little_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LITTLE_SHARE", 1.0)
    room, _ = machine.disk_checks(tmp_path, tmp_path)
    assert room.state is CheckState.WARNING
    assert "copy old examinations elsewhere" in room.found.text


def test_clock_before_this_program_was_written_is_not_believed() -> None:
    clock = ManualClock()
    assert machine.clock_check(clock).state is CheckState.PASSED
    clock.seconds = -400 * 86400.0
    assert machine.clock_check(clock).state is CheckState.WARNING
