"""What is chosen on the screen, kept beside it: a card that is slow must not hold the screen up."""

import threading
from pathlib import Path
from typing import Final

from device.errors import ScreenError
from device.latest import Latest
from device.preferences import Preferences, save_preferences

_WAIT_SECONDS: Final = 0.5


class Choices:
    """Writes the newest choice.

    Parameters
    ----------
    folder
        Where it is kept; None to forget it.

    Attributes
    ----------
    trouble
        Why the last one could not be kept, or empty.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._chosen: Latest[Preferences] = Latest()
        self.trouble = ""

    def keep(self, chosen: Preferences) -> None:
        """Have a choice written."""
        self._chosen.put(chosen)

    def run(self, stop: threading.Event) -> None:
        """Write until told to stop; what was chosen before that is written all the same."""
        seen = 0
        while True:
            ends = stop.is_set()
            seen, chosen = self._chosen.next(seen, 0.0 if ends else _WAIT_SECONDS)
            if chosen is None:
                if ends:
                    return
                continue
            if self._folder is None:
                continue
            try:
                save_preferences(self._folder, chosen)
            except ScreenError as error:
                self.trouble = error.words
            else:
                self.trouble = ""
