"""A camera that may be pulled out and plugged in again while the instrument runs."""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from device.capture.source import FrameSource
from device.errors import SourceError, UnexpectedSourceError
from device.frame import Frame, SourceKind
from device.language import translatable
from device.platform.clock import Clock
from device.platform.logs import log_expected

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 8.0
WARM_UP_SECONDS: Final = 5.0
"""How long the first picture of a camera may take."""

HANGS_SECONDS: Final = 30.0
"""How long a driver may take to open or to close: longer than any that comes back."""

_CLOSING_SECONDS: Final = 3.0

_log = logging.getLogger(__name__)

Read = Callable[[FrameSource, float], Frame]


class ReconnectingSource(FrameSource):
    """A source that opens another one, and opens it again whenever it fails.

    A thread of its own opens and closes, as drivers take seconds for it: `read` never waits longer
    than its timeout. It begins with the first `read`. After a failure the broken source is closed
    and a new one opened after 0.5 s, then after twice as long each time, up to 8 s; it counts as
    open with its first picture. Until then each `read` raises what went wrong last, or that the
    driver hangs, where it does not come back from opening or closing: only a new start of the
    program helps then. Sequence numbers go on from one source to the next.

    Parameters
    ----------
    name
        What to call the source on the screen.
    open_inner
        Opens the source.
    clock
        Time source for waits.
    kind
        What its frames come from.
    pauses
        First and longest pause before another attempt, in seconds.
    """

    def __init__(
        self,
        name: str,
        open_inner: Callable[[], FrameSource],
        clock: Clock,
        kind: SourceKind = SourceKind.CAMERA,
        pauses: tuple[float, float] = (FIRST_PAUSE, LONGEST_PAUSE),
    ) -> None:
        super().__init__(name, kind, clock)
        self._open_inner = open_inner
        self._pauses = pauses
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._inner: FrameSource | None = None
        self._waiting: Frame | None = None
        self._failure: SourceError | None = None
        self._attempts = 0
        self._driving_since: float | None = None
        self._offset = 0
        self._locked = False

    def read(self, timeout: float = 1.0) -> Frame:
        """Return the next frame of the source that is open."""
        return self._take(lambda inner, seconds: inner.read(seconds), timeout, first=True)

    def still(self, timeout: float = 1.0) -> Frame:
        """Return the next frame of the largest size."""
        return self._take(lambda inner, seconds: inner.still(seconds), timeout, first=False)

    def lock_exposure(self, locked: bool) -> None:
        """Hold exposure and white balance, or release them; a source opened later obeys as well."""
        with self._changed:
            self._locked = locked
            inner = self._inner
        if inner is not None:
            try:
                inner.lock_exposure(locked)
            except Exception as error:
                self._give_up(inner, _as_source_error(error, self.name))

    def _release(self) -> None:
        with self._changed:
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and not self._clock.join(thread, _CLOSING_SECONDS):
            _log.error("the driver of the camera has not ended; it is left behind")

    def _take(self, read: Read, timeout: float, first: bool) -> Frame:
        end = self._clock.monotonic() + timeout
        with self._changed:
            inner = self._wait_until_open(timeout)
            waiting, self._waiting = self._waiting, None
            if first and waiting is not None:
                return self._numbered(waiting)
        try:
            frame = read(inner, max(0.0, end - self._clock.monotonic()))
        except Exception as error:
            failure = _as_source_error(error, self.name)
            self._give_up(inner, failure)
            raise failure from error
        with self._changed:
            return self._numbered(frame)

    def _wait_until_open(self, timeout: float) -> FrameSource:
        """Return the open source; called with the lock held."""
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._keep_open, name="reconnect", daemon=True)
            self._thread.start()
        attempts = self._attempts
        self._clock.wait_for(
            self._changed,
            lambda: self._closed or self._inner is not None or self._attempts > attempts,
            timeout,
        )
        if self._closed:
            raise SourceError(
                "it is closed", action=translatable("start it again"), where=self.name
            )
        if self._inner is None:
            if self._hangs():
                raise self._hanging()
            # A new error each time: one that is raised again would gather every traceback.
            if self._failure:
                raise self._failure.again()
            raise SourceError("the camera is being started", action=translatable("wait"))
        return self._inner

    def _hangs(self) -> bool:
        since = self._driving_since
        return since is not None and self._clock.monotonic() - since > HANGS_SECONDS

    def _hanging(self) -> UnexpectedSourceError:
        error = UnexpectedSourceError(
            "the camera's driver hangs",
            action=translatable("unplug the camera, and switch the instrument off and on"),
            where=self.name,
        )
        log_expected(_log, error)
        return error

    def _numbered(self, frame: Frame) -> Frame:
        number = max(frame.sequence + self._offset, self._next_number)
        self._next_number = number + 1
        return replace(frame, sequence=number)

    def _give_up(self, inner: FrameSource, failure: SourceError) -> None:
        with self._changed:
            # Another reader may have seen the same failure, and a new source be open.
            if self._inner is inner:
                self._inner = None
                self._waiting = None
                self._failure = failure
                self._changed.notify_all()

    def _keep_open(self) -> None:
        pause, longest = self._pauses
        while not self._closed:
            opened = self._driving_since = self._clock.monotonic()
            try:
                inner = self._open()
            except Exception as error:
                with self._changed:
                    self._failure = _as_source_error(error, self.name)
                    self._attempts += 1
                    self._changed.notify_all()
            else:
                self._driving_since = None
                with self._changed:
                    self._changed.wait_for(lambda: self._closed or self._inner is None)
                    self._inner = None
                self._driving_since = self._clock.monotonic()
                _close(inner)
                # One that works for a moment at a time is still broken.
                if self._clock.monotonic() - opened > longest:
                    pause = self._pauses[0]
            self._driving_since = None
            with self._changed:
                self._clock.wait_for(self._changed, lambda: self._closed, pause)
            pause = min(2 * pause, longest)

    def _open(self) -> FrameSource:
        """Open the source and publish it once it gives a picture."""
        inner = self._open_inner()
        try:
            frame = inner.read(WARM_UP_SECONDS)
            with self._changed:
                if self._locked:
                    inner.lock_exposure(True)
                self._offset = self._next_number - frame.sequence
                self._waiting = frame
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
    _log.error("the camera's driver failed", exc_info=error)
    return UnexpectedSourceError(
        "the camera has failed",
        action=translatable("unplug it and plug it in again, or switch the instrument off and on"),
        where=name,
        detail=f"{type(error).__name__}: {error}",
    )
