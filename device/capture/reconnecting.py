"""A camera that may be pulled out and plugged in again while the instrument runs."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from device.errors import SourceError
from device.frame import Frame, FrameSource

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 8.0
WARM_UP_SECONDS: Final = 5.0
"""How long the first picture of a camera may take."""

_CLOSING_SECONDS: Final = 3.0

Read = Callable[[FrameSource, float], Frame | None]


class ReconnectingSource:
    """A source that opens another one, and opens it again whenever it fails.

    A thread of its own opens and closes, as drivers take seconds for it: `read` never waits longer
    than it was told. It begins with the first `read`. After a failure the broken source is closed
    and a new one opened after 0.5 s, then after twice as long each time, up to 8 s; it counts as
    open with its first picture. Until then each `read` raises what went wrong last. Sequence
    numbers go on from one source to the next.

    Parameters
    ----------
    name
        What to call the source on the screen.
    open_inner
        Opens the source.
    pauses
        First and longest pause before another attempt, in seconds.
    """

    def __init__(
        self,
        name: str,
        open_inner: Callable[[], FrameSource],
        pauses: tuple[float, float] = (FIRST_PAUSE, LONGEST_PAUSE),
    ) -> None:
        self._name = name
        self._open_inner = open_inner
        self._pauses = pauses
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._inner: FrameSource | None = None
        self._waiting: Frame | None = None
        self._trouble: SourceError | None = None
        self._attempts = 0
        self._next_number = 0
        self._offset = 0
        self._locked = False
        self._ended = False
        self._closed = False

    @property
    def name(self) -> str:
        """What to call this source on the screen."""
        return self._name

    def read(self, timeout: float = 1.0) -> Frame | None:
        """Return the next frame, or None where a finite source has ended."""
        return self._take(lambda inner, seconds: inner.read(seconds), timeout, first=True)

    def still(self, timeout: float = 1.0) -> Frame | None:
        """Return the next frame of the largest size."""
        return self._take(lambda inner, seconds: inner.still(seconds), timeout, first=False)

    def lock_exposure(self, locked: bool) -> None:
        """Hold exposure and white balance, or let them go; a source opened later obeys as well."""
        with self._changed:
            self._locked = locked
            inner = self._inner
        if inner is not None:
            try:
                inner.lock_exposure(locked)
            except Exception as error:
                self._give_up(inner, _as_source_error(error, self._name))

    def close(self) -> None:
        """Close the source. May be called more than once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(_CLOSING_SECONDS)

    def __enter__(self) -> "ReconnectingSource":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _take(self, read: Read, timeout: float, first: bool) -> Frame | None:
        end = time.monotonic() + timeout
        with self._changed:
            inner = self._wait_until_open(timeout)
            if inner is None:
                return None
            waiting, self._waiting = self._waiting, None
            if first and waiting is not None:
                return self._numbered(waiting)
        try:
            frame = read(inner, max(0.0, end - time.monotonic()))
        except Exception as error:
            trouble = _as_source_error(error, self._name)
            self._give_up(inner, trouble)
            raise trouble from error
        with self._changed:
            if frame is None:
                self._ended = True
                return None
            return self._numbered(frame)

    def _wait_until_open(self, timeout: float) -> FrameSource | None:
        """Return the open source, or None once it has ended; called with the lock held."""
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._keep_open, name="reconnect", daemon=True)
            self._thread.start()
        attempts = self._attempts
        self._changed.wait_for(
            lambda: (
                self._closed or self._ended or self._inner is not None or self._attempts > attempts
            ),
            timeout,
        )
        if self._closed:
            raise SourceError("it is closed; start it again", where=self._name)
        if self._ended:
            return None
        if self._inner is None:
            # A new error each time: one that is raised again would gather every traceback.
            if self._trouble:
                raise self._trouble.again()
            raise SourceError("the camera is being started; wait")
        return self._inner

    def _numbered(self, frame: Frame) -> Frame:
        number = max(frame.sequence + self._offset, self._next_number)
        self._next_number = number + 1
        return replace(frame, sequence=number)

    def _give_up(self, inner: FrameSource, trouble: SourceError) -> None:
        with self._changed:
            # Another reader may have seen the same failure, and a new source be open.
            if self._inner is inner:
                self._inner = None
                self._waiting = None
                self._trouble = trouble
                self._changed.notify_all()

    def _keep_open(self) -> None:
        pause, longest = self._pauses
        while not self._closed:
            opened = time.monotonic()
            try:
                inner = self._open()
            except Exception as error:
                with self._changed:
                    self._trouble = _as_source_error(error, self._name)
                    self._attempts += 1
                    self._changed.notify_all()
            else:
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._inner is None)
                    self._inner = None
                _close(inner)
                # One that works for a moment at a time is still broken.
                if time.monotonic() - opened > longest:
                    pause = self._pauses[0]
            with self._changed:
                self._changed.wait_for(lambda: self._closed, pause)
            pause = min(2 * pause, longest)

    def _open(self) -> FrameSource:
        """Open the source and publish it once it gives a picture."""
        inner = self._open_inner()
        try:
            frame = inner.read(WARM_UP_SECONDS)
            with self._changed:
                if self._locked:
                    inner.lock_exposure(True)
                self._offset = self._next_number - (frame.sequence if frame else 0)
                self._waiting = frame
                self._ended = frame is None
                self._inner = inner
                self._changed.notify_all()
        except Exception:
            _close(inner)
            raise
        return inner


def _close(inner: FrameSource) -> None:
    # It is broken already; the next one is what matters.
    with contextlib.suppress(Exception):
        inner.close()


def _as_source_error(error: Exception, name: str) -> SourceError:
    if isinstance(error, SourceError):
        return error
    return SourceError(
        "the camera has failed; unplug it and plug it in again, or switch the instrument off and "
        "on",
        where=name,
        detail=f"{type(error).__name__}: {error}",
    )
