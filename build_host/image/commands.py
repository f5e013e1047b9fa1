"""Commands of the system, and what they say when they fail."""

import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from device.errors import DermascopeError

_LAST_LINES: Final = 12


class ToolError(DermascopeError):
    """A command of the system has failed."""


def run(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    accepted: Collection[int] = (0,),
) -> str:
    """Run a command to its end and return what it printed.

    Parameters
    ----------
    environment
        Instead of this program's own.
    accepted
        Exit statuses that are no failure.

    Raises
    ------
    build_host.image.commands.ToolError
        If it is not installed or fails; its last words are told.
    """
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise ToolError(f"{command[0]}: is not installed") from None
    if done.returncode not in accepted:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-_LAST_LINES:])
        raise ToolError(
            f"{Path(command[0]).name} failed with status {done.returncode}", detail=said
        )
    return done.stdout
