"""What an image was made of: ``/usr/share/dermascope/manifest.json``."""

from pathlib import Path
from typing import Final

import msgspec

from build_host.image.debian import installed_packages
from build_host.image.program import SITE

MANIFEST: Final = Path("usr/share/dermascope/manifest.json")


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What an image was made of.

    Attributes
    ----------
    version
        Of the program.
    commit
        That it was built at; ends in ``-dirty`` where files differed from it.
    built
        Date and time, ISO 8601, UTC: the commit's, or ``SOURCE_DATE_EPOCH``'s.
    compatible
        The kind of machine it is for.
    packages, wheels
        Version of each Debian package and of each Python distribution, by name.
    models
        Version of each bundle, by name.
    """

    version: str
    commit: str
    built: str
    compatible: str
    packages: dict[str, str]
    wheels: dict[str, str]
    models: dict[str, str]


class _Manifest(msgspec.Struct):
    version: str


def installed_wheels(root: Path) -> dict[str, str]:
    """Return the version of every Python distribution beside the program, by name."""
    found = {}
    for path in (root / SITE).glob("*.dist-info"):
        name, _, version = path.name.removesuffix(".dist-info").partition("-")
        found[name] = version
    return dict(sorted(found.items()))


def shipped_models(root: Path) -> dict[str, str]:
    """Return the version of every bundle beside the program, by name."""
    folder = root / "opt/dermascope/share/dermascope/models"
    manifests = sorted(folder.glob("*/manifest.json"))
    return {
        path.parent.name: msgspec.json.decode(path.read_bytes(), type=_Manifest).version
        for path in manifests
    }


def write_contents(root: Path, contents: Contents) -> None:
    """Write what an image was made of into its root."""
    path = root / MANIFEST
    path.parent.mkdir(parents=True, exist_ok=True)
    # For scripts, which compare it with an update's.
    path.with_name("version").write_text(f"{contents.version}\n")
    path.write_bytes(msgspec.json.format(msgspec.json.encode(contents, order="sorted")) + b"\n")


def contents_of(root: Path, *, version: str, commit: str, built: str, compatible: str) -> Contents:
    """Return what a root holds."""
    return Contents(
        version=version,
        commit=commit,
        built=built,
        compatible=compatible,
        packages=installed_packages(root),
        wheels=installed_wheels(root),
        models=shipped_models(root),
    )
