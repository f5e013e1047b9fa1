"""What a check found, as a value: for a terminal, a factory line and the screen."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from device import __version__
from device.faults import Fault
from device.language import translatable


class Item(StrEnum):
    """What is checked."""

    CAMERA = "camera"
    OPTICS = "optics"
    MODEL = "model"
    ANSWERS = "golden outputs"
    SPEED = "time of a pass"
    SCREEN = "screen"
    TOUCH = "touch"
    BUTTONS = "buttons"
    DISK = "disk"
    WEAR = "disk wear"
    CLOCK = "clock"
    TEMPERATURE = "temperature"
    POWER = "power supply"
    NETWORK = "network"


NAMES: Final = {
    Item.CAMERA: translatable("Camera"),
    Item.OPTICS: translatable("Length scale"),
    Item.MODEL: translatable("Model"),
    Item.ANSWERS: translatable("Known answers"),
    Item.SPEED: translatable("Time of a pass"),
    Item.SCREEN: translatable("Screen"),
    Item.TOUCH: translatable("Touch"),
    Item.BUTTONS: translatable("Buttons"),
    Item.DISK: translatable("Disk"),
    Item.WEAR: translatable("Wear of the disk"),
    Item.CLOCK: translatable("Clock"),
    Item.TEMPERATURE: translatable("Temperature"),
    Item.POWER: translatable("Power supply"),
    Item.NETWORK: translatable("Network"),
}


class CheckState(StrEnum):
    """How a check ended.

    ``warning``: it works, and someone should look at it. ``untested``: this machine or this setting
    has nothing to test.
    """

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    UNTESTED = "untested"


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of one item.

    Attributes
    ----------
    item
        What was checked.
    state
        How it ended.
    found
        What was measured or is wrong, and what to do about it.
    """

    item: Item
    state: CheckState
    found: Fault


Checks = tuple[Check, ...]
"""In the order in which they are shown."""

UNFORESEEN: Final = translatable("the check itself failed")


def passed(item: Item, message: str, detail: str = "", **values: object) -> Check:
    """Return that an item is as it should be.

    Parameters
    ----------
    message
        What was measured: English that the catalogues hold, with {places} for `values`.
    """
    return Check(item, CheckState.PASSED, Fault(message, detail=detail, values=values))


def warned(item: Item, message: str, action: str, **values: object) -> Check:
    """Return that an item works, and that someone should look at it."""
    return Check(item, CheckState.WARNING, Fault(message, action, values=values))


def failed(item: Item, message: str, action: str = "", **values: object) -> Check:
    """Return that an item does not work."""
    return Check(item, CheckState.FAILED, Fault(message, action, values=values))


def untested(item: Item, message: str, **values: object) -> Check:
    """Return that there was nothing to test."""
    return Check(item, CheckState.UNTESTED, Fault(message, values=values))


def worst(checks: Iterable[Check]) -> CheckState:
    """Return failed where one failed, else warning where one warns, else passed."""
    states = {check.state for check in checks}
    for state in (CheckState.FAILED, CheckState.WARNING):
        if state in states:
            return state
    return CheckState.PASSED


class CheckRecord(msgspec.Struct, frozen=True):
    """A check as a factory line reads it."""

    check: str
    state: str
    found: str
    detail: str


class Report(msgspec.Struct, frozen=True):
    """All checks of one run as a factory line reads them."""

    version: str
    state: str
    checks: tuple[CheckRecord, ...]


def to_json(checks: Checks) -> bytes:
    """Return the report as JSON, on one line, its words in English."""
    records = tuple(
        CheckRecord(check.item, check.state, check.found.text, check.found.technical)
        for check in checks
    )
    return msgspec.json.encode(Report(__version__, worst(checks), records))


def carried_out(steps: Iterable[tuple[Item, Callable[[], Iterable[Check]]]]) -> Checks:
    """Run the steps one after another; one that fails unforeseen is told as failed itself.

    Parameters
    ----------
    steps
        The first item that each tells of, and what it does.
    """
    found: list[Check] = []
    for item, step in steps:
        try:
            found += step()
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            found.append(Check(item, CheckState.FAILED, Fault(UNFORESEEN, detail=detail)))
    return tuple(found)
