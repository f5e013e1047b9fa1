from collections.abc import Iterator

import pytest

from device.screen.display import close_screen, open_nowhere


@pytest.fixture(scope="module", autouse=True)
def _display() -> Iterator[None]:
    """Pictures of text need an open screen, if only one that nobody sees."""
    open_nowhere((640, 480))
    yield
    close_screen()
