from typing import Any

import pytest

from device.models.bundle import Bundle
from tests.device.bundles import plain_manifest
from tests.device.models.two_networks import shipped_bundle, two_networks


@pytest.fixture
def plain(bundle: Bundle) -> dict[str, Any]:
    """The shipped manifest as plain JSON of the version that is written."""
    return plain_manifest(bundle)


@pytest.fixture
def both(bundle: Bundle) -> dict[str, Any]:
    """A manifest of two networks."""
    return two_networks(bundle, shipped_bundle("paper-28"))
