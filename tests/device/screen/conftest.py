from collections.abc import Iterator

import msgspec
import pytest
from pygame import Surface

from device.models.manifest import Manifest
from device.screen import theme
from device.screen.display import close_screen, open_offscreen
from tests.device.screen.drawing import SIZES, Size


@pytest.fixture(scope="module", autouse=True)
def _display() -> Iterator[None]:
    """Pictures of text need an open screen, if only one that nobody sees."""
    open_offscreen((640, 480))
    yield
    close_screen()


@pytest.fixture(params=SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def size(request: pytest.FixtureRequest) -> Size:
    return request.param


@pytest.fixture(scope="session")
def unmarked(manifest: Manifest) -> Manifest:
    """The shipped manifest without operating points: bars without ticks."""
    live = msgspec.structs.replace(manifest.live, operating_points=())
    return msgspec.structs.replace(manifest, live=live)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect every text as it is drawn at last."""
    words: list[str] = []
    text = theme.Fonts.text

    def spy(self: theme.Fonts, said: str, *rest: object, **more: object) -> Surface:
        words.append(said)
        return text(self, said, *rest, **more)

    monkeypatch.setattr(theme.Fonts, "text", spy)
    yield words
