"""What was chosen on the screen, kept for the next start."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
import platformdirs

from device.errors import ScreenError
from device.language import Language
from device.text import path_text

STATE_VARIABLE: Final = "STATE_DIRECTORY"
_FILE: Final = "screen.json"
_LARGEST: Final = 4096


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen on the screen.

    Attributes
    ----------
    language
        Of every word.
    opacity
        Of the overlay, 0.1 to 1.
    """

    language: Language = "en"
    opacity: Annotated[float, msgspec.Meta(ge=0.1, le=1.0)] = 0.6


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where choices are kept: where the service manager says, else the user's own folder."""
    named = environment.get(STATE_VARIABLE, "").split(":")[0]
    return Path(named) if named else platformdirs.user_state_path("dermascope")


def load_preferences(folder: Path, otherwise: Preferences) -> Preferences:
    """Return what was chosen, or `otherwise` where nothing was, or its file is damaged."""
    try:
        with (folder / _FILE).open("rb") as file:
            return msgspec.json.decode(file.read(_LARGEST), type=Preferences)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        # A choice that was lost costs a touch; an instrument that does not start costs a patient.
        return otherwise


def save_preferences(folder: Path, chosen: Preferences) -> None:
    """Keep what was chosen; a file is replaced whole or not at all.

    Raises
    ------
    device.errors.ScreenError
        If the disk is full or cannot be written.
    """
    part = folder / f".{_FILE}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.encode(chosen))
        part.replace(folder / _FILE)
    except OSError as error:
        raise ScreenError(
            f"{path_text(folder)}: the settings cannot be kept ({error.strerror}); free some space "
            "or let the program write there"
        ) from None
