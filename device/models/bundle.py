"""A model bundle on disk: trusted only when its signature and its hash hold."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from device.errors import BundleError, UntrustedError
from device.language import translatable
from device.models.manifest import MODEL_FILE, Manifest
from device.models.manifest_versions import decode_manifest
from device.models.release import LIMIT, RELEASE_FILE, RELEASE_SIGNATURE_FILE, Release

MANIFEST_FILE: Final = "manifest.json"
SIGNATURE_FILE: Final = "manifest.sig"

_MODEL_LIMIT: Final = 64 << 20
_MANIFEST_LIMIT: Final = 1 << 20
_SIGNATURE_LIMIT: Final = 64


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose signature and hash were found to hold.

    Attributes
    ----------
    folder
        Where it was read from.
    manifest
        Its manifest.
    models
        The bytes of its ``.tflite`` files by name, the very ones that were hashed.
    signed_by
        The trusted public key (hexadecimal) that its signature belongs to.
    similar_cases
        The bytes of its index of similar cases; empty where it has none.
    release
        What its maker says of it beside the manifest, where that is there.
    compiled
        By a network's SHA-256, the bytes of what was made of it for an Edge TPU.
    """

    folder: Path
    manifest: Manifest
    models: Mapping[str, bytes] = field(repr=False)
    signed_by: str
    similar_cases: bytes = field(default=b"", repr=False)
    release: Release | None = None
    compiled: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def with_case_mix(self, name: str) -> "Bundle":
        """Return the bundle as it is read in a practice with this case mix.

        Raises
        ------
        device.errors.BundleError
            If it is not calibrated for it.
        """
        try:
            return replace(self, manifest=self.manifest.with_case_mix(name))
        except ValueError:
            raise BundleError(
                "the bundle is not calibrated for the case mix {case_mix}, only for {known}",
                action=translatable("change the setting case_mix or install another bundle"),
                where=str(self.folder),
                case_mix=repr(name),
                known=", ".join(self.manifest.case_mixes) or "none by name",
            ) from None

    @property
    def live_model(self) -> bytes:
        """The bytes of the live network's model file."""
        return self.models[self.manifest.live.file]


def load_bundle(folder: Path, trusted_keys: Iterable[str]) -> Bundle:
    """Read and verify a bundle.

    The signature covers the manifest's bytes; the manifest covers the bytes of every model file by
    their SHA-256. Nothing of either is parsed before it has been verified.

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
    trusted_keys = tuple(trusted_keys)
    manifest_bytes = _read(folder, MANIFEST_FILE, _MANIFEST_LIMIT)
    signature = _read(folder, SIGNATURE_FILE, _SIGNATURE_LIMIT)
    signed_by = _signer(folder, manifest_bytes, signature, trusted_keys)
    manifest = parse_manifest(folder, manifest_bytes)
    models = {n.file: _read_signed(folder, n.file, n.sha256) for n in manifest.networks}
    cases = manifest.similar_cases
    index = _read_signed(folder, cases.file, cases.sha256) if cases else b""
    release = _read_release(folder, manifest_bytes, trusted_keys)
    compiled = {}
    if release is not None:
        for network, name in release.compiled.items():
            compiled[network] = _read_signed(folder, name, release.files[name])
    return Bundle(folder, manifest, models, signed_by, index, release, compiled)


def parse_manifest(folder: Path, manifest_bytes: bytes) -> Manifest:
    """Return the manifest in `manifest_bytes`.

    Raises
    ------
    device.errors.BundleError
        If it is not a manifest of a schema version that this program reads.
    """
    try:
        return decode_manifest(manifest_bytes)
    except (ValueError, RecursionError) as error:
        raise _not_understood(folder, MANIFEST_FILE, error) from None


def _read_release(
    folder: Path, manifest_bytes: bytes, trusted_keys: Iterable[str]
) -> Release | None:
    if not (folder / RELEASE_FILE).exists():
        return None
    content = _read(folder, RELEASE_FILE, LIMIT)
    signature = _read(folder, RELEASE_SIGNATURE_FILE, _SIGNATURE_LIMIT)
    _signer(folder, content, signature, trusted_keys, RELEASE_FILE, RELEASE_SIGNATURE_FILE)
    try:
        release = msgspec.json.decode(content, type=Release)
    except (ValueError, RecursionError) as error:
        raise _not_understood(folder, RELEASE_FILE, error) from None
    if release.manifest_sha256 != hashlib.sha256(manifest_bytes).hexdigest():
        raise BundleError(
            "{file} is about another bundle",
            action=translatable("install the bundle again"),
            where=str(folder),
            file=RELEASE_FILE,
        )
    return release


def _read_signed(folder: Path, name: str, sha256: str) -> bytes:
    content = _read(folder, name, _MODEL_LIMIT)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BundleError(
            "{file} is not the file that was signed (its SHA-256 differs)",
            action=translatable("install the bundle again"),
            where=str(folder),
            file=name,
        )
    return content


def _read(folder: Path, name: str, limit: int) -> bytes:
    path = folder / name
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        if name not in (MANIFEST_FILE, SIGNATURE_FILE):
            raise BundleError(
                "the bundle is incomplete ({file} is missing)",
                action=translatable("install the bundle again"),
                where=str(folder),
                file=name,
            ) from None
        raise BundleError(
            "no model bundle here ({file} is missing)",
            action=translatable("name a folder that holds {model}, {manifest} and {signature}"),
            where=str(folder),
            file=name,
            model=MODEL_FILE,
            manifest=MANIFEST_FILE,
            signature=SIGNATURE_FILE,
        ) from None
    except OSError as error:
        raise BundleError(
            "{file} cannot be read",
            action=translatable("install the bundle again"),
            where=str(folder),
            detail=error.strerror or "",
            file=name,
        ) from None
    if len(content) > limit:
        raise BundleError(
            "{file} is larger than the limit of {limit} bytes",
            action=translatable("install the bundle again"),
            where=str(folder),
            file=name,
            limit=limit,
        )
    return content


def _not_understood(folder: Path, name: str, error: Exception) -> BundleError:
    return BundleError(
        "{file} cannot be understood",
        action=translatable("take a bundle that fits this version of the program"),
        where=str(folder),
        detail=str(error),
        file=name,
    )


def _signer(
    folder: Path,
    content: bytes,
    signature: bytes,
    trusted_keys: Iterable[str],
    name: str = MANIFEST_FILE,
    signature_name: str = SIGNATURE_FILE,
) -> str:
    for key in trusted_keys:
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, content)
        except InvalidSignature:
            continue
        return key
    raise UntrustedError(
        "{signature} is not a signature of {file} by a key that this device trusts",
        action=translatable(
            "the bundle was altered, or its maker's key is missing from trusted_keys"
        ),
        where=str(folder),
        signature=signature_name,
        file=name,
    )
