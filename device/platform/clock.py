"""The one clock: wall time, elapsed time and every wait that the instrument makes.

Whoever needs the time is given a clock, so that a test can let hours pass in seconds.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Time as the machine has it, or faster.

    Parameters
    ----------
    speed
        Seconds that pass on this clock in one second of the machine's.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._origin = time.monotonic()
        self._began = datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary origin."""
        if self._speed == 1.0:
            return time.monotonic()
        return self._origin + (time.monotonic() - self._origin) * self._speed

    def now(self) -> datetime:
        """Return the date and time, UTC."""
        if self._speed == 1.0:
            return datetime.now(UTC)
        return self._began + timedelta(seconds=self.monotonic() - self._origin)

    def sleep(self, seconds: float) -> None:
        """Let some time pass."""
        if seconds > 0.0:
            time.sleep(seconds / self._speed)

    def join(self, thread: threading.Thread, seconds: float) -> bool:
        """Wait until a thread has ended, at most so long; return whether it has."""
        thread.join(max(0.0, seconds) / self._speed)
        return not thread.is_alive()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until an event is set, at most so long; return whether it is."""
        return event.wait(max(0.0, seconds) / self._speed)

    def wait_for(
        self, condition: threading.Condition, predicate: Callable[[], object], seconds: float
    ) -> bool:
        """Wait until `predicate` holds, at most so long, with `condition` held; return if it does.

        Parameters
        ----------
        condition
            Notified whenever the answer of `predicate` may have changed.
        """
        return bool(condition.wait_for(predicate, max(0.0, seconds) / self._speed))
