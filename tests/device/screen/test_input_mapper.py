import threading

import pygame
import pytest
from pygame.event import Event

from device.errors import ConfigError
from device.models.manifest import Manifest
from device.screen.events import Drag, Key, Lift, Pinch, Place, ShutterPress, Target, Text, Touch
from device.screen.input_mapper import InputMapper, press_shutter
from device.screen.navigation import used_keys
from device.screen.pages.base import Control
from device.screen.pages.live import LiveControl
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.state import State
from tests.device.screen.drawing import SIZES, places

LIVE, SETTINGS, ABOUT = State(), State(PageName.SETTINGS), State(PageName.ABOUT)


@pytest.fixture
def renderer(manifest: Manifest) -> Renderer:
    return Renderer(SIZES[0], manifest)


@pytest.fixture
def hands(renderer: Renderer) -> InputMapper:
    return InputMapper(renderer, pedal_key="b")


@pytest.fixture
def centre(renderer: Renderer):
    def of(state: State, target: Target) -> tuple[int, int]:
        return places(state.page, renderer.layout)[target].center

    return of


def pressed(key: int, mod: int = 0) -> Event:
    return Event(pygame.KEYDOWN, key=key, mod=mod)


def down(pos: tuple[int, int], button: int = 1) -> Event:
    return Event(pygame.MOUSEBUTTONDOWN, pos=pos, button=button)


def moved(pos: tuple[int, int]) -> Event:
    return Event(pygame.MOUSEMOTION, pos=pos)


def up(pos: tuple[int, int] = (0, 0), button: int = 1) -> Event:
    return Event(pygame.MOUSEBUTTONUP, pos=pos, button=button)


@pytest.mark.parametrize(
    ("key", "mod", "name"),
    [
        (pygame.K_SPACE, 0, "space"),
        (pygame.K_KP_ENTER, 0, "enter"),
        (pygame.K_o, 0, "o"),
        (pygame.K_o, pygame.KMOD_LSHIFT, "o"),
        (pygame.K_TAB, 0, "tab"),
        (pygame.K_TAB, pygame.KMOD_LSHIFT, "shift tab"),
        (pygame.K_TAB, pygame.KMOD_RSHIFT, "shift tab"),
        (pygame.K_TAB, pygame.KMOD_CTRL, "tab"),
    ],
)
def test_key_has_its_name(hands: InputMapper, key: int, mod: int, name: str) -> None:
    assert hands.event(pressed(key, mod), LIVE) == Key(name)


@pytest.mark.parametrize("name", ["b", "f5", "F5", "page down"])
def test_pedal_is_the_shutter(renderer: Renderer, name: str) -> None:
    key = pressed(pygame.key.key_code(name))
    assert InputMapper(renderer, name).event(key, LIVE) == ShutterPress()
    assert InputMapper(renderer).event(key, LIVE) == Key(name.lower())


@pytest.mark.parametrize("name", ["no such key", "Space", *sorted(used_keys())])
def test_pedal_that_cannot_be_one_is_refused(renderer: Renderer, name: str) -> None:
    with pytest.raises(ConfigError, match=f'pedal_key: .*"{name}"'):
        InputMapper(renderer, name)


def test_push_button_is_the_shutter_from_any_thread(hands: InputMapper) -> None:
    pygame.event.clear()
    thread = threading.Thread(target=press_shutter)
    thread.start()
    thread.join()
    press_shutter()
    assert [hands.event(event, LIVE) for event in pygame.event.get()] == [ShutterPress()] * 2


def test_what_is_typed_is_text(hands: InputMapper) -> None:
    for text in ("á", " ", "Ada"):
        assert hands.event(Event(pygame.TEXTINPUT, text=text), LIVE) == Text(text)


def test_finger_touches_what_is_there_now(hands: InputMapper, centre) -> None:
    back = centre(ABOUT, Control.BACK)
    assert hands.event(down(back), ABOUT).target == Control.BACK
    assert hands.event(down(back), LIVE).target == LiveControl.MORE
    assert hands.event(down((0, 0)), LIVE) is None


@pytest.mark.parametrize("button", [2, 3, 4, 5])
def test_other_buttons_of_the_mouse_do_nothing(hands: InputMapper, centre, button: int) -> None:
    slider = centre(SETTINGS, Control.OPACITY)
    for event in (down(slider, button), moved(slider), up(slider, button)):
        assert hands.event(event, SETTINGS) is None


def test_slider_is_dragged_until_the_finger_is_lifted(hands: InputMapper, centre) -> None:
    slider = centre(SETTINGS, Control.OPACITY)
    assert hands.event(moved(slider), SETTINGS) is None
    assert isinstance(hands.event(down(slider), SETTINGS), Touch)
    assert hands.event(moved((9999, 0)), SETTINGS) == Drag(Control.OPACITY, 1.0)
    assert hands.event(up(slider, button=3), SETTINGS) is None
    assert hands.event(moved((0, 0)), SETTINGS) == Drag(Control.OPACITY, 0.0)
    assert hands.event(up(), SETTINGS) == Lift()
    assert hands.event(moved(slider), SETTINGS) is None
    assert hands.event(up(), SETTINGS) is None


def test_nothing_else_is_dragged(hands: InputMapper, centre) -> None:
    language = centre(SETTINGS, SETTINGS.language)
    assert hands.event(down(language), SETTINGS).target == SETTINGS.language
    assert hands.event(moved(language), SETTINGS) is None
    assert hands.event(up(language), SETTINGS) is None


def test_slider_that_is_gone_is_let_go_of(hands: InputMapper, centre) -> None:
    hands.event(down(centre(SETTINGS, Control.OPACITY)), SETTINGS)
    assert hands.event(moved((0, 0)), ABOUT) is None
    assert hands.event(up(), ABOUT) == Lift()


def test_what_means_nothing_is_nothing(hands: InputMapper) -> None:
    for kind in (pygame.KEYUP, pygame.ACTIVEEVENT, pygame.USEREVENT):
        assert hands.event(Event(kind, key=pygame.K_b), LIVE) is None


def test_pedal_that_sends_a_letter_does_not_type_it(hands: InputMapper) -> None:
    pedal = Event(pygame.KEYDOWN, key=pygame.K_b, mod=0, unicode="b")
    assert hands.event(pedal, LIVE) == ShutterPress()
    assert hands.event(Event(pygame.TEXTINPUT, text="b"), LIVE) is None
    hands.event(pressed(pygame.K_o), LIVE)
    assert hands.event(Event(pygame.TEXTINPUT, text="b"), LIVE) == Text("b")


def finger(kind: int, which: int, x: float, y: float = 0.5) -> Event:
    return Event(kind, finger_id=which, x=x, y=y)


def test_two_fingers_that_move_apart_are_a_pinch(hands: InputMapper) -> None:
    for which, x in ((1, 0.4), (2, 0.6)):
        assert hands.event(finger(pygame.FINGERDOWN, which, x), LIVE) is None
    apart = hands.event(finger(pygame.FINGERMOTION, 2, 0.8), LIVE)
    assert isinstance(apart, Pinch)
    assert apart.by == pytest.approx(2.0)
    together = hands.event(finger(pygame.FINGERMOTION, 1, 0.7), LIVE)
    assert together.by == pytest.approx(0.25)
    assert hands.event(finger(pygame.FINGERUP, 1, 0.7), LIVE) is None
    assert hands.event(finger(pygame.FINGERMOTION, 2, 0.2), LIVE) is None


def test_one_finger_and_three_are_none(hands: InputMapper) -> None:
    hands.event(finger(pygame.FINGERDOWN, 1, 0.4), LIVE)
    assert hands.event(finger(pygame.FINGERMOTION, 1, 0.5), LIVE) is None
    for which in (2, 3):
        hands.event(finger(pygame.FINGERDOWN, which, 0.1 * which), LIVE)
    assert hands.event(finger(pygame.FINGERMOTION, 1, 0.9), LIVE) is None


@pytest.mark.parametrize(("turned", "larger"), [(1, True), (-1, False)])
def test_wheel_is_a_pinch(hands: InputMapper, turned: int, larger: bool) -> None:
    pinch = hands.event(Event(pygame.MOUSEWHEEL, y=turned), LIVE)
    assert (pinch.by > 1) == larger


def test_touch_says_where_in_its_target_it_is(renderer: Renderer, hands: InputMapper) -> None:
    patient = State(PageName.PATIENT)
    area = places(PageName.PATIENT, renderer.layout)["map"]
    touch = hands.event(down((area.left + 30, area.top + 40)), patient)
    assert touch.place == Place(30, 40, area.width, area.height)
