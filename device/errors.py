"""The project's errors: one base, and one kind for each thing that can be at fault.

A message is one line for the person in front of it: it names the thing, says what is wrong with
it and what to do. Each kind also inherits the builtin that a caller would expect.

What may reach the instrument's screen stands in the catalogues (`device.language`), message and
action apart; what differs from case to case is kept beside them.
"""

from typing import Self

from device.faults import Fault


class DermascopeError(Exception):
    """Base of every error that this project raises on purpose.

    Parameters
    ----------
    message
        What is wrong, in English; with {places} where there are values.
    action
        What to do about it.
    where
        The file, device or host that it is about.
    detail
        For whoever repairs it.
    values
        What stands in the places.

    Attributes
    ----------
    fault
        The same as a value, for the screen and the log.
    """

    def __init__(
        self,
        message: str = "",
        *,
        action: str = "",
        where: str = "",
        detail: str = "",
        **values: object,
    ) -> None:
        self.fault = Fault(message, action, where, detail, values)
        text = f"{where}: {self.fault.text}" if where else self.fault.text
        super().__init__(f"{text} ({detail})" if detail else text)

    def again(self) -> Self:
        """Return a new error that says the same: one raised twice would gather tracebacks."""
        fault = self.fault
        return type(self)(
            fault.message,
            action=fault.action,
            where=fault.where,
            detail=fault.detail,
            **fault.values,
        )


def reason(error: object) -> str:
    """Return what the system says is wrong, without the file's name."""
    return getattr(error, "strerror", None) or str(error)


class ConfigError(DermascopeError, ValueError):
    """A setting is missing, unknown or out of range."""


class ImageError(DermascopeError, ValueError):
    """An image cannot be understood."""


class BundleError(DermascopeError, ValueError):
    """A model bundle is incomplete, altered, not trusted or does not fit its own manifest."""


class UntrustedError(BundleError):
    """A model bundle is signed by no key that this device trusts."""


class SourceError(DermascopeError, OSError):
    """A source of frames is absent, busy, stalled or gone."""


class UnexpectedSourceError(SourceError):
    """The program that drives a source failed in a way that it should not."""


class ScreenError(DermascopeError, OSError):
    """There is no screen to draw on."""


class RecordError(DermascopeError, OSError):
    """An examination cannot be kept or read back."""


class StatusError(DermascopeError, OSError):
    """No instrument tells how it is."""


class RecordsInUseError(RecordError):
    """Another program keeps examinations in the same folder."""


class RecordsLockedError(RecordError):
    """The records are locked."""


class WrongPinError(RecordError):
    """A PIN is nobody's, or comes too soon after wrong ones."""


class NotAllowedError(RecordError):
    """Whoever opened the records may not do this."""


class NoSuchRecordError(RecordError):
    """There is no such patient, lesion or examination."""


class ExportError(DermascopeError, OSError):
    """What leaves for another system or a file cannot be made, written or sent."""


class UnreachableError(ExportError):
    """Another system cannot be reached, or does not answer as it should: nothing can be sent."""


class BusyError(UnreachableError):
    """Another system asks to be left alone for a while: for `seconds`, among the values."""

    @property
    def seconds(self) -> float:
        """How long it asks to wait."""
        return float(str(self.fault.values["seconds"]))


class RefusedError(ExportError):
    """Another system answers, and does not take this one thing."""
