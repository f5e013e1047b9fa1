from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
from pygame import Surface

from build_host.bundle.classes import classes_of
from build_host.datasets.sources import SourceName
from device.config import Config, model_folder
from device.diagnoses import CODES
from device.language import LANGUAGES
from device.models.bundle import load_bundle
from device.screen import theme
from device.screen.display import close_screen, open_offscreen
from device.screen.renderer import Renderer
from tests.device.screen.test_fitting import SIZES, every_view

SOURCES: list[list[SourceName]] = [["ham10000"], ["ham10000", "bcn20000"]]


@pytest.fixture(autouse=True)
def _display() -> Iterator[None]:
    open_offscreen((640, 480))
    yield
    close_screen()


@pytest.mark.parametrize("sources", SOURCES, ids=str)
def test_every_diagnosis_is_named_in_every_language(sources: list[SourceName]) -> None:
    classes = classes_of(sources)
    assert tuple(c.code for c in classes) == CODES
    assert all(c.names.keys() == LANGUAGES.keys() for c in classes)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sources", SOURCES, ids=str)
def test_names_have_room_on_the_smallest_screen(
    sources: list[SourceName], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config()
    shipped = load_bundle(model_folder(config), config.trusted_keys).manifest
    manifest = msgspec.structs.replace(shipped, classes=classes_of(sources))
    drawn: list[str] = []
    text = theme.Fonts.text

    def spy(self: theme.Fonts, said: str, *rest: object, **more: object) -> Surface:
        drawn.append(said)
        return text(self, said, *rest, **more)

    monkeypatch.setattr(theme.Fonts, "text", spy)
    for size in SIZES:
        renderer, surface = Renderer(size, manifest), Surface(size)
        for view in every_view():
            renderer.draw(surface, replace(view, language=language))
    cut = {words for words in drawn if words.endswith("…") and "d17d3dc7" not in words}
    assert cut <= {"P-0047 …"}
