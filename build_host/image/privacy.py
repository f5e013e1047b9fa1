"""Images that hold secrets are their owner's alone, as the settings are that lie in them."""

import stat
from collections.abc import Sequence
from pathlib import Path


def is_private(path: Path) -> bool:
    """Return whether others may not read a file."""
    return not path.stat().st_mode & stat.S_IROTH


def privately(command: Sequence[str]) -> list[str]:
    """Return a command whose new files are their owner's alone."""
    return ["sh", "-c", 'umask 077; exec "$@"', "sh", *command]
