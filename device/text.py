"""Words from outside, made safe to print on one line."""

import os


def name_of(path: str | os.PathLike[str]) -> str:
    r"""Return a path as text; a byte that is no UTF-8 is written as ``\xe9``.

    That is how a shell takes it back (``$'caf\xe9.jpg'``), and any reader of JSON takes it; half a
    surrogate pair (``\udce9``), which Python would read back, is an error to many of them.
    """
    name = os.fspath(path)
    try:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        # It is no file's: in a locale of ASCII a setting may hold what no argument can.
        return name


def printable(words: str) -> str:
    """Return words with line breaks, escapes and bytes that are no text written out.

    A file's name may hold any of these, and a terminal would obey some of them.
    """
    return "".join(c if c.isprintable() else _written_out(c) for c in words)


def printable_path(path: str | os.PathLike[str]) -> str:
    """Return a path as it is shown in messages."""
    return printable(name_of(path))


def _written_out(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        # So Python passes on a byte that is no text.
        return f"\\x{ord(character) & 0xFF:02x}"
    return character.encode("unicode_escape").decode()
