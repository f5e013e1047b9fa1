"""What is locked: Python packages with their hashes, and the image's Debian packages."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from build_host.errors import DataError

_PACKAGE: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(\s*;\s*(?P<where>[^\\]+?))?\s*\\?$"
)
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Locked:
    """A package as it is locked.

    Attributes
    ----------
    name, version
        As on the package index.
    where
        On which machines and Pythons; empty for all.
    hashes
        SHA-256 of every file that may be installed.
    """

    name: str
    version: str
    where: str
    hashes: tuple[str, ...]


def read_debian(path: Path) -> dict[str, str]:
    """Return the version of each Debian package of an image, by name.

    Parameters
    ----------
    path
        A package and its version a line, as ``dermascope-build image --note-packages`` writes it.

    Raises
    ------
    build_host.errors.DataError
        If a line is another.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        name, _, version = line.partition(" ")
        if not name or not version or " " in version:
            raise DataError(f"{path}: line {number}: is not a package and its version")
        found[name] = version
    return found


def read_lock(path: Path) -> list[Locked]:
    """Return the packages of a lock file, in its order.

    Raises
    ------
    build_host.errors.DataError
        If a line is not what uv writes, or a package has no hash.
    """
    found: list[Locked] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if package := _PACKAGE.match(line):
            where = (package["where"] or "").strip()
            found.append(Locked(package["name"], package["version"], where, ()))
        elif (told := _HASH.search(line)) and found:
            last = found[-1]
            found[-1] = Locked(last.name, last.version, last.where, (*last.hashes, told[1]))
        elif line.strip():
            raise DataError(f"{path}: line {number}: is not what `make lock` writes")
    for package_ in found:
        if not package_.hashes:
            raise DataError(f"{path}: {package_.name} has no hash; run: make lock")
    return found
