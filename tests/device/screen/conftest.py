from collections.abc import Iterator

import msgspec
import pytest
from pygame import Surface

from device.models.bundle import Bundle
from device.models.manifest import Manifest
from device.screen import theme
from device.screen.display import close_screen, open_offscreen
from tests.device.bundles import plain_manifest
from tests.device.models.case_mixes import with_case_mixes, without_case_mixes
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
    plain = msgspec.to_builtins(manifest)
    for name in ("live", "captured"):
        for read in (plain[name], *plain[name]["case_mixes"]):
            read["operating_points"] = ()
    return msgspec.convert(plain, Manifest)


@pytest.fixture(scope="session")
def mixed(bundle: Bundle) -> Manifest:
    """The shipped manifest, read for a screening practice or a skin cancer clinic."""
    return msgspec.convert(with_case_mixes(plain_manifest(bundle)), Manifest)


@pytest.fixture(scope="session")
def unmixed(bundle: Bundle) -> Manifest:
    """The same, read for no practice by name."""
    return msgspec.convert(without_case_mixes(plain_manifest(bundle)), Manifest)


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
