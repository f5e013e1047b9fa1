"""The newest picture of a driver that may wait for ever."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.errors import SourceError
from device.language import translatable
from device.latest import Latest
from device.platform.clock import Clock

_CLOSING_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.05

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Failed:
    error: Exception


class DriverThread:
    """A thread that takes pictures off a driver and keeps the newest one.

    Older pictures are dropped, so what is read is never late, however slow the reader is.

    Parameters
    ----------
    name
        Of the thread.
    grab
        Waits for the next picture, uint8 (height, width, 3) RGB; returns None where there was none
        yet. What it raises ends the thread, and is raised again to whoever waits.
    release
        Called in the thread after the last `grab`, so that no driver is closed while it is used.
    clock
        Time source for waits.
    """

    def __init__(
        self,
        name: str,
        grab: Callable[[], NDArray[np.uint8] | None],
        release: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._grab = grab
        self._release = release
        self._clock = clock
        self._newest: Latest[NDArray[np.uint8] | _Failed] = Latest(clock)
        self._taken = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the driver is given back: after `close` it may still hang."""
        return not self._thread.is_alive()

    def take(self, timeout: float) -> tuple[NDArray[np.uint8], int] | None:
        """Return the newest picture that was not taken yet and its number, or None if none comes.

        Raises
        ------
        device.errors.SourceError
            After `close`.
        Exception
            Whatever `grab` raised.
        """
        number, picture = self._newest.next(self._taken, timeout)
        if self._closing.is_set():
            raise SourceError("the camera is closed", action=translatable("start it again"))
        if isinstance(picture, _Failed):
            raise picture.error
        if picture is None:
            return None
        self._taken = number
        return picture, number - 1

    def close(self) -> None:
        """End the thread, waiting a little for a driver that is slow. May be called again."""
        self._closing.set()
        # Whoever waits for a picture must not wait on.
        self._newest.put(_Failed(SourceError("the camera is closed")))
        if not self._clock.join(self._thread, _CLOSING_SECONDS):
            _log.error("the driver's thread %s has not ended; it is left behind", self._thread.name)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                picture = self._grab()
                if picture is None:
                    self._clock.sleep(_PAUSE_SECONDS)
                else:
                    self._newest.put(picture)
        except Exception as error:  # drivers fail in more ways than they document
            self._newest.put(_Failed(error))
        finally:
            self._release()
