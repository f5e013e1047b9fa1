"""What the recorder has laid on the desk: all that the screen knows of patients and their records.

A frozen value that the recorder replaces whole; the screen reads nothing else of the archive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from device.faults import Fault
from device.imaging.registration import Refusal, Registration
from device.inference.change import Change
from device.records.access import Access, Holder
from device.records.listing import WorkItem, WorkKind
from device.records.model import ExaminationRecord
from device.records.orders import OrderKey, Scheduled
from device.records.patients import Decision, Lesion, Patient, Role
from device.runtime.requests import LesionChoice, Request

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A kept picture in a list.

    Attributes
    ----------
    record
        What is written of it.
    thumbnail
        uint8, (height, width, 3), RGB; None where it cannot be read.
    """

    record: ExaminationRecord
    thumbnail: Pixels | None


@dataclass(frozen=True, slots=True, eq=False)
class LesionEntry:
    """A lesion in its patient's list.

    Attributes
    ----------
    lesion
        Which.
    pictures
        How many are kept.
    newest
        The newest; None where there is none.
    unlike
        It is unlike the patient's other naevi (`device.inference.likeness`).
    decision
        The newest that was made about it, or None.
    """

    lesion: Lesion
    pictures: int
    newest: Visit | None
    unlike: bool = False
    decision: Decision | None = None


@dataclass(frozen=True, slots=True, eq=False)
class WorkEntry:
    """An entry of the worklist.

    Attributes
    ----------
    visit
        The examination.
    item
        Why it is there; None for a picture that is filed under no lesion.
    """

    visit: Visit
    item: WorkItem | None


@dataclass(frozen=True, slots=True, eq=False)
class WorkPage:
    """A page of the worklist.

    Attributes
    ----------
    kind
        None for what is filed under no lesion.
    entries
        On this page.
    number
        Of the page, from 1.
    last
        No page follows.
    counts
        How much there is of each kind.
    by_identifier, prefix
        As it was asked for.
    """

    kind: WorkKind | None
    entries: tuple[WorkEntry, ...]
    number: int
    last: bool
    counts: Mapping[WorkKind, int]
    by_identifier: bool = False
    prefix: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class OpenedPicture:
    """A picture as large as it is.

    Attributes
    ----------
    record
        What is written of it.
    field
        uint8, (height, width, 3), RGB: the field of view, or all of a region's picture.
    """

    record: ExaminationRecord
    field: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two pictures of one lesion.

    Attributes
    ----------
    earlier, later
        Both.
    registered
        How the later one lies on the earlier one, or why that is not told.
    laid
        The later picture as it lies on the earlier one; None where that is not told.
    changes
        What became of each measure; empty where nothing can be compared.
    """

    earlier: OpenedPicture
    later: OpenedPicture
    registered: Registration | Refusal
    laid: Pixels | None
    changes: tuple[Change, ...]

    @property
    def lit_alike(self) -> bool:
        """Whether both were taken in the same light, as far as that is known."""
        lights = {self.earlier.record.polarization, self.later.record.polarization}
        return len(lights - {None}) < 2


@dataclass(frozen=True, slots=True)
class Matches:
    """Patients whose identifier begins with what was typed.

    Attributes
    ----------
    patients
        By identifier; as many as are shown.
    more
        There are more than these.
    """

    patients: tuple[Patient, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """What lies on the desk.

    Attributes
    ----------
    access
        What opens the records, and who did; None where no records of patients are kept.
    pin_wait
        Until when, by the clock's `monotonic`, no PIN is taken.
    patient
        Who is open, or None.
    scheduled
        The entry of the clinic's worklist that the patient was opened by, or is alone named by;
        None where there is none, or none was chosen of several.
    unknown
        The identifier that was last looked for and is nobody's, or empty.
    matches
        Patients whose identifier begins so, where none has it whole.
    lesions
        The patient's.
    lesion
        Which is open: what its pictures are filed under.
    opened
        The open lesion as it is kept; None while it has no picture.
    visits
        The open lesion's pictures, the newest first.
    work
        A page of the worklist.
    picture
        The picture that was opened last.
    comparison
        What was compared last.
    holders
        Who has a PIN, where that was asked for.
    seen
        Keys of the orders that examinations of today were kept with, as last asked for.
    answered
        The request that was done last.
    fault
        Why it was not done, or None.
    """

    access: Access | None = None
    pin_wait: float = 0.0
    patient: Patient | None = None
    scheduled: Scheduled | None = None
    unknown: str = ""
    matches: Matches = Matches()
    lesions: tuple[LesionEntry, ...] = field(default=())
    lesion: LesionChoice | None = None
    opened: Lesion | None = None
    visits: tuple[Visit, ...] = field(default=())
    work: WorkPage | None = None
    picture: OpenedPicture | None = None
    comparison: Comparison | None = None
    holders: tuple[Holder, ...] = ()
    seen: frozenset[OrderKey] = frozenset()
    answered: Request | None = None
    fault: Fault | None = None

    @property
    def locked(self) -> bool:
        """Whether the records are to be opened first."""
        return self.access is not None and self.access.locked

    def picture_of(self, identifier: object) -> OpenedPicture | None:
        """Return the picture that was opened, where it is this examination's."""
        opened = self.picture
        return opened if opened is not None and opened.record.identifier == identifier else None

    def visits_of(self, lesion: LesionChoice | None) -> tuple[Visit, ...]:
        """Return the pictures of a lesion, where it is the one that is open."""
        return self.visits if self.lesion == lesion else ()

    def opened_as(self, lesion: LesionChoice | None) -> Lesion | None:
        """Return a lesion as it is kept, where it is the one that is open."""
        return self.opened if self.lesion == lesion else None

    @property
    def role(self) -> Role | None:
        """That of whoever opened the records; None where nobody did."""
        return self.access.role if self.access else None
