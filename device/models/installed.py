"""Models that were installed on this device: which is in use, which was before, and what happened.

One small file says it all, and is replaced whole: that is the switch. A model is on trial until the
instrument has worked with it for some minutes.
"""

import logging
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec

from device.platform.durable_files import write_atomically
from device.platform.regular_files import read_regular_file

STARTS: Final = 3
"""So many starts a model on trial has: with more, something about it keeps failing."""

_FILE: Final = "installed.json"
_LIMIT: Final = 256 << 10
_MODE: Final = 0o644
_MOST_EVENTS: Final = 100

_log = logging.getLogger(__name__)

FolderName = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9.-]{0,127})?\Z")]


class Event(StrEnum):
    """What happened to a model."""

    INSTALLED = "installed"
    CONFIRMED = "confirmed"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history.

    Attributes
    ----------
    at
        When, UTC.
    model
        Name and version.
    folder
        The name of its folder, which tells versions of one number apart.
    reason
        Why, where that needs saying.
    """

    at: datetime
    event: Event
    model: str
    folder: FolderName = ""
    reason: str = ""


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """What is installed.

    Attributes
    ----------
    current
        Name of the folder of the model in use; empty for the one that ships with the program.
    previous
        Likewise of the one before.
    on_trial
        The instrument has not worked with it for long enough yet.
    starts
        How many starts it has had on trial.
    history
        What happened, the newest last.
    """

    current: FolderName = ""
    previous: FolderName = ""
    on_trial: bool = False
    starts: int = 0
    history: tuple[Entry, ...] = ()


def models_folder(state: Path) -> Path:
    """Return where installed models are kept, in the state folder."""
    return state / "models"


def read_installed(folder: Path) -> Installed:
    """Return what is installed; nothing where nothing was, or where the file is damaged."""
    try:
        return msgspec.json.decode(read_regular_file(folder / _FILE, _LIMIT), type=Installed)
    except FileNotFoundError:
        return Installed()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _log.warning("what is installed cannot be read (%s)", type(error).__name__)
        return Installed()


def write_installed(folder: Path, installed: Installed) -> None:
    """Replace what is installed: at once, or not at all.

    Raises
    ------
    OSError
        If it cannot be written; what was installed before then holds.
    """
    kept = msgspec.structs.replace(installed, history=installed.history[-_MOST_EVENTS:])
    content = msgspec.json.format(msgspec.json.encode(kept)) + b"\n"
    write_atomically(folder / _FILE, content, _MODE)


def current_folder(folder: Path) -> Path | None:
    """Return the folder of the installed model in use, or None for the one that ships."""
    current = read_installed(folder).current
    return folder / current if current else None


def switched(installed: Installed, to: str, entry: Entry, *, opens: bool) -> Installed:
    """Return what is installed after a new model took its place, on trial.

    Parameters
    ----------
    opens
        Whether the model in use until now still opens.
    """
    return Installed(
        current=to,
        # One that is damaged, or has not been confirmed, is none to go back to.
        previous=installed.current if opens and not installed.on_trial else installed.previous,
        on_trial=True,
        history=(*installed.history, entry),
    )


def rolled_back(installed: Installed, to: str, entry: Entry) -> Installed:
    """Return what is installed after a model before took its place again."""
    return Installed(current=to, history=(*installed.history, entry))


def noted(installed: Installed, entry: Entry) -> Installed:
    """Return the same with one line more in its history."""
    return msgspec.structs.replace(installed, history=(*installed.history, entry))


def counted(installed: Installed) -> Installed:
    """Return what is installed after one start more on trial."""
    return msgspec.structs.replace(installed, starts=installed.starts + 1)


def confirmed(installed: Installed, entry: Entry) -> Installed:
    """Return what is installed after the trial was passed."""
    return msgspec.structs.replace(
        installed, on_trial=False, starts=0, history=(*installed.history, entry)
    )
