"""The program's part of a provisioning file, which every user of the machine may read.

It is written anew from the settings that the program knows, so that nothing else of the file can be
in it: no section ``machine`` however it is written, none that is misspelt, no comment, and nothing
of a file that is no TOML. Each setting stays on its line: the program tells it where one is wrong.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from device.config import Config
from device.platform.toml_problems import places, toml_problems
from device.platform.toml_writer import assignment
from device.provisioning.file import MACHINE

_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(Config))
_DEEPEST: Final = 4
"""Keys from the file down to any setting: ``exchange.worklist.tls.authority``."""

_Path = tuple[str, ...]


def program_part(text: str) -> str:
    """Return the settings of a file's text that are the program's, as TOML.

    A key that the program does not know keeps its name alone, and of a text that is no TOML there
    is nothing but a mistake on the line where it has one: the program refuses both.
    """
    try:
        values = tomllib.loads(text)
        values.pop(MACHINE, None)
        return _written(values, _first_lines(text))
    except (tomllib.TOMLDecodeError, RecursionError):
        line = toml_problems(text, Config)[0].line or 1
        return "\n" * (line - 1) + "=\n"


def _first_lines(text: str) -> dict[_Path, int]:
    """Return the first line on which each key stands, or something that is in it."""
    lines: dict[_Path, int] = {}
    for number, path in places(text):
        for end in range(1, min(len(path), _DEEPEST) + 1):
            lines.setdefault(path[:end], number)
    return lines


def _written(values: Mapping[str, Any], lines: Mapping[_Path, int]) -> str:
    divided = {path[:-1] for path in lines}
    settings = sorted(
        (_line(path, lines), assignment(path, value))
        for path, value in _settings(values, (), divided)
    )
    written: list[str] = []
    for line, setting in settings:
        written += [""] * (line - 1 - len(written))
        written.append(setting)
    return "\n".join((*written, ""))


def _settings(
    values: Mapping[str, Any], above: _Path, divided: set[_Path]
) -> Iterator[tuple[_Path, Any]]:
    """Yield every setting by its path; a section whose settings have no lines of their own is one.

    Parameters
    ----------
    divided
        Paths of the sections whose settings have.
    """
    for key, value in values.items():
        path = (*above, key)
        if path[0] not in _KNOWN:
            yield path, False
        elif isinstance(value, dict) and value and path in divided:
            yield from _settings(value, path, divided)
        else:
            yield path, value


def _line(path: _Path, lines: Mapping[_Path, int]) -> int:
    """Return the line of a setting, or of the section that it stands in."""
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), 1)
