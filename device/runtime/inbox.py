"""What a thread is given to do: commands, of which each counts, and items, of which the newest."""

import threading
from collections import deque
from typing import Generic, TypeVar

from device.platform.clock import Clock

Command = TypeVar("Command")
Item = TypeVar("Item")


class Inbox(Generic[Command, Item]):
    """Two channels to one thread: a queue of commands, and a place for the newest item.

    Commands are taken first and in the order in which they were sent; none is lost. An item that
    was not taken when the next one comes is dropped.

    Parameters
    ----------
    clock
        Time source for waits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._commands: deque[Command] = deque()
        self._item: Item | None = None

    def send(self, command: Command) -> None:
        """Have a command done."""
        with self._changed:
            self._commands.append(command)
            self._changed.notify_all()

    def offer(self, item: Item) -> None:
        """Replace the item."""
        with self._changed:
            self._item = item
            self._changed.notify_all()

    def take(self, timeout: float) -> Command | Item | None:
        """Return the oldest command, else the item, waiting for either; None where neither comes.

        Parameters
        ----------
        timeout
            Seconds to wait, at most.
        """
        with self._changed:
            self._clock.wait_for(self._changed, self._waiting, timeout)
            if self._commands:
                return self._commands.popleft()
            item, self._item = self._item, None
            return item

    def wait(self, timeout: float) -> None:
        """Wait until there is something to take, at most so many seconds, and take nothing."""
        with self._changed:
            self._clock.wait_for(self._changed, self._waiting, timeout)

    def commands_waiting(self) -> bool:
        """Tell whether a command waits to be taken."""
        with self._changed:
            return bool(self._commands)

    def _waiting(self) -> bool:
        return bool(self._commands) or self._item is not None
