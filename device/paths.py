"""Where the program finds its own files, and keeps what it must not forget."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import platformdirs

from device.errors import ConfigError
from device.text import printable

MODELS_VARIABLE: Final = "DERMASCOPE_MODELS"


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the instrument keeps what it must not forget.

    Where the service manager says (``STATE_DIRECTORY``), else the user's own state folder.
    """
    named = environment.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(named) if named else platformdirs.user_state_path("dermascope")


def status_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return where the running instrument tells how it is: in memory, so that no card wears.

    Where the service manager says (``RUNTIME_DIRECTORY``), else in the user's own session; None
    where there is neither.
    """
    named = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if named:
        return Path(named)
    session = environment.get("XDG_RUNTIME_DIR")
    return Path(session) / "dermascope" if session else None


def shipped_models(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the project's own model bundles.

    The folder that ``DERMASCOPE_MODELS`` names, ``models/`` beside the program's packages (a
    checkout), or ``share/dermascope/models`` of the environment that it was installed to.
    """
    named = environment.get(MODELS_VARIABLE)
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parent.parent / "models"
    return checkout if checkout.is_dir() else Path(sys.prefix) / "share" / "dermascope" / "models"


def user_path(what: str, text: str) -> Path:
    """Return the path that a person wrote, ``~`` and ``~user`` filled in.

    Parameters
    ----------
    what
        The setting or option that it stands in.
    text
        The path.

    Raises
    ------
    device.errors.ConfigError
        If there is no such user, or no home folder.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{what}: {printable(text)}: there is no such user, or no home folder; write the "
            "path out, beginning with /"
        ) from None
