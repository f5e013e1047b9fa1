"""What the instrument asks of a place where examinations and patients are kept."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device.anatomy import BodySpot
from device.frame import Frame
from device.imaging.abcd import AbcdMeasures
from device.inference.finding import Finding
from device.records.access import Access, Holder
from device.records.listing import LesionSummary, Page, WorkItem, WorkKind
from device.records.model import Examination, ExaminationRecord, PictureKind, Polarization
from device.records.orders import Order, OrderKey
from device.records.patients import Decision, Key, Lesion, Patient, Sex


class Archive(Protocol):
    """Where examinations are kept: what the recorder's thread asks of it."""

    @property
    def permanent(self) -> bool:
        """Whether what is kept here outlives the program."""
        ...

    def keep(
        self,
        frame: Frame,
        finding: Finding | None,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
        *,
        kind: PictureKind = PictureKind.DERMOSCOPIC,
        polarization: Polarization | None = None,
        lesion: Key | None = None,
        order: Order | None = None,
    ) -> str:
        """Keep an examination and return its identifier once it cannot be lost.

        Parameters
        ----------
        frame
            The picture.
        finding
            What the model said of it; None where it has not been judged yet.
        flags
            Names of the operating points that the finding reaches.
        measures
            Of the lesion, where an outline was found.
        kind
            What the picture shows.
        polarization
            The light that it was taken in; None where that is not known.
        lesion
            Key of the lesion that it is filed under; None to file it later.
        order
            What the clinic's worklist asked for, where it names the lesion's patient; of no use
            without a lesion.

        Raises
        ------
        device.errors.RecordError
            If it cannot be kept; what was there before is untouched.
        """
        ...

    def complete(
        self,
        identifier: str,
        finding: Finding,
        flags: Sequence[str],
        measures: AbcdMeasures | None,
    ) -> None:
        """Write the finding of a picture that was kept before it was judged.

        Parameters are those of `keep`, and what it returned.

        Raises
        ------
        device.errors.RecordError
            If it cannot be written; the picture is still kept.
        """
        ...

    def identifiers(self, newest: int | None = None) -> list[str]:
        """Return the examinations that are kept, in the order in which they were.

        Parameters
        ----------
        newest
            How many of the newest; None for all.
        """
        ...

    def read(self, identifier: str) -> Examination:
        """Return a kept examination.

        Raises
        ------
        device.errors.RecordError
            If there is none of that name, or it is damaged.
        """
        ...

    def catch_up(self) -> Iterator[bool]:
        """Do what is left of earlier days, an examination a step; tell whether it could be done."""
        ...

    def close(self) -> None:
        """Let other programs use the place; whatever is asked next opens it again."""
        ...

    def room(self) -> int | None:
        """Return about how many more examinations there is room for, or None if unknown."""
        ...


class PatientArchive(Archive, Protocol):
    """Where the records of patients are kept, encrypted: all that the instrument asks of it.

    Every change is on the disk when its method returns, whole; one that raises has changed nothing.
    Methods may be called from any thread and wait for each other. They take milliseconds, but for
    `keep`, `read` and `delete_patient` (a picture or more each), and `unlock`, `set_pin` and
    `change_pin` (about a second, as a PIN is to be slow to guess): call these where the screen does
    not wait for them.

    Each method raises, beside what it says itself,

    * `device.errors.RecordsLockedError` while the records are locked;
    * `device.errors.NotAllowedError` where the role of whoever opened them may not do it
      (`device.records.roles`);
    * `device.errors.NoSuchRecordError` where there is no such patient, lesion or examination (any
      more);
    * `device.errors.RecordError`, which all of these are, where the disk fails.
    """

    # Who may see the records.

    @property
    def access(self) -> Access:
        """What opens the records, and who did. Never raises and never waits."""
        ...

    def open(self) -> None:
        """Open the records, unless a PIN is to be entered. Everything else does it too."""
        ...

    def pin_wait(self) -> float:
        """Return the seconds until the next PIN is taken: 0 but after several wrong ones."""
        ...

    def unlock(self, pin: str) -> Holder:
        """Open the records with a PIN, and return whose it is.

        Raises
        ------
        device.errors.WrongPinError
            If it is nobody's, or comes before `pin_wait` is over.
        """
        ...

    def lock(self) -> None:
        """Close the records and forget their keys; without a PIN they stay open."""
        ...

    def holders(self) -> tuple[Holder, ...]:
        """Return who has a PIN."""
        ...

    def set_pin(self, holder: Holder, pin: str) -> None:
        """Give someone a PIN, or another one.

        The first one must be a clinician's. From then on the records are locked at every start.

        Raises
        ------
        device.errors.RecordError
            If the PIN is shorter than six characters or somebody else's, or if there would be no
            clinician.
        """
        ...

    def remove_pin(self, name: str) -> None:
        """Take someone's PIN away.

        Raises
        ------
        device.errors.RecordError
            If nobody of that name has one, or if there would be no clinician.
        """
        ...

    def change_pin(self, old: str, new: str) -> Holder:
        """Replace one's own PIN, whatever the role; also while the records are locked.

        Raises
        ------
        device.errors.WrongPinError
            As `unlock`.
        """
        ...

    # Patients.

    def add_patient(
        self,
        identifier: str,
        *,
        name: str = "",
        birth_year: int | None = None,
        sex: Sex | None = None,
        phototype: int | None = None,
    ) -> Patient:
        """Add a patient and return it with its key.

        Raises
        ------
        device.errors.RecordError
            If another has this identifier (capitals are no difference), or a value is not possible.
        """
        ...

    def change_patient(self, patient: Patient) -> None:
        """Replace what is known of the patient of this key; raises as `add_patient`.

        What is known already is no change, and the trail tells of none.
        """
        ...

    def patient(self, key: Key) -> Patient:
        """Return a patient."""
        ...

    def find_patient(self, identifier: str) -> Patient | None:
        """Return the patient of an identifier, whatever its capitals, or None."""
        ...

    def patients(
        self, prefix: str = "", after: str | None = None, limit: int = 20
    ) -> Page[Patient]:
        """Return the patients whose identifier begins so, in the order of identifiers."""
        ...

    def delete_patient(self, key: Key) -> int:
        """Delete a patient, the lesions, and the examinations with their pictures, for good.

        Returns
        -------
        int
            How many examinations there were.
        """
        ...

    # Lesions.

    def add_lesion(self, patient: Key, spot: BodySpot | None = None) -> Lesion:
        """Add a lesion of a patient, with the next number."""
        ...

    def change_lesion(self, lesion: Lesion) -> None:
        """Replace where the lesion of this key lies; its patient and number stay."""
        ...

    def lesion(self, key: Key) -> Lesion:
        """Return a lesion."""
        ...

    def lesions(self, patient: Key) -> tuple[LesionSummary, ...]:
        """Return a patient's lesions by their number, each with its newest picture's record."""
        ...

    # Examinations.

    def record(self, identifier: str) -> ExaminationRecord:
        """Return what is written of an examination, without its picture."""
        ...

    def thumbnail(self, identifier: str) -> NDArray[np.uint8]:
        """Return an examination's picture in small.

        Returns
        -------
        ndarray
            uint8, (160, 160, 3) at most, RGB: the field of view, or all of a region's picture.
        """
        ...

    def examinations(self, after: str | None = None, limit: int = 20) -> Page[ExaminationRecord]:
        """Return all that is kept, the newest first."""
        ...

    def unfiled(self, after: str | None = None, limit: int = 20) -> Page[ExaminationRecord]:
        """Return the examinations that are filed under no lesion, the newest first."""
        ...

    def of_lesion(
        self, lesion: Key, after: str | None = None, limit: int = 20
    ) -> Page[ExaminationRecord]:
        """Return the examinations of a lesion, the newest first."""
        ...

    def file_examination(self, identifier: str, lesion: Key | None) -> None:
        """File an examination under a lesion, or under another one, or under none."""
        ...

    def decide(self, identifier: str, decision: Decision) -> None:
        """Enter the decision of an examination, or another in its place."""
        ...

    def delete_examination(self, identifier: str) -> None:
        """Delete an examination and its picture for good."""
        ...

    def note_export(self, what: str) -> None:
        """Note in the trail that records are taken out, and how; call it before they are.

        Parameters
        ----------
        what
            What they leave by, such as ``dicom``, and which; names no patient.
        """
        ...

    # The worklist.

    def worklist(
        self,
        kind: WorkKind,
        today: date,
        after: str | None = None,
        limit: int = 20,
        *,
        by_identifier: bool = False,
        prefix: str = "",
    ) -> Page[WorkItem]:
        """Return what is to be done of one kind.

        What is due or overdue comes by its date, the rest with the newest first.

        Parameters
        ----------
        today
            In the clinic's own time.
        by_identifier
            What is filed under patients, in the order of their identifiers.
        prefix
            What these begin with.
        """
        ...

    def orders_of(self, day: date) -> frozenset[OrderKey]:
        """Return the keys of the orders that examinations of a day are kept with.

        Parameters
        ----------
        day
            In the clinic's own time.
        """
        ...

    def work_counts(self, today: date) -> dict[WorkKind, int]:
        """Return how much there is of each kind."""
        ...
