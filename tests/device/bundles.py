"""Bundles that a test signs itself."""

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.inference.bundle import MANIFEST_FILE, MODEL_FILE, SIGNATURE_FILE


def new_key() -> tuple[Ed25519PrivateKey, str]:
    """Return a fresh key, and its public half as a device is told it."""
    key = Ed25519PrivateKey.generate()
    return key, key.public_key().public_bytes_raw().hex()


def write_bundle(folder: Path, manifest: dict[str, Any], model: bytes) -> str:
    """Write a bundle that is correctly hashed and signed; return the key to trust."""
    key, public = new_key()
    manifest = manifest | {"model_sha256": hashlib.sha256(model).hexdigest()}
    content = json.dumps(manifest).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(model)
    (folder / MANIFEST_FILE).write_bytes(content)
    (folder / SIGNATURE_FILE).write_bytes(key.sign(content))
    return public
