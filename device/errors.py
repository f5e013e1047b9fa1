"""The project's errors: one base, and one kind for each thing that can be at fault.

A message is one line for the person in front of it: it names the thing, says what is wrong
with it and what to do. Each kind also inherits the builtin that a caller would expect.

What may reach the instrument's screen is said in words that stand in the catalogues
(`device.language`): what differs from case to case is kept beside them.
"""

from typing import Self


class DermascopeError(Exception):
    """Base of every error that this project raises on purpose.

    Parameters
    ----------
    words
        What is wrong and what to do, in English; with {places} where there are values.
    where
        The file, device or host that it is about.
    detail
        For whoever mends it.
    values
        What stands in the places.
    """

    def __init__(self, words: str = "", *, where: str = "", detail: str = "", **values: object):
        self.words = words
        self.where = where
        self.detail = detail
        self.values = values
        said = words.format(**values) if values else words
        said = f"{where}: {said}" if where else said
        super().__init__(f"{said} ({detail})" if detail else said)

    def again(self) -> Self:
        """Return a new error that says the same: one raised twice would gather tracebacks."""
        return type(self)(self.words, where=self.where, detail=self.detail, **self.values)


class ConfigError(DermascopeError, ValueError):
    """A setting is missing, unknown or out of range."""


class ImageError(DermascopeError, ValueError):
    """An image cannot be understood."""


class BundleError(DermascopeError, ValueError):
    """A model bundle is incomplete, altered, not trusted or does not fit its own manifest."""


class SourceError(DermascopeError, OSError):
    """A source of frames is absent, busy, stalled or gone."""


class ScreenError(DermascopeError, OSError):
    """There is no screen to draw on."""


class RecordError(DermascopeError, OSError):
    """An examination cannot be kept or read back."""


class DataError(DermascopeError, ValueError):
    """A data set is incomplete or contradicts itself."""
