"""Models that a test makes and signs: small changes of the shipped one, which runs as it does."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.config import DEFAULT_MODEL, Config
from device.errors import BundleError
from device.inference.trial import Trial
from device.installation.install import Outcome, install_model
from device.models.archive import pack
from device.models.bundle import MANIFEST_FILE, SIGNATURE_FILE, Bundle
from device.models.chosen import open_bundle
from device.models.installed import models_folder, read_installed
from device.models.manifest import MODEL_FILE
from device.models.release import RELEASE_FILE, RELEASE_SIGNATURE_FILE
from tests.device.bundles import new_key, plain_manifest
from tests.device.clocks import ManualClock

NAME = DEFAULT_MODEL
"""Of the model that ships, which the others are of another version of."""

CLOCK = ManualClock()


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
        """Return a signed bundle's files; the keywords are what its release says beside it."""
        model = self.bundle.live_model if model is None else model
        manifest = plain_manifest(self.bundle) | {"name": name, "version": version}
        manifest["live"]["sha256"] = hashlib.sha256(model).hexdigest()
        content = json.dumps(manifest).encode()
        key = key or self.key
        said = {"manifest_sha256": hashlib.sha256(content).hexdigest(), **release}
        told = json.dumps(said).encode()
        return {
            MODEL_FILE: model,
            MANIFEST_FILE: content,
            SIGNATURE_FILE: key.sign(content),
            RELEASE_FILE: told,
            RELEASE_SIGNATURE_FILE: key.sign(told),
        }

    def archive(self, folder: Path, version: str = "9.0.0", **options: Any) -> Path:
        """Write a bundle as an archive."""
        path = folder / f"{NAME}-{version}.dermascope"
        path.write_bytes(pack(self.files(version, **options)))
        return path


def sound(folder: Path, keys: Sequence[str], threads: int) -> Trial:
    """Stand for a trial that is passed: what it measures is tested by its own tests."""
    return Trial(NAME, 1.0, 100)


def install(source: Path, maker: Maker, state: Path, **options: Any) -> Outcome:
    return install_model(source, maker.config, state, CLOCK, **({"attempt": sound} | options))


def used(maker: Maker, state: Path) -> str:
    return open_bundle(maker.config, state=state).manifest.version


def events(state: Path) -> list[tuple[str, str]]:
    history = read_installed(models_folder(state)).history
    return [(entry.event, entry.model.rpartition(" ")[2]) for entry in history]


def kept(state: Path) -> list[str]:
    """Return the names of the folders that are left, without what tells contents apart."""
    folders = (path for path in models_folder(state).iterdir() if path.is_dir())
    return sorted(path.name.rpartition("-")[0] or path.name for path in folders)


def refusal(source: Path, maker: Maker, state: Path, **options: Any) -> str:
    before = read_installed(models_folder(state)).current
    with pytest.raises(BundleError) as caught:
        install(source, maker, state, **options)
    assert read_installed(models_folder(state)).current == before
    assert not (models_folder(state) / ".incoming").exists()
    return str(caught.value)
