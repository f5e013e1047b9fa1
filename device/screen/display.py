"""Opening the screen: a window, or the whole of a screen that has no windows."""

import os
import sys
from pathlib import Path

import pygame
from pygame import Surface

from device.errors import ScreenError

TITLE = "dermascope"


def has_screen() -> bool:
    """Return whether there is something to draw on: X11, Wayland, or a screen without either."""
    if os.environ.get("SDL_VIDEODRIVER"):
        return os.environ["SDL_VIDEODRIVER"] not in ("dummy", "offscreen")
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return True
    return any(Path("/dev/dri").glob("card*"))


def open_screen(size: tuple[int, int], fullscreen: bool) -> Surface:
    """Open the screen and return the surface to draw on.

    Without X11 and Wayland, SDL draws through KMSDRM on the whole screen, whatever `size`.

    Raises
    ------
    device.errors.ScreenError
        If there is none.
    """
    try:
        pygame.display.init()
        pygame.font.init()
        whole = fullscreen or pygame.display.get_driver() == "kmsdrm"
        flags = pygame.FULLSCREEN if whole else 0
        surface = pygame.display.set_mode((0, 0) if whole else size, flags)
        pygame.display.set_caption(TITLE)
    except pygame.error as error:
        raise ScreenError(
            f"the screen cannot be opened ({error}); connect one, or run: dermascope demo --out DIR"
        ) from None
    return surface


def open_offscreen(size: tuple[int, int]) -> Surface:
    """Return a surface that no screen shows, for pictures of the screen."""
    os.environ["SDL_VIDEODRIVER"] = "dummy"
    return open_screen(size, fullscreen=False)


def close_screen() -> None:
    """Give the screen back. May be called more than once."""
    pygame.quit()
