"""What there is to be shown at one moment."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from device.diagnoses import Code
from device.inference.finding import Finding


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What there is to be shown at one moment.

    Attributes
    ----------
    field
        The picture: uint8, (height, width, 3), RGB, or None before the first frame.
    finding
        What the model said, or None.
    finding_age
        Seconds between the frame that the finding is of and the frame that is shown.
    overlay
        The saliency over `field`, float32 (rows, columns), where it is wanted and there is one.
    overlay_wanted
        Whether the overlay is switched on.
    explained
        The diagnosis that the overlay is about, where one was chosen.
    opacity
        Of the overlay, 0 to 1.
    frozen
        When the picture was taken, where the view is frozen.
    trouble
        What is wrong with the instrument, in words, or empty.
    clock
        Local time.
    source
        What the frames come from.
    """

    field: NDArray[np.uint8] | None
    finding: Finding | None = None
    finding_age: float = 0.0
    overlay: NDArray[np.float32] | None = None
    overlay_wanted: bool = False
    explained: Code | None = None
    opacity: float = 0.6
    frozen: datetime | None = None
    trouble: str = ""
    clock: datetime | None = None
    source: str = ""
