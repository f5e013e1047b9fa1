"""Every drawing of the body map, by its view."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from device.anatomy import BodySpot, BodyView
from device.body.drawing import Drawing
from device.body.feet import FEET
from device.body.figure import BACK, FRONT
from device.body.hands import HANDS
from device.body.head import HEAD_FRONT, HEAD_LEFT, HEAD_RIGHT

DRAWINGS: Final[Mapping[BodyView, Drawing]] = {
    drawing.view: drawing
    for drawing in (FRONT, BACK, HEAD_LEFT, HEAD_FRONT, HEAD_RIGHT, HANDS, FEET)
}


@lru_cache(maxsize=len(BodyView))
def spots(view: BodyView) -> tuple[BodySpot, ...]:
    """Return a spot of every area and side of a view from the top down, found once."""
    return DRAWINGS[view].spots()
