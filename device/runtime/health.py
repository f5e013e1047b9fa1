"""Which parts of the instrument do their work, and the watchdog that systemd restarts it by.

Health is work done, not loops turned. A part reports each step: that it did what it is for, that it
had nothing to do or that what it needs is not there (a camera that is unplugged is a state of the
clinic, not a failure of the program), or that the step failed unexpectedly. A part
whose every step fails, or that does not come back from one, misses the watchdog.

Neither ``READY=1`` nor ``WATCHDOG=1`` says that a model works: the screen may truthfully show that
there is no camera. Whether camera, analysis and model do their work is `Health.report`.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from device.faults import Fault, unexpected
from device.language import translatable
from device.platform.clock import Clock
from device.platform.systemd import Notifier


class Part(StrEnum):
    """A part of the instrument whose health is reported."""

    CAMERA = "camera"
    ANALYSIS = "analysis"
    MODEL = "model"
    RECORDER = "recorder"
    SCREEN = "screen"


class PartState(StrEnum):
    """What a part does.

    ``starting`` before its first step; ``waiting``, nothing to do or nothing there to do it with;
    ``failing``, its last steps failed.
    """

    STARTING = "starting"
    WORKING = "working"
    WAITING = "waiting"
    FAILING = "failing"


ALLOWANCES: Final[Mapping[Part, float]] = {
    Part.CAMERA: 10.0,
    Part.ANALYSIS: 15.0,
    Part.RECORDER: 60.0,
}
"""Seconds that each thread may take from one step to the next: a camera may need a few to come
back, a slow model several, a worn card a minute. The screen needs none: its own loop resets the
timer, so a screen that hangs misses the watchdog by itself."""

RESTART_AND_REPORT: Final = translatable(
    "Restart the instrument; if it fails again, report it with the line below."
)

FAILURES: Final = 3
"""So many steps that fail one after another are no accident."""

_LONGEST_PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class PartHealth:
    """How a part is.

    Attributes
    ----------
    state
        What it does.
    worked
        When it last did its work, by the clock's `monotonic`; None if never.
    alive
        When it last took a step that says that the program is sound.
    failures
        How many steps failed since one did not.
    fault
        Why it does not work, where that is known.
    """

    state: PartState
    worked: float | None
    alive: float
    failures: int = 0
    fault: Fault | None = None


class Health:
    """What the parts report; used by every thread.

    Parameters
    ----------
    clock
        That steps are timed by.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        begin = PartHealth(PartState.STARTING, None, clock.monotonic())
        self._parts = dict.fromkeys(Part, begin)

    def worked(self, part: Part) -> None:
        """Report a step that did what the part is for."""
        now = self._clock.monotonic()
        with self._lock:
            self._parts[part] = PartHealth(PartState.WORKING, now, now)

    def progressed(self, part: Part) -> None:
        """Report that a long step goes on: it does not hang, but has not done its work yet."""
        now = self._clock.monotonic()
        with self._lock:
            before = self._parts[part]
            if before.failures < FAILURES:
                self._parts[part] = replace(before, alive=now)

    def waiting(self, part: Part, fault: Fault | None = None) -> None:
        """Report a step that had nothing to do, or found missing what it needs.

        Parameters
        ----------
        fault
            What is missing.
        """
        now = self._clock.monotonic()
        with self._lock:
            before = self._parts[part]
            if before.failures >= FAILURES:
                # Between failures there is nothing to do: that heals nothing.
                return
            self._parts[part] = replace(
                before,
                state=PartState.WAITING,
                alive=now,
                fault=fault if before.failures == 0 else fault or before.fault,
            )

    def failed(self, part: Part, fault: Fault) -> None:
        """Report a step that failed unexpectedly."""
        with self._lock:
            before = self._parts[part]
            self._parts[part] = replace(
                before, state=PartState.FAILING, failures=before.failures + 1, fault=fault
            )

    def report(self) -> Mapping[Part, PartHealth]:
        """Return how every part is."""
        with self._lock:
            return dict(self._parts)

    def stalled(self) -> tuple[Part, ...]:
        """Return the parts that have made no progress within their allowance."""
        now = self._clock.monotonic()
        return tuple(
            part
            for part, health in self.report().items()
            if part in ALLOWANCES and now - health.alive > ALLOWANCES[part]
        )


def report_unexpected(
    logger: logging.Logger, health: Health, part: Part, message: str, error: Exception
) -> Fault:
    """Log an error that no code expected, count it against a part, and return it as a fault."""
    fault = unexpected(message, RESTART_AND_REPORT, error)
    logger.error("%s", message, exc_info=error)
    health.failed(part, fault)
    return fault


class Watchdog:
    """Tells systemd how the program is, and resets its timer while every part makes progress.

    Used by the screen's loop alone.

    Parameters
    ----------
    notifier
        To the service manager.
    health
        What the parts report.
    clock
        That resets are paced by.
    """

    def __init__(self, notifier: Notifier, health: Health, clock: Clock) -> None:
        self._notifier = notifier
        self._health = health
        self._clock = clock
        self._ready = False
        self._said = ""
        # Twice within its time at least, as sd_watchdog_enabled(3) advises; not at every frame.
        self._pause = min((notifier.watchdog_seconds or 60.0) / 4, _LONGEST_PAUSE)
        self._next = clock.monotonic()

    def ready(self) -> None:
        """Say that the screen shows something true; only the first call does anything."""
        if not self._ready:
            self._ready = True
            self._notifier.ready()

    def beat(self, shown: str) -> None:
        """Reset the timer where all is well and some time has passed; tell what is shown.

        Parameters
        ----------
        shown
            What the screen says, in English: ``Live``, or what is wrong.
        """
        now = self._clock.monotonic()
        if now < self._next:
            return
        self._next = now + self._pause
        stalled = self._health.stalled()
        if stalled:
            self._status(f"No progress: {', '.join(stalled)}")
            return
        if self._ready:
            self._status(f"{shown} ({summary(self._health)})")
        self._notifier.alive()

    def stopping(self) -> None:
        """Say that the program is going down on purpose."""
        self._notifier.stopping()

    def _status(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._notifier.status(words)


def summary(health: Health) -> str:
    """Return in a few words whether camera, analysis and model do their work."""
    report = health.report()
    parts = (Part.CAMERA, Part.ANALYSIS, Part.MODEL)
    return ", ".join(f"{part} {report[part].state}" for part in parts)
