"""How the screen looks, whatever it shows: its colours."""

from enum import StrEnum


class Theme(StrEnum):
    """Which colours the screen has: dark for a room, light for the sun."""

    DARK = "dark"
    LIGHT = "light"
