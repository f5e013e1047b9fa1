"""A bundle with a network for the live view and another for captured pictures."""

from pathlib import Path
from typing import Any, Final

from device.config import Config, model_folder
from device.models.bundle import Bundle, load_bundle
from device.models.manifest import MODEL_FILE
from tests.device.bundles import plain_manifest, sign_bundle

CAPTURED_FILE: Final = "captured.tflite"


def shipped_bundle(name: str) -> Bundle:
    """Return one of the bundles that are shipped, by its folder's name."""
    config = Config()
    return load_bundle(model_folder(config).with_name(name), config.trusted_keys)


def two_networks(live: Bundle, captured: Bundle) -> dict[str, Any]:
    """Return the manifest of one bundle, with the network of another for captured pictures."""
    manifest = plain_manifest(live)
    manifest["captured"] = plain_manifest(captured)["live"] | {"file": CAPTURED_FILE}
    return manifest


def sign_two_networks(
    folder: Path, manifest: dict[str, Any], live: Bundle, captured: Bundle
) -> str:
    """Write a manifest as it is, with both model files; return the key to trust."""
    models = {MODEL_FILE: live.live_model, CAPTURED_FILE: captured.live_model}
    return sign_bundle(folder, manifest, models)
