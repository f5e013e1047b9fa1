"""What tests ask of manifests."""

import json
from pathlib import Path
from typing import Any

import pytest

from device.errors import BundleError
from device.models.bundle import MANIFEST_FILE, parse_manifest
from device.models.manifest import Manifest

FOLDER = Path("some-bundle")


def section(plain: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    part: Any = plain
    for key in path:
        part = part[key]
    return part


def refusal(manifest: object) -> str:
    with pytest.raises(BundleError) as caught:
        parse_manifest(FOLDER, json.dumps(manifest).encode())
    message = str(caught.value)
    assert message.startswith(f"{FOLDER}: {MANIFEST_FILE} ")
    assert len(message.splitlines()) == 1
    return message


def read(manifest: object) -> Manifest:
    return parse_manifest(FOLDER, json.dumps(manifest).encode())
