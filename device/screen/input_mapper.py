"""From pygame's events to the events of the screen."""

import math

import pygame

from device.errors import ConfigError
from device.screen.events import Event, Key, Lift, Pinch, ShutterPress, Target, Text
from device.screen.navigation import used_keys
from device.screen.pages.base import Control
from device.screen.renderer import Renderer
from device.screen.state import State

_SHUTTER = pygame.event.custom_type()
_FINGER = frozenset({pygame.FINGERDOWN, pygame.FINGERMOTION, pygame.FINGERUP})
_WHEEL_STEP = 1.25


class InputMapper:
    """Touches, the mouse, keys, text, and the push button.

    Parameters
    ----------
    renderer
        Knows what is where on the screen.
    pedal_key
        Name of the key that a foot pedal sends, or empty: it is the shutter.

    Raises
    ------
    device.errors.ConfigError
        If the pedal's key is none, or one that the screen needs itself.
    """

    def __init__(self, renderer: Renderer, pedal_key: str = "") -> None:
        self._renderer = renderer
        self._pedal_key = _pedal_key_code(pedal_key)
        self._typed_by_pedal = ""
        self._dragging: Target | None = None
        self._fingers: dict[int, tuple[float, float]] = {}

    def event(self, event: pygame.event.Event, state: State) -> Event | None:
        """Return the event that a pygame event means, or None where it means nothing.

        Parameters
        ----------
        state
            Where the clinician is.
        """
        if event.type == _SHUTTER:
            return ShutterPress()
        if event.type == pygame.TEXTINPUT:
            return None if event.text == self._typed_by_pedal else Text(event.text)
        if event.type == pygame.KEYDOWN:
            is_pedal = event.key == self._pedal_key
            # A pedal that sends a letter types it too: SDL reports both, the key first.
            self._typed_by_pedal = getattr(event, "unicode", "") if is_pedal else ""
            if is_pedal:
                return ShutterPress()
            name = pygame.key.name(event.key)
            shifted = getattr(event, "mod", 0) & pygame.KMOD_SHIFT
            return Key(f"shift {name}" if shifted and name == "tab" else name)
        if event.type in _FINGER:
            return self._pinch(event)
        if event.type == pygame.MOUSEWHEEL and event.y:
            return Pinch(_WHEEL_STEP if event.y > 0 else 1 / _WHEEL_STEP)
        if event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            touch = self._renderer.touched(state, event.pos)
            self._dragging = touch.target if touch and touch.target == Control.OPACITY else None
            return touch
        if event.type == pygame.MOUSEMOTION and self._dragging:
            return self._renderer.dragged(state, self._dragging, event.pos)
        if event.type == pygame.MOUSEBUTTONUP and event.button == 1 and self._dragging:
            self._dragging = None
            return Lift()
        return None

    def _pinch(self, event: pygame.event.Event) -> Pinch | None:
        """Return how two fingers moved; a third makes no sense of them."""
        before = self._apart()
        if event.type == pygame.FINGERUP:
            self._fingers.pop(event.finger_id, None)
            return None
        self._fingers[event.finger_id] = (event.x, event.y)
        after = self._apart()
        if event.type != pygame.FINGERMOTION or not before or not after or before == after:
            return None
        return Pinch(after / before)

    def _apart(self) -> float:
        """Return how far two fingers are apart, in parts of the screen; 0 where there are not."""
        if len(self._fingers) != 2:
            return 0.0
        one, other = self._fingers.values()
        return math.dist(one, other)


def press_shutter() -> None:
    """Put a press of the push button among the events; may be called in any thread."""
    pygame.event.post(pygame.event.Event(_SHUTTER))


def _pedal_key_code(name: str) -> int | None:
    if not name:
        return None
    try:
        code = pygame.key.key_code(name)
    except ValueError:
        raise ConfigError(
            f'pedal_key: no key is named "{name}"; use a name such as b, f5 or page down'
        ) from None
    # SDL takes "F5" and "Space" for f5 and space.
    if pygame.key.name(code) in used_keys():
        raise ConfigError(f'pedal_key: the screen itself uses "{name}"; choose another key')
    return code
