"""Values as TOML: as much of it as settings need."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


def to_toml(values: Mapping[str, Any]) -> str:
    """Return TOML of tables, lists, text, numbers and truth values; plain settings come first."""
    return "\n".join(_table(values, "")) + "\n"


def assignment(path: Sequence[str], value: Any) -> str:
    """Return one line of TOML that gives a value to the key at a path."""
    return f"{'.'.join(_key(key) for key in path)} = {_inline(value)}"


def _table(values: Mapping[str, Any], name: str) -> list[str]:
    lines = [f"[{name}]"] if name else []
    lines += [f"{_key(k)} = {_inline(v)}" for k, v in values.items() if not isinstance(v, dict)]
    for key, value in values.items():
        if isinstance(value, dict):
            lines += ["", *_table(value, f"{name}.{_key(key)}" if name else _key(key))]
    return lines


def _key(name: str) -> str:
    plain = name.replace("-", "").replace("_", "").isalnum() and name.isascii()
    return name if plain else _text(name)


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(_inline(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    return str(value)


def _text(words: str) -> str:
    """Return a basic string: JSON's own, with what TOML forbids beside it written out."""
    return msgspec.json.encode(words).decode().replace("\x7f", "\\u007f")
