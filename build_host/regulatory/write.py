"""Writes what is generated of the regulator's file, and tells what of it is stale."""

from pathlib import Path
from typing import Final

from build_host.files import write_file
from build_host.regulatory.locked import read_lock
from build_host.regulatory.sbom import sbom
from build_host.regulatory.tables import read_risks, read_soups, read_threats
from build_host.reporting.templating import render
from device.config import Config
from device.models.bundle import load_bundle

FOLDER: Final = Path("docs") / "regulatory"
LOCK: Final = Path("requirements") / "device.txt"
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
    packages = read_lock(root / LOCK)
    keys = Config().trusted_keys
    folders = sorted(path.parent for path in (root / MODELS).glob("*/manifest.json"))
    bundles = [load_bundle(folder, keys) for folder in folders]
    versions: dict[str, list[str]] = {}
    for package in packages:
        versions.setdefault(package.name, []).append(package.version)
    tables: dict[str, dict[str, object]] = {
        "risks.md": {"risks": read_risks(root / FOLDER / "risks.toml", root)},
        "threats.md": {"threats": read_threats(root / FOLDER / "threats.toml", root)},
        "soup.md": {
            "soups": read_soups(root / FOLDER / "soup.toml", packages),
            "versions": versions,
            "models": [bundle.manifest for bundle in bundles],
        },
    }
    files = {
        FOLDER / name: render(_TEMPLATES / f"{name}.j2", values).encode()
        for name, values in tables.items()
    }
    return files | {FOLDER / "sbom.cdx.json": sbom(packages, bundles)}


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
