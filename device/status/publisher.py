"""Tells how the running instrument is: into a file in memory, and over a port where one is set."""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from device import __version__
from device.frame import Frame
from device.latest import Latest
from device.platform.clock import Clock
from device.platform.durable_files import write_atomically
from device.runtime.health import Health
from device.status.report import STATUS_FILE, Status, with_machine
from device.status.server import ListeningAddress, keep_telling

EVERY_SECONDS: Final = 5.0

_HOUR: Final = 3600.0
_LAST_WORDS: Final = 2.0
_MODE: Final = 0o644

_log = logging.getLogger(__name__)


@contextmanager
def telling(
    publisher: "Publisher", address: ListeningAddress | None, clock: Clock
) -> Iterator[None]:
    """Have a publisher tell, in threads of its own.

    Parameters
    ----------
    address
        Where it is told over a port; None for nowhere.
    clock
        That a port which cannot be had is tried again by.
    """
    stop = threading.Event()
    threads = [threading.Thread(target=publisher.run, args=(stop,), name="status", daemon=True)]
    if address is not None:
        given = (address, lambda: publisher.newest, clock, stop)
        threads.append(
            threading.Thread(target=keep_telling, args=given, name="status port", daemon=True)
        )
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        # One that is being told would come after it is taken away.
        for thread in threads:
            thread.join(_LAST_WORDS)
        publisher.forget()


class Publisher:
    """Gathers how the instrument is, in a thread of its own.

    Parameters
    ----------
    model
        Name and version of the one in use.
    health
        What the parts report.
    frames
        The camera's newest frame.
    findings
        Returns how many findings there have been.
    clock
        That ages are told by.
    disk
        The folder of the examinations, whose disk's room is told.
    folder
        Where the file is written; None to write none.
    """

    def __init__(
        self,
        model: str,
        health: Health,
        frames: Latest[Frame],
        findings: Callable[[], int],
        clock: Clock,
        disk: Path,
        folder: Path | None,
    ) -> None:
        self._model = model
        self._health = health
        self._frames = frames
        self._findings = findings
        self._clock = clock
        self._disk = disk
        self._folder = folder
        self._started = clock.now()
        self._began = clock.monotonic()
        self._counts: deque[tuple[float, int]] = deque([(self._began, 0)])
        self._error: tuple[float, str] | None = None
        self._newest: Status | None = None

    @property
    def newest(self) -> Status | None:
        """The status that was gathered last; None before the first."""
        return self._newest

    def run(self, stop: threading.Event) -> None:
        """Gather and tell, until `stop` is set."""
        while True:
            self.tell()
            if self._clock.wait(stop, EVERY_SECONDS):
                return

    def forget(self) -> None:
        """Take the file away: nobody is told of an instrument that does not run."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / STATUS_FILE).unlink()

    def tell(self) -> None:
        """Gather once, and write it."""
        try:
            self._newest = with_machine(self.gather(), self._disk)
            if self._folder is not None:
                content = msgspec.json.encode(self._newest)
                write_atomically(self._folder / STATUS_FILE, content, _MODE)
        except OSError as error:
            # What looks after the instrument may not hold it up.
            _log.warning("the status cannot be told (%s)", type(error).__name__)

    def gather(self) -> Status:
        """Return how the instrument is, but for the machine."""
        now, findings = self._clock.monotonic(), self._findings()
        self._counts.append((now, findings))
        while len(self._counts) > 2 and now - self._counts[1][0] >= _HOUR:
            self._counts.popleft()
        since, before = self._counts[0]
        hours = max((now - since) / _HOUR, 1.0 / 60.0)
        report = self._health.report()
        for part in report.values():
            if part.fault is not None:
                # Neither a file's name nor anything about a patient stands in a fault's message.
                self._error = now, part.fault.text
        frame = self._frames.peek()
        return Status(
            version=__version__,
            model=self._model,
            at=self._clock.now(),
            started=self._started,
            uptime_seconds=round(now - self._began, 1),
            frame_age_seconds=None if frame is None else round(max(now - frame.instant, 0.0), 1),
            findings=findings,
            findings_per_hour=round((findings - before) / hours, 1),
            parts={part: health.state.value for part, health in report.items()},
            last_error=self._error[1] if self._error else "",
            last_error_age_seconds=round(now - self._error[0], 1) if self._error else None,
        )
