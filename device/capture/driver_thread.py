"""The newest picture of a driver that may wait for ever."""

import threading
import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.errors import SourceError

_CLOSING_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.05


class DriverThread:
    """A thread that takes pictures off a driver and keeps the newest one.

    Older pictures are dropped, so what is read is never late, however slow the reader is.

    Parameters
    ----------
    name
        Of the thread.
    grab
        Waits for the next picture; returns None where there was none yet. What it raises ends the
        thread, and is raised again to whoever waits.
    release
        Called in the thread after the last `grab`, so that no driver is closed while it is used.
    """

    def __init__(
        self,
        name: str,
        grab: Callable[[], NDArray[np.uint8] | None],
        release: Callable[[], None],
    ) -> None:
        self._grab = grab
        self._release = release
        self._picture: NDArray[np.uint8] | None = None
        self._count = 0
        self._taken = 0
        self._failure: Exception | None = None
        self._closing = False
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def take(self, timeout: float) -> tuple[NDArray[np.uint8], int] | None:
        """Return the newest picture that was not taken yet and its number, or None if none comes.

        Raises
        ------
        device.errors.SourceError
            After `close`.
        Exception
            Whatever `grab` raised.
        """
        with self._arrived:
            self._arrived.wait_for(
                lambda: self._closing or self._failure or self._count > self._taken, timeout
            )
            if self._closing:
                raise SourceError("the camera is closed; start it again")
            if self._failure:
                raise self._failure
            if self._picture is None or self._count == self._taken:
                return None
            self._taken = self._count
            return self._picture, self._count - 1

    def close(self) -> None:
        """End the thread, waiting a little for a driver that is slow. May be called again."""
        with self._arrived:
            self._closing = True
            self._arrived.notify_all()
        self._thread.join(_CLOSING_SECONDS)

    def _run(self) -> None:
        try:
            while not self._closing:
                picture = self._grab()
                if picture is None:
                    time.sleep(_PAUSE_SECONDS)
                    continue
                with self._arrived:
                    self._picture = picture
                    self._count += 1
                    self._arrived.notify_all()
        except Exception as error:  # drivers fail in more ways than they document
            with self._arrived:
                self._failure = error
                self._arrived.notify_all()
        finally:
            self._release()
