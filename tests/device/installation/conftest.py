"""Whoever makes models, and the device that they are installed on."""

from pathlib import Path

import pytest

from device.models.bundle import Bundle
from tests.device.installation.models import Maker


@pytest.fixture
def maker(bundle: Bundle) -> Maker:
    return Maker(bundle)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"
