"""What is shown for a while, as it would else vanish with the next frame."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from device.faults import Fault
from device.platform.clock import Clock

SECONDS: Final = 6.0
_MOST: Final = 8


class Notices:
    """Faults that are told one after another, the newest first.

    Parameters
    ----------
    clock
        That each is timed by.
    faults
        Those of the start, in order.
    """

    def __init__(self, clock: Clock, faults: Iterable[Fault] = ()) -> None:
        self._clock = clock
        self._faults = deque(faults, maxlen=_MOST)
        self._ends: float | None = None
        self._known: dict[str, Fault | None] = {}

    @property
    def first(self) -> Fault | None:
        """The one to be shown now, or None."""
        return self._faults[0] if self._faults else None

    def add(self, fault: Fault | None) -> None:
        """Tell of a fault, before all others."""
        if fault is None:
            return
        if fault in self._faults:
            self._faults.remove(fault)
        self._faults.appendleft(fault)
        self._ends = None

    def add_once(self, about: str, fault: Fault | None) -> None:
        """Tell of a fault that stays, when it is new."""
        known = self._known.get(about)
        if fault is known:
            return
        self._known[about] = fault
        if known is not None and known in self._faults:
            # It has come to be another of its kind: a count that rises.
            self._faults.remove(known)
        self.add(fault)

    def seen(self) -> None:
        """Take the first away after its time, which begins when it can be seen."""
        now = self._clock.monotonic()
        if not self._faults:
            return
        if self._ends is None:
            self._ends = now + SECONDS
        elif now >= self._ends:
            self._next()

    def touched(self) -> None:
        """Take away what was seen, as somebody goes on."""
        if self._ends is not None:
            self._next()

    def _next(self) -> None:
        if self._faults:
            self._faults.popleft()
        self._ends = None
