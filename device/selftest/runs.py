"""Which checks make up a self-test: alone on the machine, or beside the live view.

What a check needs is loaded when it is carried out: that of the disk, which every start of the
machine waits for, needs neither the libraries of the camera nor those of the model.
"""

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.config import Config, records_folder
from device.platform.clock import Clock
from device.selftest import machine
from device.selftest.check import Check, Checks, Item, carried_out

if TYPE_CHECKING:
    from device.frame import Frame
    from device.runtime.health import PartHealth

Step = tuple[Item, Callable[[], Iterable[Check]]]

_WITH: Final = {
    Item.CAMERA: (Item.OPTICS,),
    Item.MODEL: (Item.ANSWERS, Item.SPEED),
    Item.DISK: (Item.WEAR,),
}
"""What a step tells of beside the item that it is named by."""

Beside = Callable[["PartHealth", "Frame | None"], Checks]
"""A self-test beside the live view: given how the camera is, and its newest frame."""


def checks_alone(
    config: Config,
    clock: Clock,
    folder: Path,
    *,
    model: Path | None = None,
    source: str | None = None,
    running: bool = False,
    only: Collection[Item] = tuple(Item),
) -> Checks:
    """Carry out the checks.

    Parameters
    ----------
    folder
        Where the calibration is kept.
    model, source
        The bundle's folder and where frames come from, where they are not the setting's.
    running
        Leave out what an instrument that runs holds for itself: camera, screen and buttons.
    only
        What is to be told of; what belongs together is checked together.
    """
    held = () if running else _held(config, clock, folder, source)
    steps = (*held, *_machine(config, clock, model))
    wanted = [step for step in steps if {step[0], *_WITH.get(step[0], ())} & set(only)]
    return tuple(check for check in carried_out(wanted) if check.item in only)


def checks_beside(
    config: Config, clock: Clock, folder: Path, model: Path | None, screen: Check
) -> Beside:
    """Return the self-test of an instrument that is in use.

    Parameters
    ----------
    folder, model
        As for `checks_alone`.
    screen
        What was found of the screen when it was opened.
    """
    from device.selftest import equipment

    def run(camera: "PartHealth", frame: "Frame | None") -> Checks:
        return carried_out(
            (
                (Item.CAMERA, lambda: [equipment.camera_at_work(camera, frame)]),
                (Item.OPTICS, lambda: [equipment.optics_check(folder, frame)]),
                (Item.SCREEN, lambda: [screen]),
                *_machine(config, clock, model),
            )
        )

    return run


def _held(config: Config, clock: Clock, folder: Path, source: str | None) -> tuple[Step, ...]:
    from device.selftest import equipment

    return (
        (Item.CAMERA, lambda: equipment.camera_checks(config, clock, folder, source)),
        (Item.SCREEN, lambda: [equipment.found_screen()]),
        (Item.BUTTONS, lambda: [equipment.buttons_check(config, clock)]),
    )


def _machine(config: Config, clock: Clock, model: Path | None) -> tuple[Step, ...]:
    def of_model() -> Iterable[Check]:
        from device.selftest.model import model_checks

        return model_checks(config, model)

    return (
        (Item.MODEL, of_model),
        (Item.TOUCH, lambda: [machine.touch_check()]),
        (Item.DISK, lambda: machine.disk_checks(records_folder(config))),
        (Item.CLOCK, lambda: [machine.clock_check(clock)]),
        (Item.TEMPERATURE, lambda: [machine.temperature_check()]),
        (Item.POWER, lambda: [machine.power_check()]),
        (Item.NETWORK, lambda: [machine.network_check()]),
    )
