"""Writes what is generated of the regulator's file, and tells what of it is stale."""

from pathlib import Path
from typing import Final

from build_host.files import write_file
from build_host.regulatory.locked import Locked, read_debian, read_lock
from build_host.regulatory.sbom import ON_THE_IMAGE, sbom
from build_host.regulatory.tables import read_risks, read_soups, read_threats
from build_host.reporting.templating import render
from device.config import Config
from device.models.bundle import Bundle, load_bundle

FOLDER: Final = Path("docs") / "regulatory"
LOCK: Final = Path("requirements") / "device.txt"
HARDWARE: Final = Path("build_host") / "image" / "hardware.txt"
DEBIAN: Final = Path("build_host") / "image" / "packages.txt"
MODELS: Final = Path("models")

_TEMPLATES: Final = Path(__file__).parent / "templates"


def generated(root: Path) -> dict[Path, bytes]:
    """Return the content of every file that is generated, by its path in the repository.

    Parameters
    ----------
    root
        The repository's.

    Raises
    ------
    device.errors.DermascopeError
        If a table is wrong, or names a test that does not exist.
    """
    packages = locked_packages(root)
    debian = read_debian(root / DEBIAN)
    bundles = shipped_bundles(root)
    versions: dict[str, list[str]] = {}
    for package in packages:
        versions.setdefault(package.name, []).append(package.version)
    tables: dict[str, dict[str, object]] = {
        "risks.md": {"risks": read_risks(root / FOLDER / "risks.toml", root)},
        "threats.md": {"threats": read_threats(root / FOLDER / "threats.toml", root)},
        "soup.md": {
            "soups": read_soups(root / FOLDER / "soup.toml", packages),
            "versions": versions,
            "debian": len(debian),
            "models": [bundle.manifest for bundle in bundles],
        },
    }
    files = {
        FOLDER / name: render(_TEMPLATES / f"{name}.j2", values).encode()
        for name, values in tables.items()
    }
    return files | {FOLDER / "sbom.cdx.json": sbom(packages, bundles, debian)}


def locked_packages(root: Path) -> list[Locked]:
    """Return the Python packages of an instrument: the program's, and those of the image alone."""
    everywhere = read_lock(root / LOCK)
    known = {(package.name, package.version) for package in everywhere}
    hardware = [
        Locked(package.name, package.version, ON_THE_IMAGE, package.hashes)
        for package in read_lock(root / HARDWARE)
        if (package.name, package.version) not in known
    ]
    return [*everywhere, *hardware]


def shipped_bundles(root: Path) -> list[Bundle]:
    """Return the verified bundles that ship."""
    keys = Config().trusted_keys
    folders = sorted(path.parent for path in (root / MODELS).glob("*/manifest.json"))
    return [load_bundle(folder, keys) for folder in folders]


def stale(root: Path) -> list[Path]:
    """Return the files that are not what would be generated now."""
    return [
        path
        for path, content in generated(root).items()
        if not (root / path).is_file() or (root / path).read_bytes() != content
    ]


def write_all(root: Path) -> list[Path]:
    """Write every file that is stale, and return their paths."""
    old = stale(root)
    files = generated(root)
    for path in old:
        write_file(root / path, files[path])
    return old
