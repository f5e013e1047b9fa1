"""What is wrong with the instrument, from whoever notices it to the screen and the log."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not work.

    Attributes
    ----------
    message
        What is wrong, for whoever stands before the screen: English that the catalogues hold
        (`device.language`), with {places} for `values`.
    action
        What to do about it, likewise; may be empty.
    where
        The file, device or host that it is about.
    detail
        For whoever repairs it. Like `where` it may name a file, so it is shown and never logged.
    values
        What stands in the places.
    """

    message: str
    action: str = ""
    where: str = ""
    detail: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Message and action in English, their values filled in."""
        return joined(self.message, self.action, self.values)

    @property
    def technical(self) -> str:
        """What stands below the message: `where` and `detail`."""
        return ": ".join(part for part in (self.where, self.detail) if part)


def joined(message: str, action: str, values: Mapping[str, object]) -> str:
    """Return a message and an action, in any one language, as they are read together."""
    if not action:
        text = message
    else:
        text = f"{message} {action}" if message.endswith(".") else f"{message}; {action}"
    return text.format(**values) if values else text


def unexpected(message: str, action: str, error: Exception) -> Fault:
    """Return the fault of an error that no code foresaw."""
    return Fault(message, action, detail=f"{type(error).__name__}: {error}")
