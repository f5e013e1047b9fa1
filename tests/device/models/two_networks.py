"""A bundle with a network for the live view and another for captured pictures."""

from pathlib import Path
from typing import Any

from device.config import Config, model_folder
from device.models.bundle import Bundle, load_bundle
from device.models.manifest import CAPTURED_FILE, MODEL_FILE
from tests.device.bundles import plain_manifest, sign_bundle
from tests.device.models.case_mixes import without_case_mixes


def shipped_bundle(name: str) -> Bundle:
    """Return one of the bundles that are shipped, by its folder's name."""
    config = Config()
    return load_bundle(model_folder(config).with_name(name), config.trusted_keys)


def two_networks(live: Bundle, captured: Bundle) -> dict[str, Any]:
    """Return the manifest of one bundle, with the network of another for captured pictures.

    For no practice by name.
    """
    manifest = plain_manifest(live)
    manifest["captured"] = plain_manifest(captured)["live"] | {"file": CAPTURED_FILE}
    return without_case_mixes(manifest)


def sign_two_networks(
    folder: Path, manifest: dict[str, Any], live: Bundle, captured: Bundle
) -> str:
    """Write a manifest as it is, with both model files; return the key to trust."""
    models = {MODEL_FILE: live.live_model, CAPTURED_FILE: captured.live_model}
    return sign_bundle(folder, manifest, models)
