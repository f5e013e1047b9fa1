"""The regulator's file is what the repository is, and names tests that exist."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from build_host.errors import DataError
from build_host.image.debian import package_list
from build_host.image.recipe import load_recipe
from build_host.regulatory.locked import read_debian, read_lock
from build_host.regulatory.tables import (
    read_risks,
    read_soups,
    read_threats,
)
from build_host.regulatory.tables import (
    test_exists as exists,
)
from build_host.regulatory.write import (
    DEBIAN,
    FOLDER,
    HARDWARE,
    LOCK,
    generated,
    locked_packages,
    stale,
    write_all,
)
from device.errors import DermascopeError
from device.models.manifest import Manifest
from tests.build_host.conftest import Done

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def files() -> dict[Path, bytes]:
    return generated(ROOT)


def test_nothing_of_it_is_stale() -> None:
    assert stale(ROOT) == [], "run: make regulatory"


def test_every_test_that_a_document_names_exists() -> None:
    named = {
        test
        for path in (ROOT / FOLDER).glob("*.md")
        for test in re.findall(r"`(tests/[^`]+::[^`]+)`", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 60
    assert {test for test in named if not exists(test, ROOT)} == set()


@pytest.mark.parametrize(
    ("test", "there"),
    [
        ("tests/build_host/regulatory/test_regulatory.py::test_nothing_of_it_is_stale", True),
        ("tests/build_host/regulatory/test_regulatory.py::test_that_nobody_wrote", False),
        ("tests/build_host/regulatory/test_regulatory.py::files", False),
        ("tests/build_host/regulatory/test_regulatory.py", False),
        ("tests/build_host/conftest.py::test_nothing", False),
        ("tests/none.py::test_nothing", False),
    ],
)
def test_test_that_is_not_there_is_known(test: str, there: bool) -> None:
    assert exists(test, ROOT) == there


def tables(folder: Path) -> Path:
    shutil.copytree(ROOT / FOLDER, folder / "tables")
    return folder / "tables"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(("file", "read"), [("risks", read_risks), ("threats", read_threats)])
def test_control_that_names_a_test_which_does_not_exist_is_refused(
    tmp_path: Path, file: str, read: Callable[[Path, Path], object]
) -> None:
    path = tables(tmp_path) / f"{file}.toml"
    change(path, "::test_", "::test_that_nobody_wrote_")
    with pytest.raises(DataError, match=r"[RT]\d\d: there is no test .*that_nobody_wrote_"):
        read(path, ROOT)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "design"\ntests', 'kind = "design"\nproofs', "there is no such setting"),
        ("severity = 5", "severity = 6", "expected a whole number from 1 to 5, not 6"),
        ('number = "R02"', 'number = "R01"', "R01 stands there twice"),
        ('number = "R02"', 'number = "2"', "number"),
    ],
)
def test_mistake_in_the_risk_table_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tables(tmp_path) / "risks.toml"
    change(path, old, new)
    with pytest.raises(DermascopeError, match=told):
        read_risks(path, ROOT)


def test_control_without_proof_is_information_or_refused(tmp_path: Path) -> None:
    path = tables(tmp_path) / "threats.toml"
    change(path, 'kind = "information"', 'kind = "protection"')
    with pytest.raises(DermascopeError, match="no test proves"):
        read_threats(path, ROOT)


def test_package_that_nobody_tells_of_is_named(tmp_path: Path) -> None:
    path = tables(tmp_path) / "soup.toml"
    packages = locked_packages(ROOT)
    change(path, 'name = "numpy"', 'name = "numpie"')
    with pytest.raises(DataError, match="lacks numpy, which is locked"):
        read_soups(path, packages)
    shutil.copy(ROOT / FOLDER / "soup.toml", path)
    with pytest.raises(DataError, match="is told twice or is not locked"):
        read_soups(path, [p for p in packages if p.name != "numpy"])


def test_lock_gives_every_package_with_its_hashes(tmp_path: Path) -> None:
    packages = read_lock(ROOT / LOCK)
    assert {"numpy", "msgspec", "cryptography"} <= {package.name for package in packages}
    assert all(package.hashes for package in packages)
    path = tmp_path / "lock.txt"
    path.write_text("numpy==2.0 ; python_version < '3.12'\n")
    with pytest.raises(DataError, match="numpy has no hash"):
        read_lock(path)
    path.write_text("numpy>=2.0\n")
    with pytest.raises(DataError, match="line 1: is not what `make lock` writes"):
        read_lock(path)


def test_bill_of_materials_names_every_package_and_model(files: dict[Path, bytes]) -> None:
    bom = json.loads(files[FOLDER / "sbom.cdx.json"])
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    components = {(c["name"], c["version"]): c for c in bom["components"]}
    for package in locked_packages(ROOT):
        component = components[package.name, package.version]
        assert component["purl"] == f"pkg:pypi/{package.name}@{package.version}"
        assert {h["content"] for h in component["hashes"]} == set(package.hashes)
    for name, version in read_debian(ROOT / DEBIAN).items():
        purl = components[name, version]["purl"]
        assert purl.startswith(f"pkg:deb/debian/{name.replace('+', '%2B')}@")
        assert purl.endswith("?arch=arm64&distro=trixie")
    models = {c["name"] for c in bom["components"] if c["type"] == "machine-learning-model"}
    assert models == {path.parent.name for path in (ROOT / "models").glob("*/manifest.json")}
    references = {c["bom-ref"] for c in bom["components"]} | {"dermascope"}
    assert {d["ref"] for d in bom["dependencies"]} <= references


def test_packages_of_the_image_alone_are_told_apart(files: dict[Path, bytes]) -> None:
    bom = json.loads(files[FOLDER / "sbom.cdx.json"])
    told = {
        c["name"]
        for c in bom["components"]
        if any(p["value"] == "on the image of a card" for p in c.get("properties", ()))
    }
    everywhere = {package.name for package in read_lock(ROOT / LOCK)}
    assert {package.name for package in read_lock(ROOT / HARDWARE)} - everywhere < told
    assert {"picamera2", "systemd", "rauc", "linux-image-arm64"} < told
    assert "numpy" not in told


def test_list_of_debian_packages_is_what_an_image_writes(tmp_path: Path) -> None:
    packages = read_debian(ROOT / DEBIAN)
    assert (ROOT / DEBIAN).read_text() == package_list(packages)
    named = set(load_recipe().packages)
    assert named <= set(packages)
    path = tmp_path / "packages.txt"
    path.write_text("acl 2.3\nzlib1g\n")
    with pytest.raises(DataError, match="line 2: is not a package and its version"):
        read_debian(path)


def test_model_in_it_has_its_card(files: dict[Path, bytes], manifest: Manifest) -> None:
    bom = json.loads(files[FOLDER / "sbom.cdx.json"])
    (model,) = (c for c in bom["components"] if c["name"] == manifest.name)
    assert {h["content"] for h in model["hashes"]} == {n.sha256 for n in manifest.networks}
    card = model["modelCard"]
    figures = {m["type"]: m for m in card["quantitativeAnalysis"]["performanceMetrics"]}
    assert set(figures) == set(manifest.metrics)
    auc = manifest.metrics["malignant_auc"]
    assert figures["malignant_auc"]["value"] == f"{auc.value:.3f}"
    assert len(card["modelParameters"]["outputs"]) == 7


def test_bill_of_materials_is_one_as_its_schema_says(files: dict[Path, bytes]) -> None:
    pytest.importorskip("jsonschema", reason="cyclonedx-python-lib[json-validation]")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = files[FOLDER / "sbom.cdx.json"].decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_is_the_same_whenever_it_is_made(files: dict[Path, bytes]) -> None:
    assert generated(ROOT) == files


def test_command_renews_what_is_stale(tmp_path: Path, command: Callable[..., Done]) -> None:
    (tmp_path / HARDWARE).parent.mkdir(parents=True)
    for path in (HARDWARE, DEBIAN):
        shutil.copyfile(ROOT / path, tmp_path / path)
    for path in ("docs/regulatory", "requirements", "models", "tests"):
        shutil.copytree(
            ROOT / path, tmp_path / path, ignore=shutil.ignore_patterns("*.png", "__pycache__")
        )
    assert write_all(tmp_path) == []
    change(tmp_path / FOLDER / "risks.toml", "Treatment comes late", "Treatment comes too late")
    assert stale(tmp_path) == [FOLDER / "risks.md"]
    done = command("regulatory", "--root", tmp_path)
    assert (done.status, done.out) == (0, f"Wrote {FOLDER / 'risks.md'}\n")
    assert "Treatment comes too late" in (tmp_path / FOLDER / "risks.md").read_text()
    assert stale(tmp_path) == []
