"""A model bundle on disk: trusted only when its signature and its hash hold."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from device.errors import BundleError
from device.models.manifest import SCHEMA_VERSION, Manifest

MODEL_FILE: Final = "model.tflite"
MANIFEST_FILE: Final = "manifest.json"
SIGNATURE_FILE: Final = "manifest.sig"
CARD_FILE: Final = "MODEL_CARD.md"
METRICS_FILE: Final = "metrics.json"

_LIMITS: Final = {MODEL_FILE: 64 << 20, MANIFEST_FILE: 1 << 20, SIGNATURE_FILE: 64}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose signature and hash were found to hold.

    Attributes
    ----------
    folder
        Where it was read from.
    manifest
        Its manifest.
    model
        The bytes of its ``.tflite`` file, the very ones that were hashed.
    signed_by
        The trusted public key (hexadecimal) that its signature belongs to.
    """

    folder: Path
    manifest: Manifest
    model: bytes
    signed_by: str


def load_bundle(folder: Path, trusted_keys: Iterable[str]) -> Bundle:
    """Read and verify a bundle.

    The signature covers the manifest's bytes; the manifest covers the model's bytes by their
    SHA-256. Nothing of either is parsed before it has been verified.

    Parameters
    ----------
    folder
        The bundle's folder.
    trusted_keys
        Ed25519 public keys, each 64 hexadecimal digits, that this device trusts.

    Raises
    ------
    device.errors.BundleError
        If a file is missing, the signature does not hold, the model was altered, or the manifest
        cannot be understood: each with its own message.
    """
    manifest_bytes = _read(folder, MANIFEST_FILE)
    signature = _read(folder, SIGNATURE_FILE)
    model = _read(folder, MODEL_FILE)
    signed_by = _signer(folder, manifest_bytes, signature, trusted_keys)
    manifest = parse_manifest(folder, manifest_bytes)
    if hashlib.sha256(model).hexdigest() != manifest.model_sha256:
        raise BundleError(
            f"{folder}: {MODEL_FILE} is not the file that was signed (its SHA-256 differs); "
            "install the bundle again"
        )
    return Bundle(folder, manifest, model, signed_by)


def parse_manifest(folder: Path, manifest_bytes: bytes) -> Manifest:
    """Return the manifest in `manifest_bytes`.

    Raises
    ------
    device.errors.BundleError
        If it is not a manifest of the schema version that this program reads.
    """
    try:
        version = msgspec.json.decode(manifest_bytes, type=dict[str, msgspec.Raw]).get(
            "schema_version"
        )
        if version is not None and bytes(version) != str(SCHEMA_VERSION).encode():
            raise BundleError(
                f"{folder}: {MANIFEST_FILE} has schema version {bytes(version).decode()}; this "
                f"program reads {SCHEMA_VERSION}: use the release that the bundle was made for"
            )
        return msgspec.json.decode(manifest_bytes, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{folder}: {MANIFEST_FILE} cannot be understood: {error}") from None


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        with path.open("rb") as file:
            content = file.read(_LIMITS[name] + 1)
    except FileNotFoundError:
        raise BundleError(
            f"{folder}: no model bundle here ({name} is missing); name a folder that holds "
            f"{MODEL_FILE}, {MANIFEST_FILE} and {SIGNATURE_FILE}"
        ) from None
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > _LIMITS[name]:
        raise BundleError(f"{path}: is larger than the limit of {_LIMITS[name]} bytes")
    return content


def _signer(
    folder: Path, manifest_bytes: bytes, signature: bytes, trusted_keys: Iterable[str]
) -> str:
    for key in trusted_keys:
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, manifest_bytes)
        except InvalidSignature:
            continue
        return key
    raise BundleError(
        f"{folder}: {SIGNATURE_FILE} is not a signature of {MANIFEST_FILE} by a key that this "
        "device trusts; the bundle was altered, or its maker's key is missing from trusted_keys"
    )
