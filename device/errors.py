"""The project's errors: one base, and one kind for each thing that can be at fault.

A message is one line for the person in front of it: it names the thing, says what is wrong
with it and what to do. Each kind also inherits the builtin that a caller would expect.
"""


class DermascopeError(Exception):
    """Base of every error that this project raises on purpose."""


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
