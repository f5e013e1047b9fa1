"""What is wrong with a thread's work, in words."""

import logging
from dataclasses import dataclass

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong: `words` for whoever stands before it, `detail` for whoever mends it."""

    words: str
    detail: str = ""


def unforeseen(words: str, error: Exception) -> Trouble:
    """Return the trouble of an error that nobody expected, and log where it came from."""
    _log.error("%s", words, exc_info=error)
    return Trouble(words, f"{type(error).__name__}: {error}")
