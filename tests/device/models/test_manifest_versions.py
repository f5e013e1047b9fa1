import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from device.models.bundle import MANIFEST_FILE
from device.models.manifest import SCHEMA_VERSION
from device.models.manifest_versions import decode_manifest
from tests.device.models.manifests import read, refusal, section
from tests.device.models.two_networks import shipped_bundle

VERSION_1 = Path(__file__).with_name("manifest-version-1.json")
"""That of slim-96 1.2.0, which shipped with version 1."""

UPGRADED: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "version": ("version",),
    "classes": ("classes",),
    "input": ("live", "input"),
    "input_tensor": ("live", "input_tensor"),
    "outputs": ("live", "outputs"),
    "calibration": ("live", "calibration"),
    "operating_points": ("live", "operating_points"),
    "conformal": ("live", "conformal"),
    "abstention": ("live", "abstention"),
    "saliency": ("live", "saliency"),
    "averaging": ("live", "test_time_augmentation"),
    "model_sha256": ("live", "sha256"),
    "quality": ("quality",),
    "provenance": ("provenance",),
    "metrics": ("metrics",),
}
"""Where version 2 has what version 1 had."""


@pytest.fixture
def version_1() -> dict[str, Any]:
    return json.loads(VERSION_1.read_bytes())


def assert_holds(found: Any, expected: Any) -> None:
    """Assert that all of `expected` is in `found`, which may also name what was left out."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert_holds(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, value in zip(found, expected, strict=True):
            assert_holds(one, value)
    else:
        assert found == expected


@pytest.mark.parametrize(
    "path", [VERSION_1, shipped_bundle("paper-28").folder / MANIFEST_FILE], ids=["slim", "paper"]
)
def test_version_1_is_read_field_by_field(path: Path) -> None:
    old = json.loads(path.read_bytes())
    assert old.pop("schema_version") == 1
    manifest = decode_manifest(path.read_bytes())
    assert manifest.schema_version == SCHEMA_VERSION
    assert manifest.live.file == "model.tflite"
    assert manifest.captured is None
    new = json.loads(msgspec.json.encode(manifest))
    assert old.keys() <= UPGRADED.keys()
    if "frozen" in old["saliency"]:
        old["saliency"]["captured_method"] = old["saliency"].pop("frozen")
    for key, value in old.items():
        assert_holds(section(new, UPGRADED[key]), value)
    assert old["averaging"] == "dihedral"


def test_method_for_a_captured_picture_has_another_name_in_version_1(
    version_1: dict[str, Any],
) -> None:
    assert version_1["saliency"].pop("frozen") == "rise"
    assert read(version_1).live.saliency.captured_method is None
    version_1["saliency"]["frozen"] = "rise"
    assert read(version_1).live.saliency.captured_method == "rise"


def test_averaging_of_version_1_is_none_where_it_is_older_than_the_choice(
    version_1: dict[str, Any],
) -> None:
    del version_1["averaging"]
    assert read(version_1).live.test_time_augmentation == "none"


def test_averaging_of_version_1_wants_a_square_input(version_1: dict[str, Any]) -> None:
    assert read(version_1).live.test_time_augmentation == "dihedral"
    version_1["input"]["width"] = 36
    version_1["input_tensor"]["shape"][1] = 36
    assert "square input" in refusal(version_1)


def test_every_top_level_key_of_version_1_is_needed(version_1: dict[str, Any]) -> None:
    for key in UPGRADED.keys() - {"averaging"}:
        assert key in refusal({k: v for k, v in version_1.items() if k != key})


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), "name", "../evil"),
        ((), "version", "1.0"),
        ((), "model_sha256", "0" * 63),
        ((), "averaging", "mirror"),
        (("input",), "height", 0),
        (("calibration",), "bias", [0.0] * 6),
        (("operating_points", 0), "threshold", -0.1),
        (("quality",), "glare_max", 1.5),
        (("saliency",), "masks", 0),
        (("saliency",), "frozen", "guess"),
    ],
)
def test_impossible_value_of_version_1_is_refused(
    version_1: dict[str, Any], path: tuple[str | int, ...], key: str, value: object
) -> None:
    section(version_1, path)[key] = value
    assert f"$.{path[0] if path else key}" in refusal(version_1)


def test_version_1_that_contradicts_itself_is_refused(version_1: dict[str, Any]) -> None:
    for changes, told in (
        ({"classes": version_1["classes"][::-1]}, "vasc, nv, mel"),
        ({"input": version_1["input"] | {"width": 36}}, "input tensor"),
        ({"outputs": version_1["outputs"] | {"whitened": None}}, "whitened features"),
    ):
        assert told in refusal(version_1 | changes)


def test_unknown_key_of_version_1_is_passed_over_but_not_of_what_the_network_sees(
    version_1: dict[str, Any],
) -> None:
    as_shipped = read(version_1)
    # What only version 2 has is as unknown to it as anything else.
    version_1["captured"] = version_1["surprise"] = version_1["quality"]["surprise"] = 1
    assert read(version_1) == as_shipped
    version_1["input"]["surprise"] = 1
    assert "surprise" in refusal(version_1)


def test_one_version_is_not_taken_for_the_other(
    version_1: dict[str, Any], plain: dict[str, Any]
) -> None:
    assert "`live`" in refusal(version_1 | {"schema_version": 2})
    assert "`input`" in refusal(plain | {"schema_version": 1})


def test_sources_of_a_bundle_that_is_older_than_the_choice_are_ham10000(
    plain: dict[str, Any], version_1: dict[str, Any]
) -> None:
    del plain["provenance"]["sources"]
    assert read(plain).provenance.sources == ("ham10000",)
    assert read(version_1).provenance.sources == ("ham10000",)
    plain["provenance"]["sources"] = ["ham10000", "milk10k"]
    assert read(plain).provenance.sources == ("ham10000", "milk10k")
