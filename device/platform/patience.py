"""Waiting for what appears late: a screen or a disk that is slower at boot than the program."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from device.platform.clock import Clock

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 4.0

T = TypeVar("T")


class Patience:
    """One span of time for all that a start waits for.

    Parameters
    ----------
    clock
        That it is of.
    seconds
        How long it is; 0 to wait for nothing.
    stop
        Ends every wait.
    waiting
        Called with what is wrong each time before there is a wait.
    """

    def __init__(
        self,
        clock: Clock,
        seconds: float,
        stop: threading.Event,
        waiting: Callable[[Exception], None],
    ) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds
        self._stop = stop
        self._waiting = waiting

    def until_it_works(self, attempt: Callable[[], T], *errors: type[Exception]) -> T:
        """Return what `attempt` returns, trying again after some of the errors that it raises.

        Pauses double, from a quarter of a second to four seconds.

        Raises
        ------
        Exception
            What `attempt` raised last, once the time is up or the program is told to end.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                return attempt()
            except errors as error:
                left = self._end - self._clock.monotonic()
                if left <= 0.0:
                    raise
                self._waiting(error)
                if self._clock.wait(self._stop, min(pause, left)):
                    raise
            pause = min(2.0 * pause, LONGEST_PAUSE)
