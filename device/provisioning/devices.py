"""Many devices from one table: a provisioning file for each row."""

import csv
import io
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from msgspec import inspect

from device.errors import ConfigError
from device.platform.toml_file import read_text
from device.platform.toml_writer import to_toml
from device.provisioning.file import Provision, provision_problems

NAME_COLUMN: Final = "machine.name"
_MOST: Final = 10_000


def provisions_of_table(table: Path, common: Path | None = None) -> dict[str, str]:
    """Return a provisioning file for each row of a CSV table, by the name of its device.

    The first row names settings (``language``, ``machine.name``, ``machine.wifi.ssid``); a field is
    the value, written without quotes. An empty field leaves that setting as it is in `common`.

    Parameters
    ----------
    table
        In UTF-8, with commas, semicolons or tabs.
    common
        A provisioning file that holds for all; the table's fields go before it.

    Returns
    -------
    dict
        The text of each file, in the table's order.

    Raises
    ------
    device.errors.ConfigError
        If a column is no setting, a device has no name or another's, or its file would be wrong:
        with the line of the table.
    """
    base = _common(common)
    rows = _rows(table)
    header = next(rows, (0, []))[1]
    if NAME_COLUMN not in header:
        raise ConfigError(f"{table}: has no column {NAME_COLUMN}; each device needs a name")
    for column in header:
        if column and _kind(column) is None:
            raise ConfigError(f"{table}: line 1: there is no setting {column}")
    files: dict[str, str] = {}
    for line, fields in rows:
        if len(fields) != len(header):
            raise ConfigError(
                f"{table}: line {line}: has {len(fields)} fields and not {len(header)}; put "
                "quotes around a field that holds the separator"
            )
        values = deepcopy(base)
        for column, field in zip(header, fields, strict=True):
            if column and field:
                _put(values, column, _value(table, line, column, field))
        name = values.get("machine", {}).get("name", "")
        if not name or name in files:
            told = f"the name {name} is taken" if name else "the device has no name"
            raise ConfigError(f"{table}: line {line}: {told}; give each its own")
        text = to_toml(values)
        problems = provision_problems(text)
        if problems:
            problem = problems[0]
            raise ConfigError(f"{table}: line {line}: {problem.key}: {problem.reason}")
        files[name] = text
    if not files:
        raise ConfigError(f"{table}: names no device")
    return files


def _common(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    text = read_text(path)
    problems = provision_problems(text)
    if problems:
        raise ConfigError(f"{path}: {problems[0]}")
    return tomllib.loads(text)


def _rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    text = read_text(table)
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield reader.line_num, [field.strip() for field in fields]
            if reader.line_num > _MOST:
                raise ConfigError(f"{table}: has more than {_MOST} lines")
    except csv.Error as error:
        raise ConfigError(f"{table}: line {reader.line_num}: {error}") from None


def _kind(column: str) -> inspect.Type | None:
    """Return the type of the setting that a column names, or None where there is none."""
    at: inspect.Type = inspect.type_info(Provision)
    for step in column.split("."):
        if isinstance(at, inspect.UnionType):
            at = next(t for t in at.types if not isinstance(t, inspect.NoneType))
        if not isinstance(at, inspect.StructType):
            return None
        below = [field.type for field in at.fields if field.encode_name == step]
        if not below:
            return None
        at = below[0]
    return at


def _value(table: Path, line: int, column: str, field: str) -> Any:
    """Return a field's value: text as it is, anything else as TOML has it."""
    kinds: tuple[inspect.Type | None, ...] = (_kind(column),)
    if isinstance(kinds[0], inspect.UnionType):
        kinds = kinds[0].types
    try:
        value = tomllib.loads(f"value = {field}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        value = field
    if any(isinstance(kind, inspect.StrType) for kind in kinds):
        return field
    if isinstance(kinds[0], inspect.VarTupleType) and not isinstance(value, list):
        # One item needs no brackets.
        return [value]
    return value


def _put(values: dict[str, Any], column: str, value: Any) -> None:
    *sections, key = column.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[key] = value
