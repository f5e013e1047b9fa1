"""The machine below the instrument: disk, clock, heat, power, network, touch panels.

What the kernel says of itself in /sys and /proc; where it says nothing, nothing was tested.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from device.language import translatable
from device.platform.clock import Clock, clock_is_set
from device.platform.locked_folder import mount_point
from device.platform.sensors import read_line, temperature
from device.selftest.check import Check, Item, failed, passed, untested, warned

LITTLE_BYTES: Final = 500 << 20
LITTLE_SHARE: Final = 0.05
WARM: Final = 70.0
HOT: Final = 80.0
"""Degrees Celsius: a Raspberry Pi slows down at the second (the firmware's soft limit)."""

WORN_TENTHS: Final = 9
"""Of its life, in tenths, that a card has used up when it should be replaced (JEDEC eMMC 5.1,
DEVICE_LIFE_TIME_EST)."""

_SYS: Final = Path("/sys")
_PROC: Final = Path("/proc")
_GIGABYTE: Final = 1e9
_THROTTLED: Final = "devices/platform/soc/soc:firmware/get_throttled"
_MULTI_TOUCH: Final = 0x35  # ABS_MT_POSITION_X of linux/input-event-codes.h
_TOUCH: Final = 0x14A  # BTN_TOUCH

REPLACE_CARD: Final = translatable("replace the card soon, and copy the examinations off it now")


def disk_checks(folder: Path, sys: Path = _SYS) -> Iterator[Check]:
    """Return room, whether it can be written, and wear of the disk that a folder lies on."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    state = os.statvfs(there)
    free, whole = state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize
    values = {"free": f"{free / _GIGABYTE:.1f}", "whole": f"{whole / _GIGABYTE:.1f}"}
    if not _can_be_written(there):
        yield failed(
            Item.DISK,
            translatable("it cannot be written"),
            translatable("check that it is not read-only, full or another user's"),
        )
    elif free < max(LITTLE_BYTES, LITTLE_SHARE * whole):
        yield warned(
            Item.DISK,
            translatable("only {free} of {whole} GB are free"),
            translatable("copy old examinations elsewhere and delete them here"),
            **values,
        )
    else:
        yield passed(Item.DISK, translatable("{free} of {whole} GB are free"), **values)
    yield _wear(_block_device(mount_point(there), sys))


def _can_be_written(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"dermascope")
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return False
    return True


def _block_device(mounted: Path, sys: Path) -> Path | None:
    """Return the disk of a mounted file system, as /sys has it; None where it is none."""
    number = mounted.stat().st_dev
    node = sys / "dev" / "block" / f"{os.major(number)}:{os.minor(number)}"
    if not node.exists():
        return None
    whole = node.resolve()
    return whole.parent if (whole / "partition").exists() else whole


def _wear(disk: Path | None) -> Check:
    """Return how much of its life a card says that it has used up: only eMMC says it."""
    told = read_line(disk / "device" / "life_time") if disk else ""
    try:
        tenths = max(int(part, 16) for part in told.split())
    except ValueError:
        return untested(Item.WEAR, translatable("this disk does not tell it"))
    if not tenths:
        return untested(Item.WEAR, translatable("this disk does not tell it"))
    share = f"{min(tenths, 10) * 10} %"
    if tenths > WORN_TENTHS:
        return warned(
            Item.WEAR, translatable("{share} of its life is used up"), REPLACE_CARD,
            share=share,
        )  # fmt: skip
    return passed(Item.WEAR, translatable("{share} of its life is used up"), share=share)


def clock_check(clock: Clock) -> Check:
    """Return whether the machine's clock can be believed."""
    now = clock.now()
    shown = f"{now.astimezone():%Y-%m-%d %H:%M}"
    if clock_is_set(now):
        return passed(Item.CLOCK, translatable("it shows {time}"), time=shown)
    return warned(
        Item.CLOCK,
        translatable("it is not set, and shows {time}"),
        translatable("have it set, or the times of examinations are wrong"),
        time=shown,
    )


def temperature_check(sys: Path = _SYS) -> Check:
    """Return whether the processor is cool enough to keep its speed."""
    degrees = temperature(sys)
    if degrees is None:
        return untested(Item.TEMPERATURE, translatable("this machine does not tell it"))
    shown = f"{degrees:.0f}"
    if degrees < WARM:
        return passed(Item.TEMPERATURE, translatable("{degrees} °C"), degrees=shown)
    advice = translatable("let air reach the housing, and keep it out of the sun")
    if degrees < HOT:
        return warned(Item.TEMPERATURE, translatable("{degrees} °C"), advice, degrees=shown)
    return failed(
        Item.TEMPERATURE,
        translatable("{degrees} °C, at which the processor slows down"),
        advice,
        degrees=shown,
    )


def power_check(sys: Path = _SYS) -> Check:
    """Return whether a Raspberry Pi's firmware saw its voltage drop, or slowed it down.

    Its flags are those of ``vcgencmd get_throttled``: bits 0 to 3 tell of now, 16 to 19
    of the time since the start.
    """
    told = read_line(sys / _THROTTLED)
    try:
        flags = int(told, 16)
    except ValueError:
        alarm = _voltage_alarm(sys)
        if alarm is None:
            return untested(Item.POWER, translatable("this machine does not tell it"))
        flags = 0x10000 if alarm else 0
    advice = translatable("use the power supply and the cable that belong to it")
    if flags & 0x1:
        return failed(Item.POWER, translatable("the voltage is too low now"), advice)
    if flags & 0x10000:
        return warned(
            Item.POWER, translatable("the voltage has been too low since the start"), advice
        )
    if flags & 0x6:
        return warned(
            Item.POWER,
            translatable("the processor is slowed down now"),
            translatable("let air reach the housing, and check the power supply"),
        )
    if flags & 0xE0000 or flags & 0x8:
        return warned(
            Item.POWER,
            translatable("the processor has been slowed down since the start"),
            translatable("let air reach the housing, and check the power supply"),
        )
    return passed(Item.POWER, translatable("never too low since the start"))


def _voltage_alarm(sys: Path) -> bool | None:
    """Return what the kernel's own monitor of a Raspberry Pi's voltage says, where there is one."""
    for monitor in sorted((sys / "class" / "hwmon").glob("hwmon*")):
        if read_line(monitor / "name") == "rpi_volt":
            return read_line(monitor / "in0_lcrit_alarm") == "1"
    return None


def network_check(sys: Path = _SYS) -> Check:
    """Return which networks the machine is in. None is needed, so none is a fault."""
    up = [
        interface.name
        for interface in sorted((sys / "class" / "net").glob("*"))
        if interface.name != "lo" and read_line(interface / "operstate") == "up"
    ]
    if up:
        return passed(Item.NETWORK, translatable("connected by {names}"), names=", ".join(up))
    return passed(Item.NETWORK, translatable("not connected, and none is needed"))


def touch_check(sys: Path = _SYS) -> Check:
    """Return whether the kernel has found a touch panel."""
    names = [
        read_line(device / "name")
        for device in sorted((sys / "class" / "input").glob("input*"))
        if _able(device, "abs", _MULTI_TOUCH) or _able(device, "key", _TOUCH)
    ]
    if names:
        return passed(Item.TOUCH, translatable("found: {names}"), names=", ".join(names))
    return warned(
        Item.TOUCH,
        translatable("no touch panel is found"),
        translatable("check its cable; a mouse, keys or a pedal work too"),
    )


def _able(device: Path, kind: str, code: int) -> bool:
    """Return whether an input device has an axis or a key: words of bits, the highest first."""
    words = read_line(device / "capabilities" / kind).split()
    bits = 8 * (4 if os.uname().machine.startswith("armv") else 8)
    try:
        return bool(int(words[-1 - code // bits], 16) >> code % bits & 1)
    except (IndexError, ValueError):
        return False
