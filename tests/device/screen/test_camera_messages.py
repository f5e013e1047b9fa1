"""No message of a camera, or of any other source, reaches the screen untranslated."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from pygame import Surface

import device
from device.capture.sources import open_source
from device.language import LANGUAGES, Language, translations
from device.models.manifest import Manifest
from device.runtime.analysis import FAILED as ANALYSIS_FAILED
from device.runtime.analysis import NOT_KEPT
from device.runtime.camera import FAILED as CAMERA_FAILED
from device.screen.renderer import Renderer
from device.screen.view import LiveView, TroubleView
from device.screen.wording import sentence

OTHERS: list[Language] = [language for language in LANGUAGES if language != "en"]
SHOWN = ("SourceError", "RecordError", "ScreenError")
SIZES = [(800, 480), (1024, 600), (480, 800), (600, 1024)]


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Yield every place in the code where an error that may be shown is made."""
    for path in sorted(Path(device.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SHOWN:
                yield f"{path.name}:{node.lineno}", node


RAISED = dict(raised())
CAMERAS = {at: call for at, call in RAISED.items() if getattr(call.func, "id", "") == "SourceError"}


def words_of(call: ast.Call) -> str:
    """Return a message as it stands in the code; empty where it is put together there."""
    first = call.args[0] if call.args else None
    return str(first.value) if isinstance(first, ast.Constant) else ""


WORDS = sorted(
    {words_of(call) for call in RAISED.values()} - {""} | {ANALYSIS_FAILED, CAMERA_FAILED, NOT_KEPT}
)


def test_the_messages_are_found() -> None:
    assert len(CAMERAS) > 30
    assert "the camera was unplugged; plug it in again" in WORDS


@pytest.mark.parametrize("at", CAMERAS)
def test_message_is_written_whole_so_that_it_can_be_translated(at: str) -> None:
    call = CAMERAS[at]
    assert words_of(call), "what differs from case to case belongs into where, detail or {places}"
    for given in call.keywords:
        prose = isinstance(given.value, ast.Constant) and given.arg not in ("where", "detail")
        assert not prose, f"{given.arg} would stand in the sentence as it is"
    places = {name for _, name, _, _ in string.Formatter().parse(words_of(call)) if name}
    assert places == {str(k.arg) for k in call.keywords} - {"where", "detail"}


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("words", WORDS)
def test_message_is_translated(words: str, language: Language) -> None:
    assert translations(language).translate(words) != words


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_message_is_shown_whole_in_the_clinicians_language(
    manifest: Manifest, drawn: list[str], size: tuple[int, int], language: Language
) -> None:
    renderer, surface = Renderer(size, manifest), Surface(size)
    for words in WORDS:
        places = [name for _, name, _, _ in string.Formatter().parse(words) if name]
        values = dict.fromkeys(places, "1080")
        drawn.clear()
        renderer.draw(surface, LiveView(None))
        renderer.draw(
            surface, TroubleView(words, LiveView(None), "/dev/video0", values, language=language)
        )
        said = " ".join(drawn)
        assert sentence(translations(language).translate(words, **values)) in said
        assert "…" not in said


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize(
    "setting", ["demo", "replay:PHOTO", "replay:http://127.0.0.1:1/", "picamera-standin", "usb"]
)
def test_source_is_named_in_the_clinicians_language(
    manifest: Manifest, drawn: list[str], photo: Path, setting: str, language: Language
) -> None:
    with open_source(setting.replace("PHOTO", str(photo))) as source:
        name = source.name
    assert translations(language).translate(name) != name
    view = LiveView(None, source=name, language=language)
    Renderer((1024, 600), manifest).draw(Surface((1024, 600)), view)
    assert any(translations(language).translate(name) in words.split("   ") for words in drawn)
