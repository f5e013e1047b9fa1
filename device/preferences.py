"""What was chosen on the screen, and read there, kept for the next start."""

from pathlib import Path
from typing import Annotated, Final

import msgspec

from device.appearance import Theme
from device.errors import ScreenError
from device.language import Language, translatable
from device.platform.durable_files import write_atomically
from device.platform.regular_files import read_regular_file
from device.text import printable_path

_FILE: Final = "screen.json"
_LARGEST: Final = 4096


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen on the screen.

    Attributes
    ----------
    language
        Of every word.
    theme
        Of every colour.
    opacity
        Of the overlay, 0.1 to 1.
    limits_read
        What the instrument is not for was read, and need not be shown again.
    """

    language: Language = Language.ENGLISH
    theme: Theme = Theme.DARK
    opacity: Annotated[float, msgspec.Meta(ge=0.1, le=1.0)] = 0.6
    limits_read: bool = False


def load_preferences(folder: Path, otherwise: Preferences) -> Preferences:
    """Return what was chosen, or `otherwise` where nothing was, or its file is damaged."""
    try:
        content = read_regular_file(folder / _FILE, _LARGEST)
        return msgspec.json.decode(content, type=Preferences)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # A choice that was lost costs a touch; an instrument that does not start costs a patient.
        return otherwise


def save_preferences(folder: Path, chosen: Preferences) -> None:
    """Keep what was chosen; a file is replaced whole or not at all.

    Raises
    ------
    device.errors.ScreenError
        If the disk is full or cannot be written.
    """
    try:
        write_atomically(folder / _FILE, msgspec.json.encode(chosen))
    except OSError as error:
        raise ScreenError(
            "the settings cannot be kept",
            action=translatable("free space on the disk, or check that it can be written"),
            where=printable_path(folder),
            detail=error.strerror or "",
        ) from None
