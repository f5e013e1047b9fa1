import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from build_host.bundle.sign import (
    KEY_VARIABLE,
    create_key,
    default_key_path,
    public_key,
    read_key,
    sign_again,
    write_bundle,
)
from build_host.evaluation.assessment import Assessment
from build_host.reporting.model_card import render_card
from device.config import PROJECT_KEY, Config, model_folder
from device.errors import BundleError
from device.inference.analyzer import Analyzer
from device.models.bundle import MANIFEST_FILE, SIGNATURE_FILE, load_bundle
from device.models.manifest import MODEL_FILE, Manifest
from tests.build_host.conftest import Done

MODEL = b"\x00\x01model bytes"


def signed(manifest: Manifest, model: bytes = MODEL) -> Manifest:
    live = msgspec.structs.replace(manifest.live, sha256=hashlib.sha256(model).hexdigest())
    return msgspec.structs.replace(manifest, live=live)


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def test_a_new_key_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "signing.key"
    before = os.umask(0)
    try:
        create_key(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size == 32


def test_the_public_half_is_the_one_whose_signatures_hold(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    printed = create_key(path)
    assert len(printed) == 64
    assert public_key(read_key(path)) == printed
    signature = read_key(path).sign(b"said")
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(printed)).verify(signature, b"said")


@pytest.mark.parametrize("content", [b"", b"x" * 32, b"precious"])
def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"{path}: there is a signing key already"):
        create_key(path)
    assert path.read_bytes() == content


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="there is a signing key already"):
        create_key(path)
    assert not (tmp_path / "elsewhere").exists()


def test_no_two_keys_are_alike(tmp_path: Path) -> None:
    assert create_key(tmp_path / "a.key") != create_key(tmp_path / "b.key")


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"none\.key: there is no signing key; .*build keygen"):
        read_key(tmp_path / "none.key")


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, b"-----BEGIN PRIVATE KEY-----"])
def test_what_is_no_key_is_refused_without_repeating_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(content)
    with pytest.raises(BundleError) as caught:
        read_key(path)
    assert str(caught.value) == f"{path}: is not an Ed25519 private key of 32 bytes"


def test_a_folder_in_place_of_the_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        read_key(tmp_path)


def test_the_key_lies_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "x.key"))
    assert default_key_path() == tmp_path / "x.key"


def test_without_the_variable_it_lies_outside_every_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    path = default_key_path()
    assert path.parts[-2:] == ("dermascope", "signing.key")
    assert not any((folder / ".git").exists() for folder in path.parents)


def test_what_is_written_is_what_the_device_loads(
    tmp_path: Path, made_manifest: Manifest, made_assessment: Assessment, key: Ed25519PrivateKey
) -> None:
    manifest = signed(made_manifest)
    write_bundle(
        tmp_path / "new" / "bundle", manifest, {"model.tflite": MODEL}, made_assessment, key
    )
    bundle = load_bundle(tmp_path / "new" / "bundle", ["0" * 64, public_key(key)])
    assert bundle.manifest == manifest
    assert bundle.live_model == MODEL
    assert bundle.signed_by == public_key(key)


def test_a_bundle_is_its_five_files_and_nothing_else(
    tmp_path: Path, made_manifest: Manifest, made_assessment: Assessment, key: Ed25519PrivateKey
) -> None:
    manifest = signed(made_manifest)
    write_bundle(tmp_path, manifest, {"model.tflite": MODEL}, made_assessment, key)
    assert {p.name for p in tmp_path.iterdir()} == {
        "model.tflite", "manifest.json", "manifest.sig", "MODEL_CARD.md", "metrics.json"
    }  # fmt: skip
    assert (tmp_path / "MODEL_CARD.md").read_text() == render_card(manifest, made_assessment)
    metrics = msgspec.json.decode((tmp_path / "metrics.json").read_bytes(), type=Assessment)
    assert metrics == made_assessment


def test_the_signature_is_over_the_manifests_very_bytes(
    tmp_path: Path, made_manifest: Manifest, made_assessment: Assessment, key: Ed25519PrivateKey
) -> None:
    write_bundle(tmp_path, signed(made_manifest), {"model.tflite": MODEL}, made_assessment, key)
    content = (tmp_path / "manifest.json").read_bytes()
    key.public_key().verify((tmp_path / "manifest.sig").read_bytes(), content)
    (tmp_path / "manifest.json").write_bytes(content.replace(b"1.2.3", b"1.2.4"))
    with pytest.raises(BundleError, match="is not a signature"):
        load_bundle(tmp_path, [public_key(key)])


def test_an_older_bundle_is_replaced_as_a_whole(
    tmp_path: Path, made_manifest: Manifest, made_assessment: Assessment, key: Ed25519PrivateKey
) -> None:
    write_bundle(tmp_path, signed(made_manifest), {"model.tflite": MODEL}, made_assessment, key)
    newer = msgspec.structs.replace(signed(made_manifest, b"newer"), version="2.0.0")
    write_bundle(tmp_path, newer, {"model.tflite": b"newer"}, made_assessment, key)
    bundle = load_bundle(tmp_path, [public_key(key)])
    assert (bundle.manifest.version, bundle.live_model) == ("2.0.0", b"newer")
    assert len(list(tmp_path.iterdir())) == 5


def test_two_bundles_of_one_model_are_alike_to_the_byte(
    tmp_path: Path, made_manifest: Manifest, made_assessment: Assessment, key: Ed25519PrivateKey
) -> None:
    for name in ("a", "b"):
        write_bundle(
            tmp_path / name, signed(made_manifest), {"model.tflite": MODEL}, made_assessment, key
        )
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_no_private_key_is_in_a_bundle(
    tmp_path: Path, made_manifest: Manifest, made_assessment: Assessment, key: Ed25519PrivateKey
) -> None:
    write_bundle(tmp_path, signed(made_manifest), {"model.tflite": MODEL}, made_assessment, key)
    secret = key.private_bytes_raw()
    for path in tmp_path.iterdir():
        assert secret not in path.read_bytes()
        assert secret.hex().encode() not in path.read_bytes()


def test_the_manifest_is_for_people_to_read_too(
    tmp_path: Path, made_manifest: Manifest, made_assessment: Assessment, key: Ed25519PrivateKey
) -> None:
    write_bundle(tmp_path, signed(made_manifest), {"model.tflite": MODEL}, made_assessment, key)
    text = (tmp_path / "manifest.json").read_text()
    assert text.count("\n") > 50
    assert json.loads(text)["live"]["sha256"] == hashlib.sha256(MODEL).hexdigest()


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Return a copy of the shipped bundle, signed by the project."""
    return shutil.copytree(model_folder(Config()), tmp_path / "shipped")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_device_that_trusts_the_new_key_alone_runs_what_was_signed_again(
    shipped: Path, key: Ed25519PrivateKey
) -> None:
    before = load_bundle(shipped, [PROJECT_KEY])
    with pytest.raises(BundleError):
        load_bundle(shipped, [public_key(key)])
    sign_again(shipped, [PROJECT_KEY], key)
    after = load_bundle(shipped, [public_key(key)])
    assert (after.manifest, after.models) == (before.manifest, before.models)
    assert after.signed_by == public_key(key)
    Analyzer(after)
    with pytest.raises(BundleError, match="by a key that this device trusts"):
        load_bundle(shipped, [PROJECT_KEY])


def test_signing_again_changes_nothing_but_the_signature(
    shipped: Path, key: Ed25519PrivateKey
) -> None:
    before = contents(shipped)
    sign_again(shipped, ["0" * 64, PROJECT_KEY], key)
    after = contents(shipped)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {SIGNATURE_FILE}
    # Whoever holds the new key may do so once more.
    sign_again(shipped, [public_key(key)], key)
    assert contents(shipped) == after


@pytest.mark.parametrize("spoilt", ["untrusted", MANIFEST_FILE, MODEL_FILE, SIGNATURE_FILE])
def test_what_is_not_trusted_or_not_whole_is_not_signed(
    shipped: Path, key: Ed25519PrivateKey, spoilt: str
) -> None:
    trusted = [PROJECT_KEY]
    if spoilt == "untrusted":
        trusted = ["0" * 64, public_key(key)]
    else:
        content = bytearray((shipped / spoilt).read_bytes())
        content[len(content) // 2] ^= 1
        (shipped / spoilt).write_bytes(content)
    before = contents(shipped)
    with pytest.raises(BundleError) as caught:
        sign_again(shipped, trusted, key)
    assert len(str(caught.value).splitlines()) == 1
    assert contents(shipped) == before


def test_sign_command_signs_with_ones_own_key_what_the_device_trusts(
    shipped: Path,
    trusted_key: str,
    command: Callable[..., Done],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = contents(shipped)
    done = command("sign", shipped)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"Signed {shipped} with {trusted_key}\n"
    assert load_bundle(shipped, [trusted_key]).signed_by == trusted_key
    assert contents(shipped) | {SIGNATURE_FILE: before[SIGNATURE_FILE]} == before
    # It is not the project's any more, but whoever signed it may do so again.
    signed_again = contents(shipped)
    assert command("sign", shipped).status == 0
    assert contents(shipped) == signed_again
    # Of another key this machine's settings must say that it is trusted.
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "next.key"))
    create_key(tmp_path / "next.key")
    done = command("sign", shipped)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"dermascope-build: {shipped}: {SIGNATURE_FILE} is not a signature")
    assert done.err.count("\n") == 1
    assert contents(shipped) == signed_again
    settings = tmp_path / "config.toml"
    settings.write_text(f'trusted_keys = ["{trusted_key}"]\n')
    monkeypatch.setenv("DERMASCOPE_CONFIG", str(settings))
    assert command("sign", shipped).status == 0


def test_sign_command_without_a_key_or_a_bundle_says_so(
    shipped: Path,
    trusted_key: str,
    command: Callable[..., Done],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = command("sign", tmp_path / "nowhere")
    assert done.status == 2
    assert "no model bundle here" in done.err
    monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "none.key"))
    before = contents(shipped)
    done = command("sign", shipped)
    assert done.status == 2
    assert "there is no signing key; make one with: dermascope-build keygen" in done.err
    assert contents(shipped) == before
