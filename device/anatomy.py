"""Where on a body a lesion lies: a spot on the body map, and the name of the site."""

from dataclasses import dataclass
from enum import StrEnum


class BodyView(StrEnum):
    """A drawing of the body map."""

    FRONT = "front"
    BACK = "back"
    HEAD_LEFT = "head-left"
    HEAD_FRONT = "head-front"
    HEAD_RIGHT = "head-right"
    HANDS = "hands"
    FEET = "feet"


class Laterality(StrEnum):
    """The patient's own side."""

    LEFT = "left"
    RIGHT = "right"


class BodySite(StrEnum):
    """A site, as dermatologists name it in a report."""

    SCALP = "scalp"
    FOREHEAD = "forehead"
    FACE = "face"
    NOSE = "nose"
    LIP = "lip"
    EAR = "ear"
    NECK = "neck"
    CHEST = "chest"
    ABDOMEN = "abdomen"
    UPPER_BACK = "upper back"
    LOWER_BACK = "lower back"
    BUTTOCK = "buttock"
    GENITAL = "genital"
    UPPER_ARM = "upper arm"
    FOREARM = "forearm"
    HAND = "hand"
    PALM = "palm"
    FINGER = "finger"
    THIGH = "thigh"
    LOWER_LEG = "lower leg"
    FOOT = "foot"
    SOLE = "sole"
    TOE = "toe"


@dataclass(frozen=True, slots=True)
class BodySpot:
    """A spot that was touched on the body map.

    Attributes
    ----------
    view
        The drawing.
    x, y
        From its left and top edge, in parts of its width and height, 0 to 1.
    site
        What lies there.
    laterality
        The patient's side; None where the site is not one of a pair or the spot is in the middle.
    """

    view: BodyView
    x: float
    y: float
    site: BodySite
    laterality: Laterality | None = None
