"""Words from outside, made safe to print on one line."""

import os


def printable(words: str) -> str:
    """Return words with line breaks, escapes and bytes that are no text written out.

    A file's name may hold any of these, and a terminal would obey some of them.
    """
    plain = words.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)


def printable_path(path: str | os.PathLike[str]) -> str:
    """Return a path as it is shown in messages."""
    return printable(os.fspath(path))
