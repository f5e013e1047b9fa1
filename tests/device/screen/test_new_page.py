"""A new page is one module and one line in the registry: `hello` is added to a copy, and visited.

The copy is visited by this file too, run as a program in which `device` is the copy.
"""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import pytest
from pygame import Surface

import device
from device.config import Config, model_folder
from device.models.bundle import load_bundle
from device.paths import MODELS_VARIABLE, shipped_models
from device.screen import theme
from device.screen.display import open_offscreen
from device.screen.events import Key, ShutterPress, Target, Text
from device.screen.layout import arrange
from device.screen.navigation import step
from device.screen.pages.base import Control, page_class, shown
from device.screen.pages.live import LiveControl
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.state import Command, State
from device.screen.view import LiveView, Snapshot

PAGE = Path("screen/pages/hello.py")
REGISTRY = Path("screen/registry.py")
SIZE = (1024, 600)


def sources(package: Path) -> dict[Path, bytes]:
    files = (path for path in package.rglob("*") if path.is_file())
    return {
        path.relative_to(package): path.read_bytes()
        for path in files
        if "__pycache__" not in path.parts
    }


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The device package with one page more."""
    package = tmp_path / "device"
    shutil.copytree(
        Path(device.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(Path(__file__).with_name("hello.py"), package / PAGE)
    with (package / REGISTRY).open("a") as registry:
        registry.write('    HELLO = "hello"\n')
    return package


def test_new_page_touches_two_files_and_is_there(copy: Path) -> None:
    before, after = sources(Path(device.__file__).parent), sources(copy)
    assert {path for path in before | after if before.get(path) != after.get(path)} == {
        PAGE,
        REGISTRY,
    }
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        MODELS_VARIABLE: str(shipped_models()),
    }
    # -P: not the folder of this file, but the copy comes first.
    visited = subprocess.run(
        [sys.executable, "-P", __file__, str(copy)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert visited.returncode == 0, visited.stderr


class Visitor:
    """Someone who finds the way by touch alone, and reads what is drawn."""

    def __init__(self) -> None:
        config = Config()
        manifest = load_bundle(model_folder(config), config.trusted_keys).manifest
        self.renderer = Renderer(SIZE, manifest)
        self.screen = Surface(SIZE)
        self.state = State()

    def touch(self, target: Target) -> None:
        place = page_class(self.state.page).places(self.renderer.layout)[target].center
        touch = self.renderer.touched(self.state, place)
        assert touch is not None
        self.state, command = step(self.state, touch)
        assert command is None

    def read(self) -> list[str]:
        """Return every text of the page, as it is drawn."""
        words: list[str] = []
        text = theme.Fonts.text

        def spy(self: theme.Fonts, said: str, *rest: object, **more: object) -> Surface:
            words.append(said)
            return text(self, said, *rest, **more)

        theme.Fonts.text = spy
        snapshot = Snapshot(
            state=self.state,
            live=LiveView(None),
            clock=datetime(2026, 3, 4, tzinfo=UTC),
            source="demo",
            signed_by="ab" * 32,
        )
        self.renderer.draw(self.screen, shown(self.state.page, snapshot))
        theme.Fonts.text = text
        return words


def visit(package: Path) -> None:
    assert Path(device.__file__).parent == package
    hello = PageName("hello")
    open_offscreen(SIZE)
    visitor = Visitor()
    visitor.touch(LiveControl.MORE)
    assert "Hello" in visitor.read()
    visitor.touch(hello)
    assert visitor.state.page == hello
    assert "Hello, world!" in visitor.read()
    for event in (Text("Ada"), Text(" "), Key("space"), Text("L.")):
        visitor.state, command = step(visitor.state, event)
        assert command is None
    assert "Hello, Ada L.!" in visitor.read()
    assert step(visitor.state, ShutterPress()) == (State(frozen=True), Command.CAPTURE)
    visitor.touch(Control.BACK)
    assert visitor.state == State(PageName.SETTINGS)
    for size in ((640, 480), (1024, 600), (480, 800), (3840, 2160)):
        entries = page_class(PageName.SETTINGS).places(arrange(*size))
        for (name, one), (other_name, other) in combinations(entries.items(), 2):
            assert not one.colliderect(other), f"{name} overlaps {other_name} at {size}"


if __name__ == "__main__":
    visit(Path(sys.argv[1]))
