"""Where a touch or a key leads, on whatever page. Plain values: no screen, no camera."""

from dataclasses import replace
from typing import Final

from device.screen.events import (
    Drag,
    Event,
    Key,
    Lift,
    Pinch,
    Place,
    ShutterPress,
    Target,
    Text,
    Touch,
)
from device.screen.pages.base import Control, page_class
from device.screen.registry import PageName
from device.screen.state import Command, Context, State, Step, with_opacity, with_page

OPACITY_STEP: Final = 0.1

# As SDL names them; "enter" is that of the keypad.
_KEYS: Final = frozenset(
    {"escape", "space", "tab", "shift tab", "left", "right", "up", "down", "return", "enter"}
)


def used_keys() -> frozenset[str]:
    """Return the names of the keys that mean something on some page, as SDL names them."""
    return _KEYS.union(*(page_class(name).keys for name in PageName))


def step(state: State, event: Event, context: Context | None = None) -> Step:
    """Return where an event leads, and what the program must do.

    Parameters
    ----------
    state
        Where the clinician is.
    event
        What was touched, pressed or typed.
    context
        What else it depends on.

    Returns
    -------
    State
        The next state. A command that cannot be carried out is taken back by whoever could not.
    Command or Request or None
        What the program, or its recorder, must do.
    """
    context = context or Context()
    match event:
        case Lift():
            return state, Command.SAVE_PREFERENCES
        case ShutterPress():
            return _shutter(state)
        case Text(text):
            page = page_class(state.page)
            return page.typed(state, text) if page.text_field else (state, None)
        case Pinch(by):
            return page_class(state.page).pinched(state, by), None
        case Touch(target, along) | Drag(target, along):
            if target not in page_class(state.page).targets(state):
                return state, None
            state = replace(state, focus=None)
            if target == Control.OPACITY:
                return with_opacity(state, along), None
            if isinstance(event, Drag):
                return state, None
            return _press(state, target, context, event.place)
        case Key(name):
            return _key(state, name, context)


def _key(state: State, name: str, context: Context) -> Step:
    page = page_class(state.page)
    if name == "space":
        return (state, None) if page.text_field else _shutter(state)
    if name == "escape":
        return _back(state)
    if name in ("left", "right") and state.focus == Control.OPACITY:
        change = OPACITY_STEP if name == "right" else -OPACITY_STEP
        return with_opacity(state, state.opacity + change), Command.SAVE_PREFERENCES
    if name in ("tab", "right", "down"):
        return _moved(state, 1), None
    if name in ("shift tab", "left", "up"):
        return _moved(state, -1), None
    if name in ("return", "enter") and state.focus in page.targets(state):
        return _press(state, state.focus, context)
    # With a text field open, a letter is typed and not pressed.
    if name in page.keys and not (page.text_field and len(name) == 1):
        return _press(state, page.keys[name], context)
    return state, None


def _press(state: State, target: Target, context: Context, place: Place | None = None) -> Step:
    if target == Control.SHUTTER:
        return _shutter(state)
    if target == Control.BACK:
        return _back(state)
    page = page_class(state.page)
    if place is not None:
        return page.touched(state, target, place, context)
    return page.pressed(state, target, context)


def _shutter(state: State) -> Step:
    page = page_class(state.page)
    if not page.takes_pictures:
        return _back(state)
    if not page.shows_capture:
        state = with_page(state, PageName.LIVE)
    command = Command.RELEASE if state.frozen else Command.CAPTURE
    return replace(state, frozen=not state.frozen), command


def _back(state: State) -> Step:
    page = page_class(state.page)
    if page.parent is not None:
        return page.left(state)
    return replace(state, frozen=False), Command.RELEASE if state.frozen else None


def _moved(state: State, by: int) -> State:
    reached = page_class(state.page).targets(state)
    if state.focus not in reached:
        return replace(state, focus=reached[0 if by > 0 else -1])
    return replace(state, focus=reached[(reached.index(state.focus) + by) % len(reached)])
