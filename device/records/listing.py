"""What the archive answers when it is asked for many things at once: pages, and the worklist."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Generic, TypeVar

from device.records.model import ExaminationRecord
from device.records.patients import Decision, Lesion, Patient

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of many.

    Attributes
    ----------
    items
        In their order; as many as were asked for, or fewer on the last page.
    following
        Hand it in as `after` for the page that follows; None on the last one. What is added or
        deleted meanwhile shows no item twice.
    """

    items: tuple[T, ...]
    following: str | None = None


@dataclass(frozen=True, slots=True)
class LesionSummary:
    """A lesion in the list of its patient's.

    Attributes
    ----------
    lesion
        Which.
    examinations
        How many pictures of it are kept.
    newest
        Its newest dermoscopic picture, or its newest picture where there is none; None where no
        picture is filed under it.
    decision
        The newest that was made about it, of whichever picture; None while there is none.
    """

    lesion: Lesion
    examinations: int
    newest: ExaminationRecord | None
    decision: Decision | None = None


class WorkKind(StrEnum):
    """Why an examination is on the worklist.

    Of a lesion's decisions the newest counts alone: whatever was to be done before is done, or is
    decided anew.
    """

    OVERDUE = "overdue"
    """The lesion was to be seen again before today."""
    DUE = "due"
    """The lesion is to be seen again, today or later."""
    UNDECIDED = "undecided"
    """A dermoscopic picture without a decision, of a visit at which and after which none was made
    about its lesion."""
    REFERRED = "referred"
    """Referred or excised, and the diagnosis is not proven yet."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """An examination that something is to be done about.

    Attributes
    ----------
    kind
        Why.
    record
        The examination.
    lesion, patient
        Whose it is; None where it is filed under none.
    due
        When the lesion is to be seen again, of what is due or overdue.
    """

    kind: WorkKind
    record: ExaminationRecord
    lesion: Lesion | None
    patient: Patient | None
    due: date | None
