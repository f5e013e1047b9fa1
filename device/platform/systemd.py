"""Talking to systemd: readiness, status and the watchdog, over the notify socket.

The protocol is one datagram of ``NAME=value`` lines (sd_notify(3)).
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal

Part = Literal["capture", "analysis", "screen"]

ALLOWANCES: Final[dict[Part, float]] = {"capture": 10.0, "analysis": 15.0, "screen": 5.0}
"""Seconds that each thread may take from one step to the next: a camera may need a few to come
back, a slow model several, the screen hardly any."""

RESTART: Final = 80
SWITCH_OFF: Final = 81
"""Exit statuses by which ``dermascope.service`` knows what the clinician asked for."""

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
_LONGEST_PAUSE: Final = 1.0
_PATIENCE: Final = 0.2


class Notifier:
    """Tells the service manager how the program is; silent where there is none.

    Parameters
    ----------
    environment
        Usually ``os.environ``.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get(_SOCKET, "")
        # A leading @ stands for the null byte of an abstract socket.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds = environment.get(_WATCHDOG, "")
        self.watchdog_seconds = int(microseconds) / 1e6 if microseconds.isdigit() else None

    def ready(self) -> None:
        """Say that the first frame is on the screen."""
        self._send("READY=1")

    def status(self, words: str) -> None:
        """Say in one line how things are."""
        self._send(f"STATUS={' '.join(words.split())}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the program is going down on purpose."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            # A manager that is too busy to listen must not hold the screen up for long.
            channel.settimeout(_PATIENCE)
            try:
                channel.connect(self._address)
                channel.sendall(message.encode())
            except OSError:
                # A manager that went away must not take the instrument with it.
                return


class Heartbeat:
    """Feeds the watchdog while every thread makes real progress; may be used by several threads.

    A thread calls `mark` after each step: a frame read, a finding made, a view drawn. The screen's
    loop calls `beat`. A thread that never comes round again starves the watchdog, and systemd
    starts the program anew.

    Parameters
    ----------
    notifier
        To the service manager.
    allowances
        Seconds by thread. What is not named is not watched.
    clock
        Seconds that only rise.
    """

    def __init__(
        self,
        notifier: Notifier,
        allowances: Mapping[Part, float] = ALLOWANCES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = notifier
        self._allowances = allowances
        self._clock = clock
        self._lock = threading.Lock()
        self._marked: dict[Part, float] = dict.fromkeys(allowances, clock())
        self._ready = False
        self._said = ""
        self._words = "Live"
        self._starved = False
        # Twice within its time at least, as sd_watchdog_enabled(3) advises; not at every frame.
        self._pause = min((notifier.watchdog_seconds or 60.0) / 4, _LONGEST_PAUSE)
        self._next = clock()

    def mark(self, part: Part) -> None:
        """Say that a thread has done a step."""
        with self._lock:
            if part in self._marked:
                self._marked[part] = self._clock()

    def finished(self, part: Part) -> None:
        """Say that a thread has nothing more to do, as where a replay has ended."""
        with self._lock:
            self._marked.pop(part, None)

    def stalled(self) -> tuple[Part, ...]:
        """Return the threads that have not moved within their allowance."""
        now = self._clock()
        with self._lock:
            return tuple(p for p, at in self._marked.items() if now - at > self._allowances[p])

    def first_frame_drawn(self) -> None:
        """Say that the program is ready; only the first call does anything."""
        if not self._ready:
            self._ready = True
            self._notifier.ready()
            self.status("Live")

    def status(self, words: str) -> None:
        """Tell the service manager how things are, where that has changed.

        While a thread does not move, that is what it is told instead.
        """
        self._words = words
        if not self._starved:
            self._say(words)

    def beat(self) -> None:
        """Feed the watchdog where all is well and some time has passed."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + self._pause
        stalled = self.stalled()
        recovered = self._starved and not stalled
        self._starved = bool(stalled)
        if stalled:
            self._say(f"No progress: {', '.join(stalled)}")
            return
        if recovered:
            self._say(self._words)
        self._notifier.alive()

    def stopping(self) -> None:
        """Say that the program is going down on purpose."""
        self._notifier.stopping()

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._notifier.status(words)
