"""No message of a camera, or of any other source, reaches the screen untranslated."""

import ast
import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pygame import Surface

import device
from device.capture.sources import open_source
from device.faults import Fault
from device.instrument import CLOCK_NOT_SET, SET_THE_CLOCK
from device.language import LANGUAGES, Language, translations
from device.models.manifest import Manifest
from device.platform.clock import Clock
from device.runtime.analysis import FAILED as ANALYSIS_FAILED
from device.runtime.analysis import NOT_JUDGED
from device.runtime.camera import FAILED as CAMERA_FAILED
from device.runtime.health import RESTART_AND_REPORT
from device.runtime.recorder import (
    COPY_AND_CHECK,
    DAMAGED,
    LITTLE_ROOM,
    MAKE_ROOM,
    NOT_KEPT,
    NOT_READ,
    NOT_SAVED,
)
from device.screen.pages.fault import FaultView
from device.screen.renderer import Renderer
from device.screen.view import LiveView
from device.screen.wording import Wording

OTHERS = [language for language in Language if language != Language.ENGLISH]
CAMERA_ERRORS = ("SourceError", "UnexpectedSourceError")
SHOWN = (*CAMERA_ERRORS, "RecordError", "ScreenError")
SIZES = [(800, 480), (1024, 600), (480, 800), (600, 1024)]
UNEXPECTED = (ANALYSIS_FAILED, NOT_JUDGED, CAMERA_FAILED, NOT_KEPT, NOT_READ, NOT_SAVED)
NOTICES = (
    Fault(CLOCK_NOT_SET, SET_THE_CLOCK),
    Fault(DAMAGED, COPY_AND_CHECK),
    Fault(LITTLE_ROOM, MAKE_ROOM),
    Fault("the calibration is damaged, and no length is shown in millimetres", "calibrate again"),
    Fault(
        "the calibration cannot be read, and no length is shown in millimetres",
        "calibrate again, or check who may read the file",
    ),
)
NOT_A_VALUE = {"action", "where", "detail"}


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Yield every place in the code where an error that may be shown is made."""
    for path in sorted(Path(device.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SHOWN:
                yield f"{path.name}:{node.lineno}", node


def written(node: ast.expr | None) -> str:
    """Return words as they stand in the code; empty where they are put together there."""
    return str(node.value) if isinstance(node, ast.Constant) else ""


def message_of(call: ast.Call) -> str:
    return written(call.args[0] if call.args else None)


def action_of(call: ast.Call) -> str:
    """Return what to do, where the catalogues are told of it."""
    for given in call.keywords:
        marked = isinstance(given.value, ast.Call) and ast.unparse(given.value.func)
        if given.arg == "action" and marked == "translatable":
            return written(given.value.args[0])
    return ""


def places(fault: Fault) -> set[str]:
    text = f"{fault.message} {fault.action}"
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


RAISED = dict(raised())
CAMERAS = {at: call for at, call in RAISED.items() if getattr(call.func, "id", "") in CAMERA_ERRORS}
EXPECTED = {(message_of(call), action_of(call)) for call in RAISED.values() if message_of(call)}
FAULTS = [
    *(Fault(message, action) for message, action in sorted(EXPECTED)),
    *(Fault(message, RESTART_AND_REPORT) for message in UNEXPECTED),
    *NOTICES,
]
WORDS = sorted({words for fault in FAULTS for words in (fault.message, fault.action)} - {""})


def test_the_messages_are_found() -> None:
    assert len(CAMERAS) > 30
    assert Fault("the camera was unplugged", "plug it in again") in FAULTS


@pytest.mark.parametrize("at", CAMERAS)
def test_message_is_written_whole_so_that_it_can_be_translated(at: str) -> None:
    call = CAMERAS[at]
    assert message_of(call), "what differs from case to case belongs into where, detail or {places}"
    keywords = {str(given.arg): given.value for given in call.keywords}
    assert "action" not in keywords or action_of(call), "mark the action as translatable"
    values = keywords.keys() - NOT_A_VALUE
    for name in values:
        assert not isinstance(keywords[name], ast.Constant), f"{name} would stand there as it is"
    assert places(Fault(message_of(call), action_of(call))) == values


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("words", WORDS)
def test_message_is_translated(words: str, language: Language) -> None:
    assert translations(language).translate(words) != words


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("language", LANGUAGES)
def test_message_is_shown_whole_in_the_clinicians_language(
    manifest: Manifest, drawn: list[str], size: tuple[int, int], language: Language
) -> None:
    renderer, surface = Renderer(size, manifest), Surface(size)
    wording = Wording(language, manifest)
    for fault in FAULTS:
        values = dict.fromkeys(places(fault), "1080")
        shown = replace(fault, where="/dev/video0", detail="OSError: 5", values=values)
        drawn.clear()
        renderer.draw(surface, LiveView(None))
        renderer.draw(surface, FaultView(shown, LiveView(None), language=language))
        said = " ".join(drawn)
        assert wording.sentence(shown) in said
        assert "/dev/video0: OSError: 5" in said
        assert "…" not in said


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize(
    "setting", ["demo", "replay:PHOTO", "mjpeg:http://127.0.0.1:1/", "picamera-fake", "usb"]
)
def test_source_is_named_in_the_clinicians_language(
    manifest: Manifest, drawn: list[str], photo: Path, setting: str, language: Language
) -> None:
    with open_source(setting.replace("PHOTO", str(photo)), Clock()) as source:
        name = source.name
    assert translations(language).translate(name) != name
    view = LiveView(None, source=name, language=language)
    Renderer((1024, 600), manifest).draw(Surface((1024, 600)), view)
    assert any(translations(language).translate(name) in words.split("   ") for words in drawn)
