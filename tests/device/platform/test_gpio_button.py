import sys
import threading
from collections.abc import Iterator

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from device.errors import ConfigError
from device.platform.gpio_button import BOUNCE_SECONDS, GpioButton

PIN = 17


class Bench:
    """A button, a clock that is set by hand, and a count of presses."""

    def __init__(self, factory: MockFactory) -> None:
        self.now = 100.0
        self.presses = 0
        self.pin = factory.pin(PIN)
        self.shutter = GpioButton(PIN, self.press, clock=lambda: self.now)

    def press(self) -> None:
        self.presses += 1

    def down(self, after: float = 1.0) -> None:
        self.now += after
        self.pin.drive_low()

    def up(self, after: float = 1.0) -> None:
        self.now += after
        self.pin.drive_high()


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    before, Device.pin_factory = Device.pin_factory, MockFactory()
    try:
        yield Device.pin_factory
    finally:
        Device.pin_factory.reset()
        Device.pin_factory = before


@pytest.fixture
def bench(factory: MockFactory) -> Iterator[Bench]:
    bench = Bench(factory)
    with bench.shutter:
        yield bench


def test_one_press_is_one_call_at_its_beginning(bench: Bench) -> None:
    assert bench.presses == 0
    bench.down()
    assert bench.presses == 1
    bench.up()
    assert bench.presses == 1


def test_holding_the_button_calls_no_more(bench: Bench) -> None:
    bench.down()
    bench.up(after=30.0)
    assert bench.presses == 1


def test_each_press_is_a_call(bench: Bench) -> None:
    for _ in range(3):
        bench.down()
        bench.up()
    assert bench.presses == 3


def test_bouncing_contacts_are_one_press(bench: Bench) -> None:
    bench.down()
    for _ in range(5):
        bench.up(after=BOUNCE_SECONDS / 10)
        bench.down(after=BOUNCE_SECONDS / 10)
    assert bench.presses == 1


def test_contacts_that_bounce_on_release_are_no_press(bench: Bench) -> None:
    bench.down()
    bench.up()
    bench.down(after=BOUNCE_SECONDS / 10)
    bench.up(after=BOUNCE_SECONDS / 10)
    assert bench.presses == 1
    bench.down()
    assert bench.presses == 2


def test_closed_shutter_calls_nobody_and_frees_its_pin(bench: Bench) -> None:
    bench.shutter.close()
    bench.shutter.close()
    bench.down()
    assert bench.presses == 0
    GpioButton(PIN, bench.press).close()


def test_pin_that_is_taken_is_named(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="shutter_pin 17: the pin cannot be used"):
        GpioButton(PIN, bench.press)


def test_pin_that_is_none_is_named(factory: MockFactory) -> None:
    with pytest.raises(ConfigError, match="shutter_pin 99"):
        GpioButton(99, lambda: None)


@pytest.mark.filterwarnings("ignore")
def test_machine_without_pins_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "lgpio")
    with pytest.raises(ConfigError, match="remove the setting where there is no button"):
        GpioButton(PIN, lambda: None)


def test_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(ConfigError, match=r"install dermascope\[gpio\]"):
        GpioButton(PIN, lambda: None)


def test_press_from_another_thread_arrives(bench: Bench) -> None:
    thread = threading.Thread(target=bench.down)
    thread.start()
    thread.join()
    assert bench.presses == 1
