"""How long to wait after wrong PINs: longer with each, and also after the program was restarted."""

import contextlib
from pathlib import Path
from typing import Final

import msgspec

from device.platform.clock import Clock
from device.platform.durable_files import write_atomically
from device.platform.regular_files import read_regular_file

ATTEMPTS_FILE: Final = "wrong-pins.json"

_FREE: Final = 3
_FIRST_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 900.0
_MOST_DOUBLINGS: Final = 20


class _Wrong(msgspec.Struct):
    wrong: int


def seconds_after(wrong: int) -> float:
    """Return how long to wait after so many wrong PINs in a row."""
    if wrong < _FREE:
        return 0.0
    return min(_FIRST_SECONDS * 2.0 ** min(wrong - _FREE, _MOST_DOUBLINGS), _LONGEST_SECONDS)


class PinDelay:
    """Counts wrong PINs, on the disk.

    Since a clock may be set, or go back when the power fails, the wait begins anew with the
    program.

    Parameters
    ----------
    folder
        Where the count is kept; None to keep it in memory alone.
    clock
        That the wait is timed by.
    """

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._path = folder / ATTEMPTS_FILE if folder else None
        self._clock = clock
        self._wrong = self._read()
        self._since = clock.monotonic()

    @property
    def wrong(self) -> int:
        """How many wrong ones there were since the last right one."""
        return self._wrong

    def wait(self) -> float:
        """Return the seconds until the next PIN is taken."""
        passed = self._clock.monotonic() - self._since
        return max(0.0, seconds_after(self._wrong) - passed)

    def count(self) -> None:
        """Count a PIN that is about to be tried as a wrong one."""
        self._wrong += 1
        self._since = self._clock.monotonic()
        self._write()

    def forget(self) -> None:
        """Start anew after a right one."""
        if self._wrong:
            self._wrong = 0
            self._write()

    def _read(self) -> int:
        if self._path is None:
            return 0
        try:
            content = read_regular_file(self._path, 1000)
            return max(0, msgspec.json.decode(content, type=_Wrong).wrong)
        except FileNotFoundError:
            return 0
        except (OSError, ValueError):
            # Whoever damages the count gains nothing.
            return _FREE

    def _write(self) -> None:
        # A full disk must not keep anyone from opening the records to make room.
        if self._path is not None:
            with contextlib.suppress(OSError):
                write_atomically(self._path, msgspec.json.encode(_Wrong(self._wrong)))
