"""Installing a model from a stick while the instrument is in use, in a thread of its own."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from device.errors import DermascopeError
from device.faults import Fault, unexpected
from device.installation.install import Outcome
from device.language import translatable

WILL_BE_USED: Final = translatable("{model} works on this device and is used from the next start")
USED_ALREADY: Final = translatable("{model} is in use already")
NOT_INSTALLED: Final = translatable("nothing was installed")
ASK_THE_MAKER: Final = translatable("ask whoever made the model")
FAILED: Final = translatable("the installation failed")


class Installer:
    """Looks for bundles on sticks, and installs one of them.

    Parameters
    ----------
    search
        Returns the archives that there are.
    install
        Installs one.

    Attributes
    ----------
    found
        The archives that were found last.
    outcome
        What came of the last installation, and why; empty before one has ended.
    """

    def __init__(
        self, search: Callable[[], list[Path]], install: Callable[[Path], Outcome]
    ) -> None:
        self._search = search
        self._install = install
        self._thread: threading.Thread | None = None
        self.found: tuple[Path, ...] = ()
        self.outcome: tuple[Fault, ...] = ()

    @property
    def running(self) -> bool:
        """Whether it is looking or installing."""
        return self._thread is not None and self._thread.is_alive()

    def look(self) -> None:
        """Look for archives, unless something is under way."""
        self._start(self._look)

    def install(self, number: int) -> None:
        """Install one of those that were found, unless something is under way."""
        if number < len(self.found):
            path = self.found[number]
            self._start(lambda: self._take(path))

    def _start(self, work: Callable[[], None]) -> None:
        if not self.running:
            self.outcome = ()
            self._thread = threading.Thread(target=work, name="installer", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        self.found = tuple(self._search())

    def _take(self, path: Path) -> None:
        try:
            done = self._install(path)
        except DermascopeError as error:
            self.outcome = (Fault(NOT_INSTALLED), error.fault)
        except Exception as error:
            self.outcome = (unexpected(FAILED, ASK_THE_MAKER, error),)
        else:
            words = USED_ALREADY if done.trial is None else WILL_BE_USED
            self.outcome = (Fault(words, values={"model": done.model}),)
