"""User input, whatever it is made with.

The shutter, keys and text are three things: a push button on the header or a pedal is the shutter
on every page, the space bar only while no text field is open, and then it types a space.
"""

from dataclasses import dataclass
from enum import StrEnum

Target = StrEnum
"""What can be touched: a control or a diagnosis; each page has its own."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a target, and how large that is, in pixels.

    Attributes
    ----------
    x, y
        From its left and top edge.
    width, height
        Of the target.
    """

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Touch:
    """A finger or the mouse is on a target.

    Attributes
    ----------
    along
        How far along it, 0 to 1; a slider follows it.
    place
        Where in it, for a target in which that matters.
    """

    target: Target
    along: float = 0.0
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Drag:
    """A finger that went down on a target has moved, perhaps off it.

    Attributes
    ----------
    along
        How far along the target it is, 0 to 1.
    """

    target: Target
    along: float


@dataclass(frozen=True, slots=True)
class Lift:
    """The finger has left a slider."""


@dataclass(frozen=True, slots=True)
class Pinch:
    """Two fingers have moved apart or together, or a wheel was turned.

    Attributes
    ----------
    by
        How many times as far apart they are; above 0.
    """

    by: float


@dataclass(frozen=True, slots=True)
class Key:
    """A key was pressed, named as SDL names it; ``shift tab`` is one too."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """Something was typed, for the text field that is open."""

    text: str


@dataclass(frozen=True, slots=True)
class ShutterPress:
    """The push button on the header or the pedal was pressed."""


Event = Touch | Drag | Lift | Pinch | Key | Text | ShutterPress
