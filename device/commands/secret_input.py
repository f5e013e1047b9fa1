"""Secrets that a person types unseen, or a program writes."""

import getpass
import sys

from device.errors import DermascopeError


def ask_secret(prompt: str) -> str:
    """Return a secret: from the terminal, or a line of standard input.

    Raises
    ------
    device.errors.DermascopeError
        If there is none.
    """
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass.getpass(prompt)
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line:
        raise DermascopeError(f"{prompt.rstrip(': ')}: none was entered")
    return line.rstrip("\n")


def ask_secret_twice(prompt: str) -> str:
    """Return a new secret, which a person types twice.

    Raises
    ------
    device.errors.DermascopeError
        If there is none, or the two differ.
    """
    secret = ask_secret(prompt)
    if sys.stdin.isatty() and ask_secret("The same again: ") != secret:
        raise DermascopeError("the two are not the same; begin again")
    return secret
