"""Clocks for tests in which time must not be waited for."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from device.platform.clock import Clock


class ManualClock(Clock):
    """A clock that stands still until a test moves it on, or someone sleeps or waits by it.

    Whatever is waited for comes at once or never: time passes, and nobody is held up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += max(0.0, seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not event.is_set():
            self.sleep(seconds)
        return event.is_set()

    def wait_for(
        self, condition: threading.Condition, predicate: Callable[[], object], seconds: float
    ) -> bool:
        if not predicate():
            self.sleep(seconds)
        return bool(predicate())
