"""From an archive to what leaves it, one examination at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from device.errors import NoSuchRecordError, RecordError
from device.interop.study import Equipment, ExaminedLesion
from device.models.manifest import DiagnosisClass
from device.optics import Optics
from device.records.model import Examination, ExaminationRecord
from device.records.patients import Key, Lesion, Patient


class Pictures(Protocol):
    """What is asked of an archive of examinations."""

    def identifiers(self) -> list[str]:
        """Return the examinations that are kept."""
        ...

    def read(self, identifier: str) -> Examination:
        """Return a kept examination."""
        ...


class Patients(Protocol):
    """What is asked of an archive of patients."""

    def lesion(self, key: Key) -> Lesion:
        """Return a lesion."""
        ...

    def patient(self, key: Key) -> Patient:
        """Return a patient."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """Where examinations are read from, and what else is told with each.

    Attributes
    ----------
    pictures
        The archive.
    patients
        The same one or another; None where nothing is known of patients.
    classes
        What the bundle calls the seven diagnoses.
    equipment
        The instrument.
    optics
        Tells its calibration as it is now, or None where there is none.
    """

    pictures: Pictures
    patients: Patients | None
    classes: tuple[DiagnosisClass, ...]
    equipment: Equipment
    optics: Callable[[], Optics | None]

    def read(self, identifier: str) -> ExaminedLesion:
        """Return an examination with whose it is.

        Raises
        ------
        device.errors.RecordError
            If there is none of that name, or it is damaged.
        """
        examination = self.pictures.read(identifier)
        filed, patients = examination.record.lesion, self.patients
        lesion = patients.lesion(filed) if patients and filed else None
        patient = patients.patient(lesion.patient) if patients and lesion else None
        height, width = examination.image.shape[:2]
        return ExaminedLesion(
            examination=examination,
            classes=self.classes,
            equipment=self.equipment,
            patient=patient,
            lesion=lesion,
            mm_per_pixel=_scale(examination.record, self.optics(), width, height),
        )


def _scale(
    record: ExaminationRecord, optics: Optics | None, width: int, height: int
) -> float | None:
    """Return millimetres a pixel as they were when a picture was taken, or None.

    What was measured then says so; else the calibration does, unless it is a later one: the picture
    may have been taken through another dermatoscope.
    """
    measures, field = record.measures, record.field_of_view
    if measures is not None and measures.diameter_mm is not None and field is not None:
        return measures.diameter_mm / (measures.diameter * field.side)
    if optics is None or record.taken < optics.calibrated:
        return None
    return optics.mm_per_pixel_at(width, height)


def gather(source: Source, pass_over: Callable[[RecordError], None]) -> Iterator[ExaminedLesion]:
    """Yield every examination.

    Parameters
    ----------
    pass_over
        Told of each that cannot be read.
    """
    for identifier in source.pictures.identifiers():
        try:
            examined = source.read(identifier)
        except RecordError as error:
            pass_over(error)
            continue
        yield examined


def find(source: Source, identifier: str) -> ExaminedLesion | None:
    """Return an examination; None where it was deleted.

    Raises
    ------
    device.errors.RecordError
        If it is damaged, or the records are locked.
    """
    try:
        return source.read(identifier)
    except NoSuchRecordError:
        return None
