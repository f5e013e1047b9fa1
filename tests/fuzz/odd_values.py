"""Odd values in the place of sound ones, for whatever is told as JSON or TOML."""

import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

Path = tuple[str | int, ...]

NUMBERS: Final = (
    0, -1, 1, 2, 7, 1_000_000_000, 2**31, 2**63, 2**64, -(2**63) - 1, 0.0, -0.0, 0.5, 1.5, -0.5,
    1e-300, 5e-324, 1e-9, 1e9, 1e38, 1e300, -1e300, float("nan"), float("inf"), -float("inf"),
)  # fmt: skip

WORDS: Final = (
    "", " ", "x" * 10_000, "../../etc/passwd", "/dev/zero", "a\nb", "a\0b", "\x1b[31m", "\u202eabc",
    "\u0661.\u0660.\u0660", "9" * 5000, "NaN", "mel", "en", "1.0.0", "0" * 64, "é" * 300, "😀",
    "{}", "%s%n", "1969-12-31", "-0001-01-01", "9999-12-31T23:59:59Z",
)  # fmt: skip

WAYS: Final = ("number", "words", "kind", "missing", "list", "moved", "scaled", "several")


def places(tree: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path to every value in a tree of dicts and lists, the tree itself left out."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def changed(tree: dict[str, Any], way: str, chance: random.Random) -> dict[str, Any]:
    """Return a copy of a tree that is changed in one of `WAYS`."""
    copy = deepcopy(tree)
    if way == "several":
        for _ in range(chance.randrange(2, 6)):
            _change(copy, chance.choice(WAYS[:-1]), chance)
    else:
        _change(copy, way, chance)
    return copy


def _change(tree: dict[str, Any], way: str, chance: random.Random) -> None:
    all_places = list(places(tree))
    wanted = {
        "number": (int, float),
        "scaled": (int, float),
        "words": (str,),
        "list": (list,),
    }.get(way, (object,))
    fitting = [p for p in all_places if isinstance(_at(tree, p), wanted)]
    if not fitting:
        return
    path = chance.choice(fitting)
    parent, key = _at(tree, path[:-1]), path[-1]
    value = parent[key]
    match way:
        case "number":
            parent[key] = chance.choice(NUMBERS)
        case "scaled":
            parent[key] = value * chance.choice((-1, 1e-6, 0.5, 2, 10, 1e4))
        case "words":
            parent[key] = chance.choice(WORDS)
        case "kind":
            parent[key] = deepcopy(chance.choice((None, True, [], {}, [[]], "1", 1, 0.5, [None])))
        case "missing":
            del parent[key]
        case "list":
            parent[key] = deepcopy(
                chance.choice(([], value[::-1], value * 2, value[:1], value * 1000, value[1:]))
            )
        case _:
            parent[key] = deepcopy(_at(tree, chance.choice(all_places)))


def _at(tree: Any, path: Path) -> Any:
    for key in path:
        tree = tree[key]
    return tree
