import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from device.config import PROJECT_KEY
from device.errors import BundleError
from device.inference.analyzer import Analyzer
from device.models.bundle import MANIFEST_FILE, SIGNATURE_FILE, Bundle, load_bundle
from device.models.manifest import CAPTURED_FILE, MODEL_FILE
from tests.device.bundles import new_key, one_network, plain_manifest, write_bundle
from tests.device.models.case_mixes import with_case_mixes, without_case_mixes
from tests.device.models.two_networks import shipped_bundle, sign_two_networks, two_networks

Change = dict[str, Any]


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    """A copy of the shipped bundle, to be tampered with."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in (*bundle.models, MANIFEST_FILE, SIGNATURE_FILE):
        shutil.copy(bundle.folder / name, folder / name)
    return folder


@pytest.fixture
def plain(bundle: Bundle) -> dict[str, Any]:
    """The shipped manifest as plain JSON of the version that is written."""
    return plain_manifest(bundle)


def with_live(plain: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Return a manifest with parts of its live network replaced."""
    return plain | {"live": plain["live"] | changes}


def refusal(folder: Path, *keys: str) -> str:
    with pytest.raises(BundleError) as caught:
        Analyzer(load_bundle(folder, keys or (PROJECT_KEY,)))
    message = str(caught.value)
    assert str(folder) in message
    assert len(message.splitlines()) == 1
    return message


def flip(path: Path, share: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(share * (len(content) - 1))] ^= 0x01
    path.write_bytes(content)


def test_shipped_bundle_holds_and_says_who_signed_it(bundle: Bundle) -> None:
    assert bundle.signed_by == PROJECT_KEY
    assert hashlib.sha256(bundle.live_model).hexdigest() == bundle.manifest.live.sha256
    assert bundle.live_model == (bundle.folder / MODEL_FILE).read_bytes()
    assert bundle.models.keys() == {spec.file for spec in bundle.manifest.networks}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_one_byte_changed_in_the_model_is_told_as_such(copy: Path, share: float) -> None:
    flip(copy / MODEL_FILE, share)
    message = refusal(copy)
    assert MODEL_FILE in message
    assert "SHA-256 differs" in message


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("name", [MANIFEST_FILE, SIGNATURE_FILE])
def test_one_byte_changed_in_manifest_or_signature_is_told_as_such(
    copy: Path, name: str, share: float
) -> None:
    flip(copy / name, share)
    message = refusal(copy)
    assert f"{SIGNATURE_FILE} is not a signature of {MANIFEST_FILE}" in message


@pytest.mark.parametrize("added", [b"\n", b"\0"])
def test_something_added_to_the_model_or_manifest_is_refused(copy: Path, added: bytes) -> None:
    for name in (MODEL_FILE, MANIFEST_FILE):
        whole = (copy / name).read_bytes()
        (copy / name).write_bytes(whole + added)
        refusal(copy)
        (copy / name).write_bytes(whole)
    load_bundle(copy, (PROJECT_KEY,))


@pytest.mark.parametrize("length", [0, 63, 65, 1000])
def test_signature_of_another_length_is_refused(copy: Path, length: int) -> None:
    (copy / SIGNATURE_FILE).write_bytes(b"\1" * length)
    assert SIGNATURE_FILE in refusal(copy)


@pytest.mark.parametrize("name", [MODEL_FILE, MANIFEST_FILE, SIGNATURE_FILE])
def test_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert f"{name} is missing" in refusal(copy)


@pytest.mark.parametrize("name", [MODEL_FILE, MANIFEST_FILE, SIGNATURE_FILE])
def test_file_that_cannot_be_read_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    (copy / name).mkdir()
    message = refusal(copy)
    assert name in message
    assert "cannot be read" in message


@pytest.mark.parametrize("name", [MANIFEST_FILE, SIGNATURE_FILE, MODEL_FILE])
def test_pipe_in_a_files_place_is_not_waited_for(copy: Path, name: str) -> None:
    (copy / name).unlink()
    os.mkfifo(copy / name)
    assert f"{name} cannot be read; install the bundle again (is no file)" in refusal(copy)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    assert "no model bundle here" in refusal(tmp_path / "missing")


def test_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"hello")
    assert "cannot be read" in refusal(path)


def test_manifest_beyond_its_limit_is_not_read(copy: Path) -> None:
    with (copy / MANIFEST_FILE).open("ab") as file:
        file.write(b" " * (1 << 20))
    assert "larger than the limit" in refusal(copy)


@pytest.mark.parametrize("keys", [(), ("00" * 32,), tuple(new_key()[1] for _ in range(3))])
def test_key_that_is_not_trusted_opens_nothing(copy: Path, keys: tuple[str, ...]) -> None:
    with pytest.raises(BundleError, match="by a key that this device trusts"):
        load_bundle(copy, keys)


def test_any_of_the_trusted_keys_opens(copy: Path) -> None:
    bundle = load_bundle(copy, (new_key()[1], PROJECT_KEY, new_key()[1]))
    assert bundle.signed_by == PROJECT_KEY


def test_a_bundle_of_ones_own_is_accepted(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any]
) -> None:
    key = write_bundle(tmp_path, plain | {"name": "of-our-own"}, bundle.live_model)
    own = load_bundle(tmp_path, (key,))
    assert own.signed_by == key
    assert Analyzer(own).manifest.model_id.startswith("of-our-own ")


def test_signature_of_one_bundle_does_not_open_another(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], copy: Path
) -> None:
    key = write_bundle(tmp_path / "own", plain | {"name": "of-our-own"}, bundle.live_model)
    shutil.copy(tmp_path / "own" / SIGNATURE_FILE, copy / SIGNATURE_FILE)
    assert "is not a signature" in refusal(copy, key, PROJECT_KEY)


def signed(folder: Path, bundle: Bundle, manifest: dict[str, Any]) -> str:
    key = write_bundle(folder, manifest, bundle.live_model)
    return refusal(folder, key)


def test_signed_manifest_with_an_unknown_key_is_read_but_not_of_what_the_network_sees(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any]
) -> None:
    later = with_live(plain | {"later_key": 1}, later_key=1)
    key = write_bundle(tmp_path / "later", later, bundle.live_model)
    assert load_bundle(tmp_path / "later", (key,)).manifest == one_network(bundle).manifest
    spec = plain["live"]["input"] | {"colour_order": "bgr"}
    message = signed(tmp_path / "other", bundle, with_live(plain, input=spec))
    assert MANIFEST_FILE in message
    assert "colour_order" in message


@pytest.mark.parametrize("version", [0, 3, "1", "2", None])
def test_signed_manifest_of_another_schema_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], version: object
) -> None:
    message = signed(tmp_path, bundle, plain | {"schema_version": version, "later_key": 1})
    assert f"schema version {json.dumps(version)}" in message
    assert "reads 1 and 2" in message


def test_signed_manifest_with_classes_in_another_order_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any]
) -> None:
    classes = plain["classes"]
    message = signed(tmp_path, bundle, plain | {"classes": [classes[1], classes[0], *classes[2:]]})
    assert "bcc, akiec" in message


TENSORS: dict[str, Change] = {
    "height": {"shape": [32, 28, 3]},
    "rank": {"shape": [28, 28]},
    "type": {"dtype": "float32"},
    "scale": {"quantization_scale": 0.5},
    "zero-point": {"zero_point": 3},
    "index-too-high": {"index": 1},
    "index-below-zero": {"index": -1},
}


@pytest.mark.parametrize("change", TENSORS.values(), ids=TENSORS)
def test_signed_manifest_whose_input_tensor_is_not_the_models_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], change: Change
) -> None:
    tensor = plain["live"]["input_tensor"] | change
    message = signed(tmp_path, bundle, with_live(plain, input_tensor=tensor))
    assert "tensor" in message


@pytest.mark.parametrize("change", TENSORS.values(), ids=TENSORS)
def test_signed_manifest_whose_logits_are_not_the_models_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], change: Change
) -> None:
    outputs = plain["live"]["outputs"]
    outputs = outputs | {"logits": outputs["logits"] | change}
    message = signed(tmp_path, bundle, with_live(plain, outputs=outputs))
    assert "tensor" in message or "logits" in message


@pytest.mark.parametrize("side", ["height", "width"])
def test_signed_manifest_that_resizes_to_another_size_than_its_tensor_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], side: str
) -> None:
    message = signed(tmp_path, bundle, with_live(plain, input=plain["live"]["input"] | {side: 32}))
    assert "input tensor" in message


def test_signed_manifest_whose_activation_map_is_no_map_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any]
) -> None:
    outputs = plain["live"]["outputs"]
    outputs = outputs | {"class_activation_map": outputs["logits"]}
    assert "class activation map" in signed(tmp_path, bundle, with_live(plain, outputs=outputs))


def test_signed_manifest_without_english_names_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any]
) -> None:
    classes = [c | {"names": {"es": c["names"]["es"]}} for c in plain["classes"]]
    assert "names" in signed(tmp_path, bundle, plain | {"classes": classes})


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.5, 0.999])
def test_signed_but_truncated_model_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], share: float
) -> None:
    model = bundle.live_model[: int(share * len(bundle.live_model))]
    key = write_bundle(tmp_path, plain, model)
    load_bundle(tmp_path, (key,))
    assert f"{MODEL_FILE} does not load" in refusal(tmp_path, key)


def test_signed_file_that_is_no_model_is_refused(tmp_path: Path, plain: dict[str, Any]) -> None:
    key = write_bundle(tmp_path, plain, b"hello" * 1000)
    assert f"{MODEL_FILE} does not load" in refusal(tmp_path, key)


@pytest.fixture(scope="module")
def other() -> Bundle:
    """The shipped bundle of the other network."""
    return shipped_bundle("paper-28")


def test_both_networks_are_read_and_told_apart(
    tmp_path: Path, bundle: Bundle, other: Bundle
) -> None:
    key = sign_two_networks(tmp_path, two_networks(bundle, other), bundle, other)
    both = load_bundle(tmp_path, (key,))
    assert both.models == {MODEL_FILE: bundle.live_model, CAPTURED_FILE: other.live_model}
    assert both.live_model == bundle.live_model
    assert both.manifest.live == msgspec.structs.replace(bundle.manifest.live, case_mixes=())
    assert both.manifest.captured == msgspec.structs.replace(
        other.manifest.live, file=CAPTURED_FILE, case_mixes=()
    )


def test_bundle_is_read_for_another_practice_with_the_same_files(
    tmp_path: Path, bundle: Bundle, other: Bundle
) -> None:
    manifest = with_case_mixes(two_networks(bundle, other))
    key = sign_two_networks(tmp_path, manifest, bundle, other)
    mixed = load_bundle(tmp_path, (key,))
    referral = mixed.with_case_mix("referral")
    assert referral.manifest == mixed.manifest.with_case_mix("referral")
    assert referral.manifest != mixed.manifest
    kept = (referral.folder, referral.models, referral.signed_by)
    assert kept == (tmp_path, mixed.models, key)
    assert mixed.manifest.case_mix == "screening"


@pytest.mark.parametrize(
    ("named", "known"), [(True, "only for screening, referral"), (False, "only for none by name")]
)
def test_practice_that_a_bundle_is_not_calibrated_for_is_told_with_the_setting(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], named: bool, known: str
) -> None:
    manifest = with_case_mixes(plain) if named else without_case_mixes(plain)
    key = write_bundle(tmp_path, manifest, bundle.live_model)
    with pytest.raises(BundleError) as caught:
        load_bundle(tmp_path, (key,)).with_case_mix("hospital")
    assert str(caught.value) == (
        f"{tmp_path}: the bundle is not calibrated for the case mix 'hospital', {known}; change "
        "the setting case_mix or install another bundle"
    )


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", [MODEL_FILE, CAPTURED_FILE])
def test_one_byte_changed_in_either_model_is_told_as_such(
    tmp_path: Path, bundle: Bundle, other: Bundle, name: str, share: float
) -> None:
    key = sign_two_networks(tmp_path, two_networks(bundle, other), bundle, other)
    flip(tmp_path / name, share)
    message = refusal(tmp_path, key)
    assert name in message
    assert "SHA-256 differs" in message


@pytest.mark.parametrize("name", [MODEL_FILE, CAPTURED_FILE])
def test_either_model_that_is_missing_is_named(
    tmp_path: Path, bundle: Bundle, other: Bundle, name: str
) -> None:
    key = sign_two_networks(tmp_path, two_networks(bundle, other), bundle, other)
    (tmp_path / name).unlink()
    assert f"{name} is missing" in refusal(tmp_path, key)


def test_one_model_in_the_place_of_the_other_is_refused(
    tmp_path: Path, bundle: Bundle, other: Bundle
) -> None:
    key = sign_two_networks(tmp_path, two_networks(bundle, other), other, bundle)
    assert f"{MODEL_FILE} is not the file that was signed" in refusal(tmp_path, key)


def test_captured_network_that_is_not_as_its_manifest_says_is_named(
    tmp_path: Path, bundle: Bundle, other: Bundle
) -> None:
    manifest = two_networks(bundle, other)
    manifest["captured"]["input_tensor"]["zero_point"] += 1
    key = sign_two_networks(tmp_path, manifest, bundle, other)
    load_bundle(tmp_path, (key,))
    assert f"{CAPTURED_FILE} has no tensor 0" in refusal(tmp_path, key)


@pytest.mark.parametrize("network", ["live", "captured"])
@pytest.mark.parametrize(
    "name",
    ["../x.tflite", "..", "/x.tflite", "./x.tflite", "sub/x.tflite", "x.tflite/", "x\\y.tflite",
     "x.tflite\0", MANIFEST_FILE],
)  # fmt: skip
def test_no_file_outside_the_folder_can_be_named(
    tmp_path: Path, bundle: Bundle, other: Bundle, network: str, name: str
) -> None:
    folder = tmp_path / "bundle"
    manifest = two_networks(bundle, other)
    manifest[network]["file"] = name
    key = sign_two_networks(folder, manifest, bundle, other)
    # It is there, and the very file that was signed.
    (tmp_path / "x.tflite").write_bytes((bundle if network == "live" else other).live_model)
    message = refusal(folder, key)
    assert f"{MANIFEST_FILE} cannot be understood" in message
    assert f"$.{network}.file" in message
