"""A self-test beside the live view, in a thread of its own."""

import threading
from collections.abc import Callable

from device.selftest.check import Checks


class BackgroundTest:
    """Runs the checks when asked, and keeps what the last run found.

    Parameters
    ----------
    run
        Carries the checks out.

    Attributes
    ----------
    found
        What the last run found; None before one has ended.
    """

    def __init__(self, run: Callable[[], Checks]) -> None:
        self._run = run
        self._thread: threading.Thread | None = None
        self.found: Checks | None = None

    @property
    def running(self) -> bool:
        """Whether a run has not ended yet."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin a run, unless one is under way."""
        if not self.running:
            self._thread = threading.Thread(target=self._test, name="self-test", daemon=True)
            self._thread.start()

    def _test(self) -> None:
        self.found = self._run()
