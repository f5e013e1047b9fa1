"""Which of SDL's video drivers somebody sees."""

import os
from collections.abc import Mapping
from typing import Final

INVISIBLE: Final = ("offscreen", "dummy")
"""SDL's drivers that draw where nobody sees it. SDL falls back to them where there is no screen."""


def named_drivers(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the drivers that ``SDL_VIDEODRIVER`` names, in lower case."""
    return environment.get("SDL_VIDEODRIVER", "").lower().split(",")
