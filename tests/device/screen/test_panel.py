import numpy as np
import pygame
import pytest
from pygame import Surface
from pygame.event import Event

from device.appearance import Rotation
from device.screen.panel import Panel, pointer_wanted, upright_size
from tests.device.screen.drawing import pixels_of

SCREEN = (60, 100)
ROTATIONS = pytest.mark.parametrize("rotation", Rotation)


@ROTATIONS
def test_picture_is_turned_clockwise(rotation: Rotation) -> None:
    screen = Surface(SCREEN)
    panel = Panel(screen, rotation)
    width, height = panel.surface.get_size()
    noise = np.random.default_rng(1).integers(0, 256, (width, height, 3), np.uint8)
    pygame.surfarray.blit_array(panel.surface, noise)
    drawn = pixels_of(panel.surface)
    panel.show()
    assert screen.get_size() == SCREEN
    np.testing.assert_array_equal(pixels_of(screen), np.rot90(drawn, -rotation // 90))


@ROTATIONS
@pytest.mark.parametrize("kind", [pygame.MOUSEBUTTONDOWN, pygame.MOUSEMOTION, pygame.MOUSEBUTTONUP])
def test_touch_is_where_the_picture_shows_what_is_touched(rotation: Rotation, kind: int) -> None:
    screen = Surface(SCREEN)
    panel = Panel(screen, rotation)
    width, height = panel.surface.get_size()
    for place in ((0, 0), (width - 1, 0), (7, 31), (width - 1, height - 1)):
        panel.surface.fill("black")
        panel.surface.set_at(place, "white")
        panel.show()
        y, x = np.argwhere(pixels_of(screen).any(axis=2))[0].tolist()
        event = panel.upright(Event(kind, pos=(x, y), button=1))
        assert (event.type, event.pos, event.button) == (kind, place, 1)


@ROTATIONS
def test_event_without_a_place_is_left_alone(rotation: Rotation) -> None:
    event = Event(pygame.KEYDOWN, key=pygame.K_SPACE)
    assert Panel(Surface(SCREEN), rotation).upright(event) is event


@ROTATIONS
def test_picture_lies_across_where_the_panel_is_mounted_across(rotation: Rotation) -> None:
    across = rotation in (90, 270)
    assert upright_size(SCREEN, rotation) == (SCREEN[::-1] if across else SCREEN)


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (Event(pygame.FINGERDOWN), False),
        (Event(pygame.FINGERMOTION), False),
        (Event(pygame.MOUSEBUTTONDOWN, pos=(1, 1), button=1, touch=True), False),
        (Event(pygame.MOUSEMOTION, pos=(1, 1), rel=(1, 0), touch=True), False),
        (Event(pygame.MOUSEBUTTONDOWN, pos=(1, 1), button=1, touch=False), True),
        (Event(pygame.MOUSEMOTION, pos=(1, 1), rel=(0, 2), touch=False), True),
        # That the pointer is hidden or shown is reported as a motion, too.
        (Event(pygame.MOUSEMOTION, pos=(1, 1), rel=(0, 0), touch=False), None),
        (Event(pygame.MOUSEBUTTONUP, pos=(1, 1), button=1, touch=False), None),
        (Event(pygame.KEYDOWN, key=pygame.K_o), None),
    ],
    ids=str,
)
def test_pointer_is_for_whoever_has_a_mouse(event: Event, wanted: bool | None) -> None:
    assert pointer_wanted(event) is wanted
