"""The panel as it is mounted: what is drawn upright is shown turned, and touched turned."""

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
import pygame
from pygame import Surface
from pygame.event import Event

from device.appearance import Rotation

_TURNS: Final[Mapping[Rotation, int]] = {
    Rotation.QUARTER: cv2.ROTATE_90_CLOCKWISE,
    Rotation.HALF: cv2.ROTATE_180,
    Rotation.THREE_QUARTERS: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
_FINGER: Final = frozenset({pygame.FINGERDOWN, pygame.FINGERMOTION, pygame.FINGERUP})


class Panel:
    """A screen that may be mounted across or upside down.

    Parameters
    ----------
    screen
        What is shown.
    rotation
        By how much the picture is turned.

    Attributes
    ----------
    surface
        To draw on, the right way up.
    """

    def __init__(self, screen: Surface, rotation: Rotation = Rotation.NONE) -> None:
        self._screen = screen
        self._rotation = rotation
        turned = rotation is not Rotation.NONE
        self.surface = Surface(upright_size(screen.get_size(), rotation)) if turned else screen

    def show(self) -> None:
        """Show what was drawn."""
        if self._rotation is not Rotation.NONE:
            # Several times as fast as a rotation by pygame, which makes a surface each time.
            drawn = pygame.surfarray.pixels2d(self.surface).T.view(np.int32)
            shown = pygame.surfarray.pixels2d(self._screen)
            shown.T.view(np.int32)[:] = cv2.rotate(drawn, _TURNS[self._rotation])
            # While arrays of their pixels live, surfaces are locked.
            del drawn, shown
        pygame.display.flip()

    def upright(self, event: Event) -> Event:
        """Return an event with its place on the picture instead of on the panel."""
        if self._rotation is Rotation.NONE or not hasattr(event, "pos"):
            return event
        x, y = event.pos
        width, height = self.surface.get_size()
        place = {
            Rotation.QUARTER: (y, height - 1 - x),
            Rotation.HALF: (width - 1 - x, height - 1 - y),
            Rotation.THREE_QUARTERS: (width - 1 - y, x),
        }[self._rotation]
        return Event(event.type, {**event.dict, "pos": place})


def upright_size(size: tuple[int, int], rotation: Rotation) -> tuple[int, int]:
    """Return width and height of the picture on a panel of a size, in pixels."""
    across = rotation in (Rotation.QUARTER, Rotation.THREE_QUARTERS)
    return size[::-1] if across else size


def pointer_wanted(event: Event) -> bool | None:
    """Return whether the mouse pointer is to be seen after an event, or None where it may stay.

    A finger needs none; whoever moves the mouse does. SDL makes mouse events of touches, too, and
    says so.
    """
    if event.type in _FINGER:
        return False
    if event.type == pygame.MOUSEBUTTONDOWN:
        return not getattr(event, "touch", False)
    if event.type == pygame.MOUSEMOTION and event.rel != (0, 0):
        return not getattr(event, "touch", False)
    return None
