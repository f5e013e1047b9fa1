"""Being told to end: by the service manager, by a terminal that hangs up, by someone's hand."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

from device.platform.clock import Clock

ENDING: Final = (signal.SIGTERM, signal.SIGHUP)

NOTICE_SECONDS: Final = 3.0
"""How long the main thread may take to notice. With what closing takes it is less than systemd
waits (TimeoutStopSec)."""

_log = logging.getLogger(__name__)


class Ending:
    """Whether the program was told to end, and whether its main thread has noticed.

    Attributes
    ----------
    asked
        Set once a signal asks for the end.
    noticed
        Set by the main thread once it ends.
    if_it_hangs
        What is still to be done, last in first out, where the main thread does not notice.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.noticed = threading.Event()
        self.if_it_hangs = contextlib.ExitStack()


@contextlib.contextmanager
def told_to_end(clock: Clock, leave: Callable[[int], object] = os._exit) -> Iterator[Ending]:
    """Yield what SIGTERM and SIGHUP set while the block runs; for the main thread alone.

    A thread of its own hears the signals, so that they are obeyed while the main thread hangs, in
    Python or in a library that lets other threads run: then `Ending.if_it_hangs` is done there, and
    the process left.

    Parameters
    ----------
    clock
        That the main thread's time to notice is of.
    leave
        Ends the process at once, with a status.
    """
    ending = Ending()
    heard, written = socket.socketpair()
    written.setblocking(False)
    handlers = {number: signal.signal(number, _nothing) for number in ENDING}
    wakeup = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)

    def listen() -> None:
        while numbers := heard.recv(16):
            if ending.asked.is_set() or not set(numbers).intersection(ENDING):
                continue
            ending.asked.set()
            if not clock.wait(ending.noticed, NOTICE_SECONDS):
                _log.error("the program was told to end and hangs; it is left as it is")
                with contextlib.suppress(Exception):
                    ending.if_it_hangs.close()
                leave(0)

    thread = threading.Thread(target=listen, name="signals", daemon=True)
    thread.start()
    try:
        yield ending
    finally:
        ending.noticed.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        written.close()
        thread.join()
        heard.close()


def _nothing(number: int, frame: object) -> None:
    """Do nothing: the signal's number is on its way to the thread that listens."""
