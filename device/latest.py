"""What one thread passes to another: the newest value, never a queue."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """A place for one value: writers replace it, readers wait for one that they have not seen."""

    def __init__(self) -> None:
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
        """Return the value without waiting."""
        with self._condition:
            return self._value

    def next(self, seen: int, timeout: float) -> tuple[int, T | None]:
        """Wait for a value newer than number `seen`; return its number and it, or None."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._number > seen, timeout):
                return seen, None
            return self._number, self._value
