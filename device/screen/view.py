"""What there is to be shown at one moment."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from device.anatomy import BodySpot
from device.appearance import Theme
from device.diagnoses import Code
from device.faults import Fault
from device.imaging.abcd import AbcdMeasures
from device.inference.finding import Finding
from device.installation.system_update import Offer
from device.language import Language
from device.records.orders import Scheduled
from device.runtime.clinic_list import Appointments
from device.runtime.desk import Desk
from device.runtime.messages import CalibrationResult, Picture
from device.runtime.requests import LesionChoice
from device.screen.events import Target
from device.screen.registry import PageName
from device.screen.state import State
from device.selftest.check import Checks

Value = TypeVar("Value")


class KeepStatus(StrEnum):
    """What became of a captured picture.

    ``sealed``: kept, and to be seen once the records are opened. ``until the end`` of the program:
    one that no camera took. ``locked``: not kept, as the records are.
    """

    KEPT = "kept"
    SEALED = "sealed"
    UNTIL_THE_END = "until the end"
    NOT_KEPT = "not kept"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Case:
    """Whom and what the next picture is of.

    Attributes
    ----------
    patient
        The identifier.
    lesion
        Its number; 0 for a new one, None where none is open.
    spot
        Where it lies.
    region
        The next picture shows the region.
    filing
        A lesion is chosen for a picture that is kept already.
    """

    patient: str
    lesion: int | None = None
    spot: BodySpot | None = None
    region: bool = False
    filing: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PageView:
    """What the view of every page has.

    Attributes
    ----------
    page
        Which page it is of.
    clock
        Local time.
    source
        What the frames come from.
    language
        Of every word.
    theme
        Of every colour.
    focus
        What the keyboard would press, where it is in use.
    case
        Whom and what the next picture is of; None where no patient is open.
    """

    page: ClassVar[PageName]
    clock: datetime | None = None
    source: str = ""
    language: Language = Language.ENGLISH
    theme: Theme = Theme.DARK
    focus: Target | None = None
    case: Case | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LiveView(PageView):
    """The skin and its finding, live or frozen; shown on other pages too.

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
        The diagnosis that the overlay is about: chosen, or the likeliest malignant one.
    opacity
        Of the overlay, 0 to 1.
    frozen
        When the picture was taken, where the view is frozen.
    measures
        Of the lesion, or None; drawn in a frozen view whose picture is good.
    outline
        Of the lesion: float32, (n, 2), x and y in parts of the field's side, 0 to 1; drawn where
        the overlay is wanted.
    progress
        How many steps of analyzing a captured picture are done, and of how many; (0, 0) while it is
        being taken, None where none is.
    kept
        What became of the captured picture, or None where that is not known.
    lost
        When the picture was taken, where the camera gives no more: it looks live and is not.
    flash
        The shutter was pressed just now.
    field_mm
        How wide the field is in millimetres, or None where the optics are not calibrated.
    live_before
        What the live view said as the shutter was pressed, where a picture is held.
    """

    page: ClassVar[PageName] = PageName.LIVE
    field: NDArray[np.uint8] | None
    finding: Finding | None = None
    finding_age: float = 0.0
    overlay: NDArray[np.float32] | None = None
    overlay_wanted: bool = False
    explained: Code | None = None
    opacity: float = 0.6
    frozen: datetime | None = None
    measures: AbcdMeasures | None = None
    outline: NDArray[np.float32] | None = None
    progress: tuple[int, int] | None = None
    kept: KeepStatus | None = None
    lost: datetime | None = None
    flash: bool = False
    field_mm: float | None = None
    live_before: Finding | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Snapshot:
    """All that the pages choose from, at one moment.

    Attributes
    ----------
    state
        Where the clinician is.
    live
        The skin and its finding.
    clock
        Local time.
    source
        What the frames come from.
    signed_by
        The trusted public key (hexadecimal) that the bundle's signature belongs to.
    mm_per_pixel
        What the optics are calibrated to, or None.
    recent
        Pictures that the present one can be compared with, the newest first.
    fault
        What does not work, or None.
    preferences_fault
        Why what was chosen could not be kept, or None.
    checks
        What the last self-test found; None before one has ended.
    testing
        A self-test is under way.
    archives
        Names of the models' files on sticks.
    installing
        A model is being looked for or installed.
    installed
        What came of the last installation, and why; empty where there was none.
    update
        The update of the system on a stick, or None.
    desk
        What lies on the desk of patients' records.
    case
        Whom and what the next picture is of.
    lesion
        That the next picture is filed under, or None.
    seconds
        By the clock's `monotonic`: what changes by itself follows it.
    calibration
        What came of the last calibration since the start, or None.
    appointments
        What the clinic's worklist said.
    listed
        Its entries that name the open patient, where none of them is taken up, or whoever was
        looked for and is nobody.
    """

    state: State
    live: LiveView
    clock: datetime
    source: str
    signed_by: str
    mm_per_pixel: float | None = None
    recent: tuple[Picture, ...] = ()
    fault: Fault | None = None
    preferences_fault: Fault | None = None
    checks: Checks | None = None
    testing: bool = False
    archives: tuple[str, ...] = ()
    installing: bool = False
    installed: tuple[Fault, ...] = ()
    update: Offer | None = None
    desk: Desk = field(default_factory=Desk)
    case: Case | None = None
    lesion: LesionChoice | None = None
    seconds: float = 0.0
    calibration: CalibrationResult | None = None
    appointments: Appointments = field(default_factory=Appointments)
    listed: tuple[Scheduled, ...] = ()


class ByIdentity(Generic[Value]):
    """A picture or a map in a slice of a view: another object is another picture.

    Arrays cannot be compared at the rate at which views are drawn.

    Parameters
    ----------
    value
        The array, or None.
    """

    __slots__ = ("value",)

    def __init__(self, value: Value | None) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)
