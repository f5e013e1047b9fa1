"""Bundles that a test signs itself."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.diagnoses import CODES
from device.imaging.quality import QualityLimits
from device.inference.analyzer import Analyzer
from device.models.bundle import (
    MANIFEST_FILE,
    SIGNATURE_FILE,
    Bundle,
    load_bundle,
)
from device.models.manifest import MODEL_FILE
from device.models.network_spec import NetworkSpec
from tests.device.models.case_mixes import without_case_mixes

NO_LIMITS = QualityLimits(
    focus_min=0.0,
    exposure_min=0.0,
    exposure_max=1.0,
    glare_max=1.0,
    coverage_min=0.0,
    side_min=1,
    derived_from="this test",
)


def new_key() -> tuple[Ed25519PrivateKey, str]:
    """Return a fresh key, and its public half as a device is told it."""
    key = Ed25519PrivateKey.generate()
    return key, key.public_key().public_bytes_raw().hex()


def write_bundle(folder: Path, manifest: dict[str, Any], model: bytes) -> str:
    """Write a bundle of one network that is correctly hashed and signed; return the key to trust.

    Parameters
    ----------
    manifest
        Of schema version 2.
    """
    live = manifest["live"] | {"sha256": hashlib.sha256(model).hexdigest()}
    return sign_bundle(folder, manifest | {"live": live}, {MODEL_FILE: model})


def sign_bundle(folder: Path, manifest: dict[str, Any], models: dict[str, bytes]) -> str:
    """Write a manifest as it is, its signature and model files; return the key to trust."""
    key, public = new_key()
    content = json.dumps(manifest).encode()
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        (folder / name).write_bytes(model)
    (folder / MANIFEST_FILE).write_bytes(content)
    (folder / SIGNATURE_FILE).write_bytes(key.sign(content))
    return public


def plain_manifest(bundle: Bundle) -> dict[str, Any]:
    """Return the manifest of a bundle's live network alone as version 2 is, to be changed."""
    plain: dict[str, Any] = json.loads(msgspec.json.encode(one_network(bundle).manifest))
    return plain


def one_network(bundle: Bundle) -> Bundle:
    """Return a bundle with the live network alone, which then answers for every picture."""
    manifest = msgspec.structs.replace(bundle.manifest, captured=None, similar_cases=None)
    return replace(bundle, manifest=manifest, models={MODEL_FILE: bundle.live_model})


def calling(bundle: Bundle) -> Bundle:
    """Return a bundle that makes a call of every picture, and excludes no diagnosis."""

    def read_so(network: NetworkSpec) -> NetworkSpec:
        change = msgspec.structs.replace
        return change(
            network,
            conformal=change(network.conformal, thresholds=(0.0,) * len(CODES)),
            abstention=change(
                network.abstention,
                uncertain_below=0.0,
                unfamiliar_below=None,
                not_dermoscopic_below=None,
                unstable_below=None,
            ),
            case_mixes=(),
        )

    manifest = bundle.manifest
    captured = manifest.captured
    return replace(
        bundle,
        manifest=msgspec.structs.replace(
            manifest,
            live=read_so(manifest.live),
            captured=captured and read_so(captured),
            quality=NO_LIMITS,
            case_mix="",
        ),
    )


def analyzer_with(bundle: Bundle, folder: Path, **sections: dict[str, Any]) -> Analyzer:
    """Return an analyzer of the shipped model with parts of its live network changed."""
    manifest = without_case_mixes(plain_manifest(bundle))
    for name, change in sections.items():
        manifest["live"][name] |= change
    return Analyzer(load_bundle(folder, (write_bundle(folder, manifest, bundle.live_model),)))
