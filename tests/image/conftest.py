"""The image that `make test-image` has built, and cards that are flashed with it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from build_host.image.commands import run
from build_host.image.tools import Tools, cache_folder
from tests.image.card import Card

BUILT = Path(os.environ.get("DERMASCOPE_IMAGE", "build/image")).resolve()
CARD_BYTES = 5 << 30
"""Larger than the image, so that there is room to grow."""

Flash = Callable[[str], Card]


@pytest.fixture(scope="session")
def tools() -> Tools:
    return Tools(cache_folder())


@pytest.fixture(scope="session")
def shown() -> Path:
    """Where pictures of the screen are kept, for a person to look at."""
    folder = BUILT / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def flash(tmp_path_factory: pytest.TempPathFactory, tools: Tools) -> Flash:
    """Return what flashes a card and lays settings on it, as an integrator does."""

    def flashed(settings: str) -> Card:
        folder = tmp_path_factory.mktemp("card")
        path = folder / "card.img"
        # Most of it is holes.
        run(["cp", "--sparse=always", str(BUILT / "work/dermascope.img"), str(path)])
        os.truncate(path, CARD_BYTES)
        card = Card(path, tools)
        card.write(1, "dermascope.toml", settings.encode())
        return card

    return flashed
