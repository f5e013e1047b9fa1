"""What the analysis is given and what it gives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.diagnoses import Code
from device.faults import Trouble
from device.frame import Frame
from device.imaging.lesion import Measures
from device.inference.finding import Finding


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A frame of the live view.

    Attributes
    ----------
    motion
        How far the skin moved since the frame before, or None.
    """

    frame: Frame
    motion: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """What the shutter took.

    Attributes
    ----------
    press
        Which press of the shutter it belongs to.
    frames
        None where the camera gave none.
    trouble
        Why the camera gave fewer than were asked for, or None.
    """

    press: int
    frames: tuple[Frame, ...]
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Explain:
    """The picture that was taken is to be explained for another diagnosis."""

    code: Code | None


Work = Seen | Burst | Explain


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A frame and the finding of that very frame."""

    frame: Frame
    finding: Finding


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What came of a press of the shutter.

    Attributes
    ----------
    press
        Which one.
    judged
        The sharpest frame and its finding, or None where there is none.
    outline
        Of the lesion: float32, (n, 2), x and y in parts of the field's side, or None.
    measures
        Of the lesion, or None where no outline was found.
    kept
        Whether the examination is on the disk; None while that is not known, or where none are
        kept.
    trouble
        Why nothing was taken, where that is known.
    """

    press: int
    judged: Judged | None
    outline: NDArray[np.float32] | None = None
    measures: Measures | None = None
    kept: bool | None = None
    trouble: Trouble | None = None
