"""What the analysis is given and what it gives."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.diagnoses import Code
from device.faults import Fault
from device.frame import Frame
from device.imaging.lesion import AbcdMeasures
from device.inference.finding import Finding


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
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
    trouble: Fault | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ExplainCapture:
    """The picture that was taken is to be explained for another diagnosis."""

    code: Code | None


Work = LiveFrame | Burst | ExplainCapture


@dataclass(frozen=True, slots=True, eq=False)
class AnalyzedFrame:
    """A frame and the finding of that very frame."""

    frame: Frame
    finding: Finding


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
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
    judged: AnalyzedFrame | None
    outline: NDArray[np.float32] | None = None
    measures: AbcdMeasures | None = None
    kept: bool | None = None
    trouble: Fault | None = None
