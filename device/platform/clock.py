"""The one clock: wall time, elapsed time and every wait that the instrument makes.

Whoever needs the time is given a clock, so that a test can let hours pass in seconds.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_RELEASED: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""No clock that is right shows a time before this program was written."""

_TIMESYNCD: Final = Path("/run/systemd/timesync")
_HARDWARE: Final = Path("/sys/class/rtc")
_SAME: Final = 120.0
_QUARTER: Final = 900.0


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


def clock_is_set(now: datetime, timesyncd: Path = _TIMESYNCD, hardware: Path = _HARDWARE) -> bool:
    """Return whether the machine's clock can be believed.

    It cannot where it shows a time before this program was written, or where systemd-timesyncd,
    which begins with the time of the last shutdown, has not heard from a server and no hardware
    clock with a battery says the same.

    Parameters
    ----------
    now
        What it shows, UTC.
    timesyncd
        The folder of systemd-timesyncd(8), there while it runs.
    hardware
        The folder of hardware clocks.
    """
    if now < _RELEASED:
        return False
    if not timesyncd.is_dir() or (timesyncd / "synchronized").exists():
        return True
    return any(_agrees(clock, now) for clock in hardware.glob("rtc*/since_epoch"))


def _agrees(since_epoch: Path, now: datetime) -> bool:
    """Return whether a hardware clock shows a time, in UTC or in local time."""
    try:
        apart = abs(now.timestamp() - int(since_epoch.read_text()))
    except (OSError, ValueError):
        return False
    return apart < 86400.0 and min(apart % _QUARTER, _QUARTER - apart % _QUARTER) < _SAME
