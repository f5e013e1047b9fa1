"""Secrets that a person types unseen, or a program writes."""

import getpass
import sys

from device.errors import DermascopeError


def ask_unseen(prompt: str, otherwise: str) -> str:
    """Return a line that is typed unseen, or stands on standard input.

    Parameters
    ----------
    prompt
        What a person is asked for.
    otherwise
        What is wrong where there is none.

    Raises
    ------
    device.errors.DermascopeError
        If standard input has ended.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass.getpass(prompt)
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line:
        raise DermascopeError(otherwise)
    return line.rstrip("\n")
