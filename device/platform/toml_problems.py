"""What is wrong with a settings file: line, key and what is expected there."""

import difflib
import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, Final

import msgspec
from msgspec import inspect

_AT: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP: Final = re.compile(r"\.?([\w-]+)|\[(\d+|\.\.\.)\]")
_WHERE: Final = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_HEADER: Final = re.compile(r"^\s*\[\[?\s*(?P<name>[^\]]+?)\s*\]\]?\s*(#.*)?$")
_PAIR: Final = re.compile(r"^\s*(?P<name>[\w\"'.-]+(?:\s*\.\s*[\w\"'-]+)*)\s*=")
_LONGEST: Final = 60

_Step = str | int | EllipsisType
"""A key, the place of an item in a list, or any item at all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes
    ----------
    key
        What it is about, as it stands in the file (``machine.wifi.ssid``); may be empty.
    reason
        What is wrong with it, and what is expected.
    line
        Where it stands, counted from 1; None where that is not known.
    """

    key: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.key}: {self.reason}" if self.key else f"{where}{self.reason}"


def toml_problems(text: str, kind: type, secret: Collection[str] = ()) -> list[Problem]:
    """Return all that keeps a text from being a TOML file of a kind; empty where it is one.

    Parameters
    ----------
    kind
        A `msgspec.Struct`.
    secret
        Its sections that may hold a secret: what stands in them is never part of a reason.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        told = _WHERE.search(str(error))
        line = told["line"] if told else None
        reason = _WHERE.sub("", str(error))
        end = None if line else len(text.splitlines()) or 1
        return [Problem("", f"no TOML: {reason[:1].lower()}{reason[1:]}", int(line or end or 1))]
    except RecursionError:
        return [Problem("", "is nested too deeply; no setting is")]
    return list(_problems(text, values, kind, secret))


def _problems(
    text: str, values: dict[str, Any], kind: type, secret: Collection[str]
) -> Iterator[Problem]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    sound: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            yield Problem(key, _unknown(key, list(fields)), line_of(text, (key,)))
            continue
        try:
            msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            yield _problem(text, key, value, fields[key].type, error, shown=key not in secret)
        else:
            sound[key] = value
    try:
        msgspec.convert(sound, kind)
    except msgspec.ValidationError as error:
        # What no key alone is at fault for: one that is missing, or two that do not go together.
        reason = _AT.sub("", str(error))
        key, _, rest = reason.partition(": ")
        if rest and key in fields:
            yield Problem(key, rest, line_of(text, (key,)))
        elif len(sound) == len(values):
            yield Problem("", reason)


def _problem(
    text: str, key: str, value: Any, kind: Any, error: msgspec.ValidationError, *, shown: bool
) -> Problem:
    found = _AT.search(str(error))
    reason = _AT.sub("", str(error))
    steps: list[_Step] = [key, *_steps(found["path"] if found else "")]
    unknown = re.match(r"Object contains unknown field `(.+)`", reason)
    at: Any = inspect.type_info(kind)
    for step in steps[1:]:
        at, value = _below(at, step), _value_below(value, step)
    if unknown:
        known = [f.encode_name for f in at.fields] if isinstance(at, inspect.StructType) else []
        steps.append(unknown[1])
        reason = _unknown(unknown[1], known)
    elif not (isinstance(value, dict) and _section(at)):
        expected = expectation(at)
        given = f", not {value!r}" if shown and len(repr(value)) <= _LONGEST else ""
        reason = f"expected {expected}{given}" if expected else reason
    named = tuple(step for step in steps if isinstance(step, str))
    return Problem(".".join(named), reason, line_of(text, named))


def _steps(path: str) -> list[_Step]:
    """Return the way to a value: a number is an item's only in brackets, else it is a key."""
    return [
        name or (int(place) if place.isdecimal() else ...) for name, place in _STEP.findall(path)
    ]


def _below(at: Any, step: _Step) -> Any:
    """Return the type of a field or of an item."""
    if isinstance(at, inspect.UnionType):
        at = next((t for t in at.types if not isinstance(t, inspect.NoneType)), at)
    if isinstance(at, inspect.StructType):
        return next((f.type for f in at.fields if f.encode_name == step), None)
    if isinstance(at, inspect.TupleType) and isinstance(step, int):
        return at.item_types[step]
    return getattr(at, "item_type", None)


def _section(at: Any) -> bool:
    kinds = at.types if isinstance(at, inspect.UnionType) else (at,)
    return any(isinstance(kind, inspect.StructType) for kind in kinds)


def _value_below(value: Any, step: _Step) -> Any:
    try:
        return value[step]
    except (LookupError, TypeError):
        return None


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return f"there is no such setting; did you mean {near[0]}?" if near else (
        "there is no such setting"
    )  # fmt: skip


def expectation(kind: Any) -> str:
    """Return what a type expects, in words; empty where there are none for it."""
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high):
            return "a whole number" + _between(low, high)
        case inspect.FloatType(ge=low, le=high):
            return "a number" + _between(low, high)
        case inspect.StrType(pattern=pattern, max_length=most):
            written = f" of at most {most} characters" if most else ""
            form = f" of the form {pattern}" if pattern else ""
            return f'text in quotes ("..."){written}{form}'
        case inspect.EnumType(cls=kinds):
            return "one of " + ", ".join(_quoted(choice.value) for choice in kinds)
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(_quoted(v) for v in values) if len(values) > 1 else (
                _quoted(values[0])
            )  # fmt: skip
        case inspect.UnionType(types=types):
            told = [expectation(t) for t in types if not isinstance(t, inspect.NoneType)]
            return " or ".join(part for part in told if part)
        case inspect.TupleType(item_types=items):
            return f"a list of {len(items)}: [{', '.join(expectation(item) for item in items)}]"
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return f"a list in brackets ([...]) of {expectation(item) or 'values'}"
        case inspect.StructType() | inspect.DictType():
            return "a section ([...]) with settings of its own"
    return ""


def _between(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """Return the line, counted from 1, on which a key stands, or the nearest above it that does.

    Parameters
    ----------
    path
        The key and the sections that it stands in.
    """
    best: tuple[int, int] | None = None
    for number, here in places(text):
        if here and path[: len(here)] == here and (best is None or len(here) > best[0]):
            best = len(here), number
    return best[1] if best else None


def places(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the line, counted from 1, of each section and key, and its path."""
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        header, pair = _HEADER.match(line), _PAIR.match(line)
        if header:
            section = _parts(header["name"])
            yield number, section
        elif pair:
            yield number, (*section, *_parts(pair["name"]))


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in name.split("."))
