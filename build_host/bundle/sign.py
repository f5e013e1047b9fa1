"""Signing and writing a bundle, and the keys for that."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import platformdirs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from build_host.bundle.edge_tpu import READINESS_FILE
from build_host.evaluation.assessment import Assessment
from build_host.files import write_file
from build_host.reporting.model_card import render_card
from build_host.results import to_json
from build_host.run_folder import METRICS_FILE
from device.errors import BundleError
from device.models.bundle import MANIFEST_FILE, SIGNATURE_FILE, load_bundle
from device.models.manifest import Manifest
from device.models.release import RELEASE_FILE, RELEASE_SIGNATURE_FILE

KEY_VARIABLE: Final = "DERMASCOPE_SIGNING_KEY"
CARD_FILE: Final = "MODEL_CARD.md"


def default_key_path() -> Path:
    """Return where the signing key is kept: outside every repository."""
    path = os.environ.get(KEY_VARIABLE)
    return Path(path) if path else platformdirs.user_config_path("dermascope") / "signing.key"


def create_key(path: Path) -> str:
    """Write a new Ed25519 private key, readable by its owner alone, and return its public key.

    Raises
    ------
    device.errors.BundleError
        If there is a file already; a key is never overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BundleError(
            f"{path}: there is a signing key already; name another path with {KEY_VARIABLE}"
        ) from None
    with os.fdopen(handle, "wb") as file:
        file.write(key.private_bytes_raw())
    return public_key(key)


def read_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key in a file.

    Raises
    ------
    device.errors.BundleError
        If there is none, or it is not 32 bytes long.
    """
    try:
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except FileNotFoundError:
        raise BundleError(
            f"{path}: there is no signing key; make one with: dermascope-build keygen"
        ) from None
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError:
        raise BundleError(f"{path}: is not an Ed25519 private key of 32 bytes") from None


def public_key(key: Ed25519PrivateKey) -> str:
    """Return the public key as devices list it under ``trusted_keys``: 64 hexadecimal digits."""
    return key.public_key().public_bytes_raw().hex()


def sign_again(folder: Path, trusted_keys: Iterable[str], key: Ed25519PrivateKey) -> None:
    """Sign a bundle that is trusted with another key; nothing else of it changes.

    Raises
    ------
    device.errors.BundleError
        If the bundle is not whole, or not signed by a key that is trusted.
    """
    load_bundle(folder, trusted_keys)
    for name, signature in (
        (MANIFEST_FILE, SIGNATURE_FILE),
        (RELEASE_FILE, RELEASE_SIGNATURE_FILE),
    ):
        if (folder / name).exists():
            write_file(folder / signature, key.sign((folder / name).read_bytes()))


def write_bundle(
    folder: Path,
    manifest: Manifest,
    files: Mapping[str, bytes],
    assessment: Assessment,
    key: Ed25519PrivateKey,
    sections: Sequence[str] = (),
    first: Sequence[str] = (),
) -> None:
    """Sign and write a bundle.

    Parameters
    ----------
    folder
        Made where it does not exist; the files of an older bundle in it are replaced.
    manifest, files
        The manifest, and the bytes of every model file that it names.
    assessment
        What was measured, for the card and ``metrics.json``.
    key
        Signs the manifest's bytes.
    sections, first
        See `build_host.reporting.model_card.render_card`.
    """
    manifest_bytes = to_json(manifest)
    contents = {
        **files,
        MANIFEST_FILE: manifest_bytes,
        SIGNATURE_FILE: key.sign(manifest_bytes),
        METRICS_FILE: to_json(assessment),
        CARD_FILE: render_card(manifest, assessment, sections, first).encode(),
    }
    # What was said of an older bundle is not about this one.
    for name in (RELEASE_FILE, RELEASE_SIGNATURE_FILE, READINESS_FILE):
        (folder / name).unlink(missing_ok=True)
    for name, content in contents.items():
        write_file(folder / name, content)
