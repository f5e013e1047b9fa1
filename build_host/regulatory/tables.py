"""The tables that people fill in: risks, threats, and software of unknown provenance."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from build_host.errors import DataError
from build_host.regulatory.locked import Locked
from device.platform.toml_file import read_toml

Level = Annotated[int, msgspec.Meta(ge=1, le=5)]
Words = Annotated[str, msgspec.Meta(min_length=3)]
Number = Annotated[str, msgspec.Meta(pattern=r"^[RT]\d\d\Z")]


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A measure against a risk or a threat.

    Attributes
    ----------
    measure
        What is done.
    kind
        As ISO 14971 7.1 ranks them: inherently safe design, protective measure, information.
    tests
        Tests that prove it, as pytest names them (``tests/.../test_x.py::test_y``); none only
        where it is information that a person is to act on.
    """

    measure: Words
    kind: Literal["design", "protection", "information"]
    tests: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.tests and self.kind != "information":
            raise ValueError(f"no test proves: {self.measure}")


class Risk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of the risk table.

    Attributes
    ----------
    number
        ``R`` and two digits.
    hazard, sequence, harm
        What can do harm, how it comes to it, and the harm.
    severity
        1 (a nuisance) to 5 (death).
    before, after
        Probability of the harm without and with the controls, 1 (incredible) to 5 (frequent).
    controls
        What is done.
    residual
        What remains, and why that is acceptable.
    """

    number: Number
    hazard: Words
    sequence: Words
    harm: Words
    severity: Level
    before: Level
    after: Level
    controls: Annotated[tuple[Control, ...], msgspec.Meta(min_length=1)]
    residual: Words


class Threat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of the threat model.

    Attributes
    ----------
    number
        ``T`` and two digits.
    threat, asset, way
        What someone does, what it is aimed at, and how they come at it.
    controls
        What is done.
    residual
        What remains.
    """

    number: Number
    threat: Words
    asset: Words
    way: Words
    controls: Annotated[tuple[Control, ...], msgspec.Meta(min_length=1)]
    residual: Words


class Soup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Software of unknown provenance (IEC 62304 8.1.2), but for its version, which is locked.

    Attributes
    ----------
    name
        As on the package index.
    purpose
        What the instrument does with it.
    trust
        Why it is relied upon.
    anomalies
        Known anomalies that were looked at, and what is done about them.
    """

    name: Annotated[str, msgspec.Meta(min_length=1)]
    purpose: Words
    trust: Words
    anomalies: Words


class Risks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file ``risks.toml``."""

    risk: tuple[Risk, ...]


class Threats(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file ``threats.toml``."""

    threat: tuple[Threat, ...]


class Soups(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file ``soup.toml``."""

    soup: tuple[Soup, ...]


def read_risks(path: Path, root: Path) -> tuple[Risk, ...]:
    """Return the risks; every test that they name is there.

    Parameters
    ----------
    root
        The repository's.

    Raises
    ------
    device.errors.DermascopeError
        If the file is wrong, or names a test that does not exist.
    """
    risks = read_toml(path, Risks).risk
    _check(path, ((risk.number, risk.controls) for risk in risks), root)
    return risks


def read_threats(path: Path, root: Path) -> tuple[Threat, ...]:
    """Return the threats, as `read_risks` does the risks."""
    threats = read_toml(path, Threats).threat
    _check(path, ((threat.number, threat.controls) for threat in threats), root)
    return threats


def read_soups(path: Path, packages: Iterable[Locked]) -> tuple[Soup, ...]:
    """Return what is known of each locked package.

    Raises
    ------
    device.errors.DermascopeError
        If the file is wrong, lacks a package, or tells of one that is not installed.
    """
    soups = read_toml(path, Soups).soup
    told, locked = [soup.name for soup in soups], {package.name for package in packages}
    for name in sorted(locked - set(told)):
        raise DataError(f"{path}: lacks {name}, which is locked; say what it is for")
    for name in told:
        if name not in locked or told.count(name) > 1:
            raise DataError(f"{path}: {name} is told twice or is not locked; take it out")
    return soups


def _check(path: Path, rows: Iterable[tuple[str, tuple[Control, ...]]], root: Path) -> None:
    seen = set[str]()
    for number, controls in rows:
        if number in seen:
            raise DataError(f"{path}: {number} stands there twice")
        seen.add(number)
        for control in controls:
            for test in control.tests:
                if not test_exists(test, root):
                    raise DataError(
                        f"{path}: {number}: there is no test {test}; name the one that proves: "
                        f"{control.measure}"
                    )


def test_exists(test: str, root: Path) -> bool:
    """Return whether a test is there, as pytest names it, but for its parameters."""
    name, _, function = test.partition("::")
    path = root / name
    if not function.startswith("test_") or not path.name.startswith("test_") or not path.is_file():
        return False
    module = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(n, ast.FunctionDef) and n.name == function for n in module.body)
