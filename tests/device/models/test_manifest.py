import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.diagnoses import CODES, MALIGNANT
from device.errors import BundleError
from device.models.bundle import MANIFEST_FILE, Bundle, parse_manifest
from device.models.manifest import SCHEMA_VERSION, Manifest
from device.models.network_spec import Saliency
from tests.device.bundles import one_network
from tests.device.models.case_mixes import without_case_mixes
from tests.device.models.manifests import FOLDER, read, refusal, section

SECTIONS = [
    (),
    ("classes", 3),
    ("live",),
    ("live", "input"),
    ("live", "input_tensor"),
    ("live", "outputs"),
    ("live", "outputs", "logits"),
    ("live", "calibration"),
    ("live", "operating_points", 0),
    ("live", "conformal"),
    ("live", "abstention"),
    ("live", "saliency"),
    ("quality",),
    ("provenance",),
    ("metrics", "accuracy"),
]


def name_of(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path)) or "top"


def test_shipped_manifest_is_read(manifest: Manifest) -> None:
    assert manifest.schema_version == SCHEMA_VERSION
    assert tuple(c.code for c in manifest.classes) == CODES
    assert manifest.model_id == f"{manifest.name} {manifest.version}"


def test_shipped_manifest_names_every_diagnosis_in_three_languages(manifest: Manifest) -> None:
    for diagnosis in manifest.classes:
        assert set(diagnosis.names) >= {"en", "es", "pt"}
        assert all(diagnosis.names.values())
        assert diagnosis.malignant == (diagnosis.code in MALIGNANT)


def test_shipped_manifest_speaks_of_its_own_network(manifest: Manifest) -> None:
    spec = manifest.live.input
    assert manifest.live.input_tensor.shape == (spec.height, spec.width, 3)
    assert manifest.live.outputs.logits.shape == (len(CODES),)


def test_written_again_it_reads_the_same(manifest: Manifest, both: dict[str, Any]) -> None:
    for written in (manifest, read(both)):
        assert parse_manifest(FOLDER, msgspec.json.encode(written)) == written


@pytest.mark.parametrize("path", SECTIONS, ids=name_of)
def test_unknown_key_is_passed_over_but_not_of_what_the_network_sees(
    plain: dict[str, Any], bundle: Bundle, path: tuple[str | int, ...]
) -> None:
    section(plain, path)["surprise"] = {"of": ["a later", "program"]}
    if path == ("live", "input"):
        message = refusal(plain)
        assert "surprise" in message
        assert "$.live.input" in message
    else:
        assert read(plain) == one_network(bundle).manifest


def test_unknown_key_of_what_the_held_network_sees_is_refused(both: dict[str, Any]) -> None:
    both["captured"]["surprise"] = 1
    read(both)
    both["captured"]["input"]["surprise"] = 1
    message = refusal(both)
    assert "surprise" in message
    assert "$.captured.input" in message


@pytest.mark.parametrize("path", SECTIONS, ids=name_of)
def test_wrong_type_is_refused_everywhere(
    plain: dict[str, Any], path: tuple[str | int, ...]
) -> None:
    part = section(plain, path)
    for key, value in list(part.items()):
        part[key] = {"not": ["what", "was", "meant"]}
        refusal(plain)
        part[key] = value
    read(plain)


def test_every_key_of_the_top_level_and_of_a_network_is_needed(plain: dict[str, Any]) -> None:
    live = plain["live"]
    for key in plain.keys() - {"captured", "case_mix", "similar_cases"}:
        assert key in refusal({k: v for k, v in plain.items() if k != key})
    for key in live.keys() - {"test_time_augmentation", "case_mixes"}:
        less = {k: v for k, v in live.items() if k != key}
        message = refusal(plain | {"live": less})
        assert key in message
        assert "$.live" in message


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), "name", "Paper 28"),
        ((), "name", "../evil"),
        ((), "name", "x" * 41),
        ((), "version", "1.0"),
        ((), "version", "1.0.0-rc1"),
        (("live",), "file", "x.bin"),
        (("live",), "file", "../x.tflite"),
        (("live",), "file", "x" * 41 + ".tflite"),
        (("live",), "sha256", "A" * 64),
        (("live",), "sha256", "0" * 63),
        (("live",), "test_time_augmentation", "mirror"),
        (("live", "input"), "height", 0),
        (("live", "input"), "width", 2000),
        (("live", "input"), "geometry", "circle"),
        (("live", "input"), "resize", "nearest"),
        (("live", "input_tensor"), "dtype", "uint8"),
        (("live", "calibration"), "temperature", 0.0),
        (("live", "calibration"), "temperature", -1.0),
        (("live", "calibration"), "bias", [0.0] * 6),
        (("live", "conformal"), "thresholds", [0.1] * 8),
        (("live", "conformal"), "coverage", 1.1),
        (("live", "operating_points", 0), "score", "nv"),
        (("live", "operating_points", 0), "threshold", -0.1),
        (("live", "abstention"), "score", "entropy"),
        (("live", "abstention"), "uncertain_below", 2.0),
        (("quality",), "focus_min", -1.0),
        (("quality",), "glare_max", 1.5),
        (("live", "saliency"), "method", "guess"),
        (("live", "saliency"), "patch", 0),
        (("live", "saliency"), "stride", 0),
        (("live", "saliency"), "captured_method", "guess"),
        (("live", "saliency"), "masks", 0),
        (("live", "saliency"), "cells", 1),
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
    names = [k for k in path if isinstance(k, str)] or [key]
    assert f"$.{'.'.join(names)}" in refusal(plain)


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
    plain["live"]["saliency"]["method"] = "class-activation-map"
    plain["live"]["outputs"]["class_activation_map"] = None
    assert "class activation map" in refusal(plain)


def test_abstention_that_the_model_cannot_give_is_refused(plain: dict[str, Any]) -> None:
    plain["live"]["abstention"]["score"] = "distance"
    plain["live"]["outputs"]["whitened"] = None
    assert "whitened features" in refusal(plain)


@pytest.mark.parametrize("version", [0, 3, 10, 1.0, "1", "2", None, True, [1]])
def test_another_schema_is_told_before_anything_else(
    plain: dict[str, Any], version: object
) -> None:
    for manifest in ({"whatever": "a later program writes"}, plain):
        message = refusal(manifest | {"schema_version": version})
        assert f"schema version {json.dumps(version, separators=(',', ':'))}," in message
        assert "reads 1 and 2" in message
        assert "use the release" in message


def test_manifest_that_names_no_schema_is_told_so(plain: dict[str, Any]) -> None:
    del plain["schema_version"]
    assert "names no schema version" in refusal(plain)


@pytest.mark.parametrize(
    "content",
    [b'{"schema_version": {\n"a": 1}}', b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
)
def test_refusal_is_one_short_line_whatever_stands_in_the_file(content: bytes) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(FOLDER, content)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("manifest", [[], "text", 1, None, {}])
def test_what_is_no_manifest_is_refused(manifest: object) -> None:
    refusal(manifest)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(FOLDER, content)
    assert len(str(caught.value).splitlines()) == 1


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_manifest_cut_anywhere_is_refused(bundle: Bundle, share: float) -> None:
    shipped = (bundle.folder / MANIFEST_FILE).read_bytes().rstrip()
    for whole in (shipped, msgspec.json.encode(bundle.manifest)):
        with pytest.raises(BundleError):
            parse_manifest(FOLDER, whole[: int(share * len(whole))])


def test_averaging_over_rotations_wants_a_square_input(plain: dict[str, Any]) -> None:
    live = plain["live"]
    live["test_time_augmentation"] = "dihedral"
    assert read(plain).live.test_time_augmentation == "dihedral"
    live["input"]["width"] = 36
    live["input_tensor"]["shape"] = [live["input"]["height"], 36, 3]
    assert "square input" in refusal(plain)


def test_manifest_that_is_older_than_a_limit_gets_its_default(plain: dict[str, Any]) -> None:
    for name in ("contrast_min", "off_centre_max", "motion_max", "side_min"):
        del plain["quality"][name]
    del plain["live"]["test_time_augmentation"]
    manifest = read(plain)
    assert manifest.live.test_time_augmentation == "none"
    assert (manifest.quality.contrast_min, manifest.quality.motion_max) == (0.0, 1.0)


def test_one_network_answers_for_every_picture(plain: dict[str, Any]) -> None:
    manifest = read(plain)
    assert manifest.networks == (manifest.live,)
    assert manifest.network_for(as_captured=True) is manifest.live
    assert manifest.network_for(as_captured=False) is manifest.live


def test_of_two_networks_each_answers_for_its_own_pictures(both: dict[str, Any]) -> None:
    manifest = read(both)
    assert manifest.captured is not None
    assert manifest.networks == (manifest.live, manifest.captured)
    assert manifest.network_for(as_captured=True) is manifest.captured
    assert manifest.network_for(as_captured=False) is manifest.live


def test_two_networks_of_one_file_are_refused(both: dict[str, Any]) -> None:
    both["captured"]["file"] = both["live"]["file"]
    assert f"both networks name the file {both['live']['file']}" in refusal(both)


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), "file", "../x.tflite"),
        (("calibration",), "temperature", 0.0),
        (("conformal",), "thresholds", [0.1] * 8),
        (("abstention",), "score", "distance"),
        (("input",), "height", 32),
    ],
)
def test_held_network_is_checked_as_the_live_one_is(
    both: dict[str, Any], path: tuple[str, ...], key: str, value: object
) -> None:
    section(both["captured"], path)[key] = value
    assert "$.captured" in refusal(both)


def test_warning_that_no_dermatoscope_took_the_picture_wants_the_output_for_it(
    plain: dict[str, Any],
) -> None:
    plain = without_case_mixes(plain)
    live = plain["live"]
    live["outputs"]["dermoscopic"] = None
    live["abstention"]["not_dermoscopic_below"] = 0.5
    assert "wants a dermoscopic output" in refusal(plain)
    live["outputs"]["dermoscopic"] = {"index": 3, "shape": [1], "dtype": "float32"}
    assert read(plain).live.abstention.not_dermoscopic_below == 0.5


LONG = "x" * 10_000

ODD = [
    ((), "version", "1" * 5000 + ".0.0"),
    ((), "version", "\u0661.\u0660.\u0660"),
    (("classes", 0), "snomed_ct", "a drop table"),
    (("classes", 0), "icd10", LONG),
    (("classes", 0, "names"), "en", LONG),
    (("classes", 0, "names"), "en", ""),
    (("classes", 0, "names"), "en", "Mel\nanoma"),
    (("classes", 0, "names"), "en", "\u202eamonaleM"),
    (("live", "input"), "scale", 0.0),
    (("live", "input"), "scale", 1e300),
    (("live", "input"), "offset", -1e9),
    (("live", "input_tensor"), "index", 2**40),
    (("live", "input_tensor"), "zero_point", 1_000_000),
    (("live", "input_tensor"), "quantization_scale", -1.0),
    (("live", "outputs", "logits"), "shape", [7] * 1000),
    (("live", "outputs", "logits"), "shape", [2**60]),
    (("live", "calibration"), "temperature", 1e-300),
    (("live", "calibration"), "temperature", 1e9),
    (("live", "calibration"), "bias", [1e300] * 7),
    (("live", "calibration"), "fitted_on", LONG),
    (("live", "operating_points", 0), "name", LONG),
    (("live", "operating_points", 0), "name", ""),
    (("live", "operating_points", 0), "threshold", 1.5),
    (("live", "operating_points", 0), "sensitivity", -0.5),
    (("live", "conformal"), "thresholds", [2.0] * 7),
    (("live", "abstention"), "unfamiliar_below", 1e300),
    (("live", "abstention"), "not_dermoscopic_below", -1e300),
    (("live", "saliency"), "stride", 10**12),
    (("quality",), "focus_min", 1e300),
    (("quality",), "derived_from", LONG),
    (("provenance",), "seed", 2**64),
    (("provenance",), "created", "-0001-01-01"),
    (("provenance",), "created", "1969-12-31"),
    (("provenance",), "dataset", LONG),
    (("provenance",), "libraries", {f"x{n}": "1" for n in range(1000)}),
    (("provenance",), "sources", ["ham10000"] * 1000),
    (("metrics", "accuracy"), "value", 1e300),
    (("metrics",), LONG, {"value": 0.5, "low": 0.4, "high": 0.6}),
]


@pytest.mark.parametrize(("path", "key", "value"), ODD, ids=lambda x: str(x)[:24])
def test_absurd_constant_is_refused_by_its_place(
    plain: dict[str, Any], path: tuple[str | int, ...], key: str, value: object
) -> None:
    section(plain, path)[key] = value
    message = refusal(plain)
    assert f"$.{path[0] if path else key}" in message
    assert len(message) < 400


@pytest.mark.parametrize("network", ["live", "captured"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_what_is_no_number_is_refused(both: dict[str, Any], network: str, number: str) -> None:
    both[network]["calibration"]["temperature"] = "HERE"
    content = json.dumps(both).replace('"HERE"', number)
    with pytest.raises(BundleError, match=r"manifest\.json cannot be understood; "):
        parse_manifest(FOLDER, content.encode())


def test_two_classes_of_one_name_are_refused(plain: dict[str, Any]) -> None:
    plain["classes"][4]["names"]["es"] = plain["classes"][5]["names"]["es"]
    assert "two classes have one name in 'es'" in refusal(plain)


def test_limits_the_wrong_way_round_are_refused(plain: dict[str, Any]) -> None:
    plain["quality"] |= {"exposure_min": 0.8, "exposure_max": 0.2}
    assert "exposure_min (0.8) is above exposure_max (0.2)" in refusal(plain)


def test_interval_the_wrong_way_round_is_refused(plain: dict[str, Any]) -> None:
    plain["metrics"]["accuracy"] = {"value": 0.5, "low": 0.6, "high": 0.4}
    assert "an interval goes from 0.6 down to 0.4" in refusal(plain)


def test_map_that_nobody_waits_for_is_refused(plain: dict[str, Any]) -> None:
    plain["live"]["saliency"] = {"method": "occlusion", "patch": 8, "stride": 1}
    assert "more than 4096 passes" in refusal(plain)


def test_outputs_of_another_shape_than_they_are_read_in_are_refused(plain: dict[str, Any]) -> None:
    outputs = plain["live"]["outputs"]
    tensor = {"index": 3, "shape": [2, 2], "dtype": "float32"}
    for name in ("whitened", "embedding", "dermoscopic"):
        sound, outputs[name] = outputs[name], tensor
        assert f"the {name} output has the shape (2, 2)" in refusal(plain)
        outputs[name] = sound
    outputs["logits"] = {"index": 0, "shape": [7], "dtype": "int8"}
    assert "an int8 tensor has no quantization_scale" in refusal(plain)


def test_index_that_would_fill_the_memory_is_refused(both: dict[str, Any]) -> None:
    embedding = {"index": 4, "shape": [4096], "dtype": "float32"}
    both["captured"]["outputs"]["embedding"] = embedding
    both["similar_cases"] = {
        "file": "similar-cases.npz", "sha256": "0" * 64, "lesions": 3000, "dimensions": 4096,
    }  # fmt: skip
    read(both)
    both["similar_cases"]["lesions"] = 1_000_000
    assert "the index holds more than 16000000 numbers" in refusal(both)
