import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.diagnoses import CODES, MALIGNANT
from device.errors import BundleError
from device.models.bundle import MANIFEST_FILE, Bundle, parse_manifest
from device.models.manifest import SCHEMA_VERSION, Manifest, Saliency

FOLDER = Path("some-bundle")
SECTIONS = [
    (),
    ("classes", 3),
    ("input",),
    ("input_tensor",),
    ("outputs",),
    ("outputs", "logits"),
    ("calibration",),
    ("operating_points", 0),
    ("conformal",),
    ("abstention",),
    ("quality",),
    ("saliency",),
    ("provenance",),
    ("metrics", "accuracy"),
]


@pytest.fixture(scope="module")
def content(bundle: Bundle) -> bytes:
    return (bundle.folder / MANIFEST_FILE).read_bytes()


@pytest.fixture
def plain(content: bytes) -> dict[str, Any]:
    return json.loads(content)


def section(plain: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    part: Any = plain
    for key in path:
        part = part[key]
    return part


def refusal(manifest: object) -> str:
    with pytest.raises(BundleError) as caught:
        parse_manifest(FOLDER, json.dumps(manifest).encode())
    message = str(caught.value)
    assert message.startswith(f"{FOLDER}: {MANIFEST_FILE} ")
    assert len(message.splitlines()) == 1
    return message


def test_shipped_manifest_is_read(content: bytes) -> None:
    manifest = parse_manifest(FOLDER, content)
    assert manifest.schema_version == SCHEMA_VERSION
    assert tuple(c.code for c in manifest.classes) == CODES
    assert manifest.model_id == f"{manifest.name} {manifest.version}"


def test_shipped_manifest_names_every_diagnosis_in_three_languages(manifest: Manifest) -> None:
    for diagnosis in manifest.classes:
        assert set(diagnosis.names) >= {"en", "es", "pt"}
        assert all(diagnosis.names.values())
        assert diagnosis.malignant == (diagnosis.code in MALIGNANT)


def test_shipped_manifest_speaks_of_its_own_network(manifest: Manifest) -> None:
    spec = manifest.input
    assert manifest.input_tensor.shape == (spec.height, spec.width, 3)
    assert manifest.outputs.logits.shape == (len(CODES),)


def test_written_again_it_reads_the_same(manifest: Manifest) -> None:
    assert parse_manifest(FOLDER, msgspec.json.encode(manifest)) == manifest


@pytest.mark.parametrize("path", SECTIONS, ids=lambda p: ".".join(map(str, p)) or "top")
def test_unknown_key_is_refused_everywhere(
    plain: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    section(plain, path)["surprise"] = 1
    assert "surprise" in refusal(plain)


@pytest.mark.parametrize("path", SECTIONS, ids=lambda p: ".".join(map(str, p)) or "top")
def test_wrong_type_is_refused_everywhere(
    plain: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    part = section(plain, path)
    for key, value in list(part.items()):
        part[key] = {"not": ["what", "was", "meant"]}
        refusal(plain)
        part[key] = value
    parse_manifest(FOLDER, json.dumps(plain).encode())


def test_every_top_level_key_is_needed(plain: dict[str, Any]) -> None:
    # Bundles are older than the choice of averaging.
    for key in plain.keys() - {"averaging"}:
        assert key in refusal({k: v for k, v in plain.items() if k != key})


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), "name", "Paper 28"),
        ((), "name", "../evil"),
        ((), "name", "x" * 41),
        ((), "version", "1.0"),
        ((), "version", "1.0.0-rc1"),
        ((), "model_sha256", "A" * 64),
        ((), "model_sha256", "0" * 63),
        (("input",), "height", 0),
        (("input",), "width", 2000),
        (("input",), "geometry", "circle"),
        (("input",), "resize", "nearest"),
        (("input_tensor",), "dtype", "uint8"),
        (("calibration",), "temperature", 0.0),
        (("calibration",), "temperature", -1.0),
        (("calibration",), "bias", [0.0] * 6),
        (("conformal",), "thresholds", [0.1] * 8),
        (("conformal",), "coverage", 1.1),
        (("operating_points", 0), "score", "nv"),
        (("operating_points", 0), "threshold", -0.1),
        (("abstention",), "score", "entropy"),
        (("abstention",), "uncertain_below", 2.0),
        (("quality",), "focus_min", -1.0),
        (("quality",), "glare_max", 1.5),
        (("saliency",), "method", "guess"),
        (("saliency",), "patch", 0),
        (("saliency",), "stride", 0),
        (("saliency",), "frozen", "guess"),
        (("saliency",), "masks", 0),
        (("saliency",), "cells", 1),
        (("provenance",), "dataset_digest", "unknown"),
        (("classes", 0), "code", "scc"),
    ],
)
def test_impossible_value_is_refused(
    plain: dict[str, Any], path: tuple[str | int, ...], key: str, value: object
) -> None:
    part = section(plain, path)
    # What is left at its default is not written.
    assert key in part or key in Saliency.__struct_fields__
    part[key] = value
    assert f"$.{path[0] if path else key}" in refusal(plain)


def test_classes_in_another_order_are_refused(plain: dict[str, Any]) -> None:
    plain["classes"].reverse()
    assert "vasc, nv, mel" in refusal(plain)


@pytest.mark.parametrize("number", [6, 8])
def test_another_number_of_classes_is_refused(plain: dict[str, Any], number: int) -> None:
    plain["classes"] = (plain["classes"] * 2)[:number]
    assert "classes" in refusal(plain)


@pytest.mark.parametrize("place", range(7))
def test_a_class_on_the_wrong_side_is_refused(plain: dict[str, Any], place: int) -> None:
    plain["classes"][place]["malignant"] = not plain["classes"][place]["malignant"]
    assert "malignant classes" in refusal(plain)


def test_saliency_that_the_model_cannot_give_is_refused(plain: dict[str, Any]) -> None:
    plain["saliency"]["method"] = "class-activation-map"
    plain["outputs"]["class_activation_map"] = None
    assert "class activation map" in refusal(plain)


@pytest.mark.parametrize("version", [0, 2, 10, "1", None, [1]])
def test_another_schema_is_told_before_anything_else(
    plain: dict[str, Any], version: object
) -> None:
    message = refusal({"schema_version": version, "whatever": "a later program writes"})
    assert "schema version" in message
    assert "use the release" in message


@pytest.mark.parametrize("manifest", [[], "text", 1, None, {}])
def test_what_is_no_manifest_is_refused(manifest: object) -> None:
    refusal(manifest)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(FOLDER, content)
    assert len(str(caught.value).splitlines()) == 1


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_manifest_cut_anywhere_is_refused(content: bytes, share: float) -> None:
    whole = content.rstrip()
    with pytest.raises(BundleError):
        parse_manifest(FOLDER, whole[: int(share * len(whole))])


def test_averaging_over_rotations_wants_a_square_input(plain: dict[str, Any]) -> None:
    plain["averaging"] = "dihedral"
    assert parse_manifest(FOLDER, json.dumps(plain).encode()).averaging == "dihedral"
    plain["input"]["width"] = 36
    plain["input_tensor"]["shape"] = [plain["input"]["height"], 36, 3]
    assert "square input" in refusal(plain)


def test_manifest_that_is_older_than_a_limit_gets_its_default(plain: dict[str, Any]) -> None:
    for name in ("contrast_min", "off_centre_max", "motion_max", "side_min"):
        plain["quality"].pop(name, None)
    plain.pop("averaging", None)
    manifest = parse_manifest(FOLDER, json.dumps(plain).encode())
    assert manifest.averaging == "none"
    assert (manifest.quality.contrast_min, manifest.quality.motion_max) == (0.0, 1.0)
