import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from device.config import PROJECT_KEY
from device.errors import BundleError
from device.inference.analyzer import Analyzer
from device.models.bundle import MANIFEST_FILE, MODEL_FILE, SIGNATURE_FILE, Bundle, load_bundle
from tests.device.bundles import new_key, write_bundle

Change = dict[str, Any]


@pytest.fixture
def copy(bundle: Bundle, tmp_path: Path) -> Path:
    """A copy of the shipped bundle, to be tampered with."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in (MODEL_FILE, MANIFEST_FILE, SIGNATURE_FILE):
        shutil.copy(bundle.folder / name, folder / name)
    return folder


@pytest.fixture
def plain(bundle: Bundle) -> dict[str, Any]:
    """The shipped manifest as plain JSON."""
    return json.loads((bundle.folder / MANIFEST_FILE).read_bytes())


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
    assert hashlib.sha256(bundle.model).hexdigest() == bundle.manifest.model_sha256
    assert bundle.model == (bundle.folder / MODEL_FILE).read_bytes()


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
    key = write_bundle(tmp_path, plain | {"name": "of-our-own"}, bundle.model)
    own = load_bundle(tmp_path, (key,))
    assert own.signed_by == key
    assert Analyzer(own).manifest.model_id.startswith("of-our-own ")


def test_signature_of_one_bundle_does_not_open_another(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], copy: Path
) -> None:
    key = write_bundle(tmp_path / "own", plain | {"name": "of-our-own"}, bundle.model)
    shutil.copy(tmp_path / "own" / SIGNATURE_FILE, copy / SIGNATURE_FILE)
    assert "is not a signature" in refusal(copy, key, PROJECT_KEY)


def signed(folder: Path, bundle: Bundle, manifest: dict[str, Any]) -> str:
    key = write_bundle(folder, manifest, bundle.model)
    return refusal(folder, key)


def test_signed_manifest_with_an_unknown_key_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any]
) -> None:
    message = signed(tmp_path, bundle, plain | {"colour_order": "bgr"})
    assert MANIFEST_FILE in message
    assert "colour_order" in message


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_signed_manifest_of_another_schema_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], version: object
) -> None:
    message = signed(tmp_path, bundle, plain | {"schema_version": version, "later_key": 1})
    assert f"schema version {json.dumps(version)}" in message
    assert "reads 1" in message


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
    message = signed(tmp_path, bundle, plain | {"input_tensor": plain["input_tensor"] | change})
    assert "tensor" in message


@pytest.mark.parametrize("change", TENSORS.values(), ids=TENSORS)
def test_signed_manifest_whose_logits_are_not_the_models_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], change: Change
) -> None:
    logits = plain["outputs"]["logits"] | change
    message = signed(tmp_path, bundle, plain | {"outputs": plain["outputs"] | {"logits": logits}})
    assert "tensor" in message or "logits" in message


@pytest.mark.parametrize("side", ["height", "width"])
def test_signed_manifest_that_resizes_to_another_size_than_its_tensor_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], side: str
) -> None:
    signed(tmp_path, bundle, plain | {"input": plain["input"] | {side: 32}})


def test_signed_manifest_whose_activation_map_is_no_map_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any]
) -> None:
    outputs = plain["outputs"] | {"class_activation_map": plain["outputs"]["logits"]}
    signed(tmp_path, bundle, plain | {"outputs": outputs})


def test_signed_manifest_without_english_names_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any]
) -> None:
    classes = [c | {"names": {"es": c["names"]["es"]}} for c in plain["classes"]]
    assert "names" in signed(tmp_path, bundle, plain | {"classes": classes})


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.5, 0.999])
def test_signed_but_truncated_model_is_refused(
    tmp_path: Path, bundle: Bundle, plain: dict[str, Any], share: float
) -> None:
    model = bundle.model[: int(share * len(bundle.model))]
    key = write_bundle(tmp_path, plain, model)
    load_bundle(tmp_path, (key,))
    assert f"{MODEL_FILE} does not load" in refusal(tmp_path, key)


def test_signed_file_that_is_no_model_is_refused(tmp_path: Path, plain: dict[str, Any]) -> None:
    key = write_bundle(tmp_path, plain, b"hello" * 1000)
    assert f"{MODEL_FILE} does not load" in refusal(tmp_path, key)
