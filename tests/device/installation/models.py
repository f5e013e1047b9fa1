"""Models that a test makes and signs: small changes of the shipped one, which runs as it does."""

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.config import DEFAULT_MODEL, Config
from device.models.archive import pack
from device.models.bundle import MANIFEST_FILE, SIGNATURE_FILE, Bundle
from device.models.manifest import MODEL_FILE
from device.models.release import RELEASE_FILE, RELEASE_SIGNATURE_FILE
from tests.device.bundles import new_key, plain_manifest

NAME = DEFAULT_MODEL
"""Of the model that ships, which the others are of another version of."""


class Maker:
    """Makes bundles, and the settings of a device that trusts them."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.key, self.public = new_key()

    @property
    def config(self) -> Config:
        return Config(trusted_keys=(*Config().trusted_keys, self.public))

    def files(
        self,
        version: str = "9.0.0",
        name: str = NAME,
        model: bytes | None = None,
        key: Ed25519PrivateKey | None = None,
        **release: Any,
    ) -> dict[str, bytes]:
        """Return a signed bundle's files; with keywords, a signed release beside the manifest."""
        model = self.bundle.live_model if model is None else model
        manifest = plain_manifest(self.bundle) | {"name": name, "version": version}
        manifest["live"]["sha256"] = hashlib.sha256(model).hexdigest()
        content = json.dumps(manifest).encode()
        key = key or self.key
        files = {MODEL_FILE: model, MANIFEST_FILE: content, SIGNATURE_FILE: key.sign(content)}
        if release:
            said = {"manifest_sha256": hashlib.sha256(content).hexdigest(), **release}
            told = json.dumps(said).encode()
            files |= {RELEASE_FILE: told, RELEASE_SIGNATURE_FILE: key.sign(told)}
        return files

    def archive(self, folder: Path, version: str = "9.0.0", **options: Any) -> Path:
        """Write a bundle as an archive."""
        path = folder / f"{NAME}-{version}.dermascope"
        path.write_bytes(pack(self.files(version, **options)))
        return path
