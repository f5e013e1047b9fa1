"""From an archive to what leaves it, one examination at a time."""

from collections.abc import Callable, Iterator
from typing import Protocol

from device.errors import RecordError
from device.interop.study import Equipment, ExaminedLesion
from device.models.manifest import DiagnosisClass
from device.optics import Optics
from device.records.model import Examination
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


def gather(
    pictures: Pictures,
    patients: Patients | None,
    classes: tuple[DiagnosisClass, ...],
    equipment: Equipment,
    optics: Optics | None,
    pass_over: Callable[[RecordError], None],
) -> Iterator[ExaminedLesion]:
    """Yield the examinations of an archive, with whose they are.

    Parameters
    ----------
    patients
        None for an archive that knows of none.
    optics
        The calibration, where there is one.
    pass_over
        Told of each examination that cannot be read.
    """
    for identifier in pictures.identifiers():
        try:
            examination = pictures.read(identifier)
            filed = examination.record.lesion
            lesion = patients.lesion(filed) if patients and filed else None
            patient = patients.patient(lesion.patient) if patients and lesion else None
        except RecordError as error:
            pass_over(error)
            continue
        height, width = examination.image.shape[:2]
        yield ExaminedLesion(
            examination=examination,
            classes=classes,
            equipment=equipment,
            patient=patient,
            lesion=lesion,
            mm_per_pixel=optics.mm_per_pixel_at(width, height) if optics else None,
        )
