"""How the screen looks, whatever it shows: its colours, and which way up it is."""

from enum import IntEnum, StrEnum


class Theme(StrEnum):
    """Which colours the screen has: dark for a room, light for the sun."""

    DARK = "dark"
    LIGHT = "light"


class Rotation(IntEnum):
    """How many degrees the picture is turned clockwise, for a panel that is mounted otherwise."""

    NONE = 0
    QUARTER = 90
    HALF = 180
    THREE_QUARTERS = 270
