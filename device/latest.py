"""What one thread passes to another when only the newest counts: a value, never a queue."""

import threading
from typing import Generic, TypeVar

from device.platform.clock import Clock

T = TypeVar("T")


class Latest(Generic[T]):
    """A place for one value: its one writer replaces it, readers wait for one that is new to them.

    Parameters
    ----------
    clock
        Time source for waits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._condition = threading.Condition()
        self._value: T | None = None
        self._number = 0

    def put(self, value: T) -> None:
        """Replace the value."""
        with self._condition:
            self._value = value
            self._number += 1
            self._condition.notify_all()

    def peek(self) -> T | None:
        """Return the value without waiting, or None before the first."""
        with self._condition:
            return self._value

    @property
    def count(self) -> int:
        """How many values there have been."""
        with self._condition:
            return self._number

    def next(self, seen: int, timeout: float) -> tuple[int, T | None]:
        """Wait for a value newer than number `seen`; return its number and it, or None.

        Parameters
        ----------
        seen
            Number of the value that this reader had last; 0 before the first.
        timeout
            Seconds to wait, at most.
        """
        with self._condition:
            if not self._clock.wait_for(self._condition, lambda: self._number > seen, timeout):
                return seen, None
            return self._number, self._value
