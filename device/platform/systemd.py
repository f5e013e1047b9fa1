"""The line to systemd: readiness, status and the watchdog, over the notify socket.

The protocol is one datagram of ``NAME=value`` lines (sd_notify(3)).
"""

import os
import socket
from collections.abc import Mapping
from typing import Final

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
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
        """Say that the screen shows something true: a picture, or why there is none."""
        self._send("READY=1")

    def status(self, words: str) -> None:
        """Say in one line how things are."""
        self._send(f"STATUS={' '.join(words.split())}")

    def alive(self) -> None:
        """Reset the watchdog's timer."""
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
