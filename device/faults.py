"""What is wrong with a thread's work, in words."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from device.errors import DermascopeError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong.

    Attributes
    ----------
    words
        For whoever stands before it: English that the catalogues hold, with {places} for `values`.
    detail
        For whoever mends it.
    values
        What stands in the places.
    """

    words: str
    detail: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def in_english(self) -> str:
        """The words with their values, for logs."""
        return self.words.format(**self.values) if self.values else self.words


def expected(error: DermascopeError) -> Fault:
    """Return the trouble of an error that says itself what is wrong."""
    detail = ": ".join(part for part in (error.where, error.detail) if part)
    return Fault(error.words, detail, error.values)


def unexpected(words: str, error: Exception) -> Fault:
    """Return the trouble of an error that nobody expected, and log where it came from."""
    _log.error("%s", words, exc_info=error)
    return Fault(words, f"{type(error).__name__}: {error}")
