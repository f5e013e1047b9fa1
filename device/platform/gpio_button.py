"""The shutter as a push button on the instrument's header."""

import threading
from collections.abc import Callable
from typing import Final

from device.errors import ConfigError
from device.platform.clock import Clock

BOUNCE_SECONDS: Final = 0.05
"""A push button's contacts have come to rest after less than this."""


class GpioButton:
    """A push button between a GPIO pin and ground.

    Parameters
    ----------
    pin
        Number of the pin as Broadcom counts (GPIO17 is 17).
    pressed
        Called once for each press, at its beginning, in a thread of gpiozero's: it should do no
        more than hand the news on.
    clock
        That contacts come to rest by.

    Raises
    ------
    device.errors.ConfigError
        If gpiozero is not installed, there are no pins here, or this one cannot be used.
    """

    def __init__(
        self,
        pin: int,
        pressed: Callable[[], None],
        clock: Clock,
    ) -> None:
        try:
            from gpiozero import Button
            from gpiozero.exc import GPIOZeroError
        except ImportError:
            raise ConfigError(
                "shutter_pin: gpiozero is not installed; install dermascope[gpio], and lgpio from "
                "the system's packages (python3-lgpio)"
            ) from None
        self._pressed = pressed
        self._clock = clock
        self._moved = float("-inf")
        self._lock = threading.Lock()
        try:
            # gpiozero's own bounce_time would delay the press by that time.
            self._button = Button(pin, pull_up=True)
        except (GPIOZeroError, OSError, ImportError) as error:
            raise ConfigError(
                f"shutter_pin {pin}: the pin cannot be used ({type(error).__name__}); choose a "
                "free one, or remove the setting where there is no button"
            ) from error
        self._button.when_pressed = self._down
        self._button.when_released = self._up

    @property
    def is_down(self) -> bool:
        """Whether the button is pressed now."""
        return bool(self._button.is_pressed)

    def close(self) -> None:
        """Give the pin back. May be called more than once."""
        self._button.close()

    def __enter__(self) -> "GpioButton":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _down(self) -> None:
        if self._at_rest():
            self._pressed()

    def _up(self) -> None:
        self._at_rest()

    def _at_rest(self) -> bool:
        """Tell whether the contacts were at rest before this movement, and note it."""
        with self._lock:
            now = self._clock.monotonic()
            rested = now - self._moved >= BOUNCE_SECONDS
            self._moved = now
        return rested
