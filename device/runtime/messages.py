"""What the threads pass to each other.

Each value has one owner, the thread that makes it; the others only read it.

=====================  ==========  ====================================================
value                  owner       what it is
=====================  ==========  ====================================================
`Shot`                 session     a press of the shutter, until its picture is released
`OverlayRequest`       session     what is to be explained
`TakeBurst`            session     command to the camera
`LiveFrame`            camera      the newest frame, to the analysis
`Burst`                camera      command to the analysis
`ExplainCapture`       session     command to the analysis
`AnalyzedFrame`        analysis    the newest finding of the live view
`Capture`              analysis    what came of a shot
`KeepExamination`      analysis    command to the recorder
`CalibrateOptics`      session     command to the recorder
`CalibrationResult`    recorder    what came of it
`KeepResult`                 recorder    whether the examination of a shot is on the disk
`Picture`              session     one that can be compared with the present one
`Request`              session     command to the recorder (`device.runtime.requests`)
`Desk`                 recorder    what it answered (`device.runtime.desk`)
=====================  ==========  ====================================================
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device.diagnoses import Code
from device.faults import Fault
from device.frame import Frame
from device.imaging.abcd import AbcdMeasures
from device.inference.finding import Finding
from device.runtime.requests import Filing, LesionChoice


class Shot:
    """A press of the shutter. Everything that comes of it names it.

    The camera holds its live view, and the analysis works on the picture, until it is released.

    Parameters
    ----------
    filing
        What was known of the picture before it was taken.
    """

    def __init__(self, filing: Filing | None = None) -> None:
        self.filing: Final = filing or Filing()
        self._released = False

    @property
    def released(self) -> bool:
        """Whether the clinician has gone back to the live view."""
        return self._released

    def release(self) -> None:
        """Let the picture go; for the session alone."""
        self._released = True


@dataclass(frozen=True, slots=True)
class OverlayRequest:
    """What the clinician wants explained.

    Attributes
    ----------
    enabled
        Whether anything is to be explained.
    code
        The diagnosis; None for the likeliest malignant one.
    comparing
        Whether the live view stands beside an earlier picture, and must be analyzed as that was.
    scanning
        Whether a patient's code is looked for in the live view, in the place of a finding.
    """

    enabled: bool = False
    code: Code | None = None
    comparing: bool = False
    scanning: bool = False


@dataclass(frozen=True, slots=True)
class TakeBurst:
    """The shutter was pressed."""

    shot: Shot


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """A frame of the live view.

    Attributes
    ----------
    motion
        How far the skin moved since the frame before, in parts of the field's side, or None.
    """

    frame: Frame
    motion: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """What the shutter took.

    Attributes
    ----------
    shot
        The press that it belongs to.
    frames
        Empty where the camera gave none.
    fault
        Why the camera gave fewer than were asked for, or None.
    """

    shot: Shot
    frames: tuple[Frame, ...]
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class ExplainCapture:
    """What is to be explained of the captured picture has changed."""


@dataclass(frozen=True, slots=True, eq=False)
class AnalyzedFrame:
    """A frame and the finding of that very frame."""

    frame: Frame
    finding: Finding


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """What came of a shot.

    Attributes
    ----------
    shot
        Which one.
    analyzed
        The sharpest frame and its finding, or None where there is none.
    outline
        Of the lesion: float32, (n, 2), x and y in parts of the field's side, or None.
    measures
        Of the lesion, or None where no outline was found.
    fault
        Why there is no picture, where that is known.
    """

    shot: Shot
    analyzed: AnalyzedFrame | None
    outline: NDArray[np.float32] | None = None
    measures: AbcdMeasures | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, eq=False)
class KeepExamination:
    """A captured picture is to be kept: before it is judged, and again with its finding.

    Attributes
    ----------
    finding
        None where it has not been judged yet.
    flags
        Names of the operating points that the finding reaches.
    """

    shot: Shot
    frame: Frame
    finding: Finding | None = None
    flags: tuple[str, ...] = ()
    measures: AbcdMeasures | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CalibrateOptics:
    """A ruler with millimetre ticks is before the lens: the scale is to be read off it, and kept.

    Attributes
    ----------
    frame
        In which the ruler is.
    """

    frame: Frame


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationResult:
    """What came of a calibration.

    Attributes
    ----------
    mm_per_pixel
        In the frame's own pixels, or None where it failed.
    fault
        Why it failed, or None.
    """

    mm_per_pixel: float | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, eq=False)
class KeepResult:
    """Whether the examination of a shot is on the disk.

    Attributes
    ----------
    fault
        Why it is not, or None where it is.
    sealed
        It was kept while the records were locked: nobody sees it until they are opened.
    """

    shot: Shot
    fault: Fault | None = None
    sealed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture that can be compared with another.

    Attributes
    ----------
    time
        When it was taken; None for the live one.
    field
        uint8, (height, width, 3), RGB.
    finding
        What the model said, or None.
    lesion
        That it is filed under, or None.
    """

    time: datetime | None
    field: NDArray[np.uint8]
    finding: Finding | None
    lesion: LesionChoice | None = None
