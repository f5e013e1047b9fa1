"""Opening the screen: a window, or the whole of a screen that has no windows."""

import os

import pygame
from pygame import Surface

from device.errors import ScreenError
from device.platform.sdl_drivers import INVISIBLE, named_drivers

TITLE = "dermascope"


def open_screen(size: tuple[int, int], fullscreen: bool) -> Surface:
    """Open the screen and return the surface to draw on.

    Without X11 and Wayland, SDL draws through KMSDRM on the whole screen, whatever `size`. A driver
    that draws where nobody sees it is taken only where ``SDL_VIDEODRIVER`` names it.

    Raises
    ------
    device.errors.ScreenError
        If there is none.
    """
    try:
        pygame.display.init()
        driver = pygame.display.get_driver().lower()
        if driver in INVISIBLE and driver not in named_drivers():
            raise pygame.error("neither X11 nor Wayland nor a monitor was found")
        pygame.font.init()
        whole = fullscreen or driver == "kmsdrm"
        flags = pygame.FULLSCREEN if whole else 0
        surface = pygame.display.set_mode((0, 0) if whole else size, flags)
        pygame.display.set_caption(TITLE)
    except pygame.error as error:
        # What is half open would be taken for a screen at the next attempt.
        pygame.quit()
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
