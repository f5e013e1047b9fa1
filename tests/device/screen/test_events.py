"""Shutter, keys and text are three things: seen on a page with a text field."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import ClassVar

import pytest

from device.screen.events import Event, Key, ShutterPress, Target, Text, Touch
from device.screen.navigation import step
from device.screen.pages.about import AboutPage
from device.screen.pages.base import Control, page_class
from device.screen.registry import PageName
from device.screen.state import Command, State, Step


class NotePage(AboutPage):
    """Remembers what is typed, and has a letter for a key."""

    text_field = True
    keys: ClassVar[Mapping[str, Target]] = {"o": Control.SHUTTER}

    @classmethod
    def typed(cls, state: State, text: str) -> Step:
        return replace(state, page_state=f"{state.page_state or ''}{text}"), None


@pytest.fixture
def note(monkeypatch: pytest.MonkeyPatch) -> State:
    """The clinician is on the page, which is found as every page is: by its module."""
    module = ModuleType("device.screen.pages.note")
    module.PAGE = NotePage
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return State("note")


def test_text_is_for_the_text_field(note: State) -> None:
    for text in ("Ada", " ", "o"):
        note, command = step(note, Text(text))
        assert command is None
    assert note.page_state == "Ada o"


@pytest.mark.parametrize("name", ["space", "o"])
def test_key_that_types_does_nothing_else(note: State, name: str) -> None:
    assert step(note, Key(name)) == (note, None)


@pytest.mark.parametrize("event", [ShutterPress(), Touch(Control.SHUTTER)])
def test_shutter_takes_the_picture_and_types_nothing(note: State, event: Event) -> None:
    assert step(note, event) == (State(frozen=True), Command.CAPTURE)
    assert step(replace(note, frozen=True), event) == (State(), Command.RELEASE)


def test_keys_that_type_nothing_keep_their_meaning(note: State) -> None:
    assert step(note, Key("tab"))[0].focus == Control.SHUTTER
    assert step(note, Key("escape"))[0].page == PageName.SETTINGS


@pytest.mark.parametrize("page", [p for p in PageName if not page_class(p).text_field])
def test_text_means_nothing_where_there_is_no_text_field(page: PageName) -> None:
    for text in (" ", "o", "Ada"):
        assert step(State(page), Text(text)) == (State(page), None)
