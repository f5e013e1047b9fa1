"""Bundles that a test signs itself."""

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.inference.analyzer import Analyzer
from device.models.bundle import (
    MANIFEST_FILE,
    MODEL_FILE,
    SIGNATURE_FILE,
    Bundle,
    load_bundle,
)


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


def analyzer_with(bundle: Bundle, folder: Path, **sections: dict[str, Any]) -> Analyzer:
    """Return an analyzer of the shipped model with parts of its manifest changed."""
    manifest = json.loads((bundle.folder / MANIFEST_FILE).read_bytes())
    for name, change in sections.items():
        manifest[name] |= change
    return Analyzer(load_bundle(folder, (write_bundle(folder, manifest, bundle.model),)))
