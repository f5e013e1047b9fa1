"""The program's log: levels that mean something, and no line a thousand times.

debug: for a developer. info: what the instrument does, once. warning: something outside it does not
work (a camera, a disk) and it goes on. error: something in it failed that should not.

No line holds anything about a patient: neither a file's name nor what was found.
"""

import errno
import logging
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Final, TextIO

from device.errors import DermascopeError
from device.platform.clock import Clock

REPEAT_SECONDS: Final = 60.0
"""A line that repeats within this time is counted instead of written."""

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_Line = tuple[str, int, str, type[BaseException] | None]

_MOST_LINES: Final = 256
# sd-daemon(3): the journal takes a line's priority from these.
_PRIORITY: Final = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


class RepeatFilter(logging.Filter):
    """Lets a line through at most once in `REPEAT_SECONDS`, and counts those it held back.

    Parameters
    ----------
    clock
        That the seconds are of.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[_Line, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is to be written."""
        kind = record.exc_info[0] if record.exc_info else None
        line = (record.name, record.levelno, record.getMessage(), kind)
        with self._lock:
            return self._first(record, line)

    def _first(self, record: logging.LogRecord, line: _Line) -> bool:
        now = self._clock.monotonic()
        last, held_back = self._said.get(line, (float("-inf"), 0))
        if now - last < REPEAT_SECONDS:
            self._said[line] = (last, held_back + 1)
            return False
        if len(self._said) >= _MOST_LINES:
            self._said.clear()
        self._said[line] = (now, 0)
        if held_back:
            record.msg = f"{record.getMessage()} (and {held_back} times since it was last written)"
            record.args = None
        return True


class _Formatter(logging.Formatter):
    def __init__(self, with_priority: bool) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._with_priority = with_priority

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 -- the base class's name
        """Return where an error came from and its type; its own words may name a file."""
        kind, _, trace = ei
        lines = traceback.format_tb(trace)
        return "".join(lines) + (kind.__name__ if kind else "")

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record)
        if not self._with_priority:
            return lines
        priority = _PRIORITY.get(record.levelno, 3)
        return "\n".join(f"<{priority}>{line}" for line in lines.splitlines())


def start_logging(
    clock: Clock, stream: TextIO | None = None, environment: Mapping[str, str] = os.environ
) -> None:
    """Write the program's log to standard error, for the journal where that listens.

    Parameters
    ----------
    clock
        That repeated lines are counted by.
    stream
        Standard error by default.
    environment
        Holds ``JOURNAL_STREAM`` where the journal listens (systemd.exec(5)).
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(RepeatFilter(clock))
    handler.setFormatter(_Formatter("JOURNAL_STREAM" in environment))
    logger = logging.getLogger("device")
    logger.setLevel(logging.INFO)
    logger.handlers = [handler]
    # What libraries warn of (Pillow of damaged files) shows in the result; nobody reads it here.
    logging.captureWarnings(True)


def log_expected(logger: logging.Logger, error: DermascopeError) -> None:
    """Log an error that says itself what is wrong, without what may name a file.

    The operating system's error, where there was one, is named by its code (``ENOSPC``).
    """
    cause = error.__cause__ or error.__context__
    number = cause.errno if isinstance(cause, OSError) and cause.errno else 0
    name = f" [{errno.errorcode[number]}]" if number in errno.errorcode else ""
    logger.warning("%s%s", error.fault.text, name)
