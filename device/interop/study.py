"""One examination with all that other systems are told of it."""

import uuid
from dataclasses import dataclass
from datetime import datetime

import msgspec

from device.diagnoses import Code
from device.exchange import Immersion
from device.inference.finding import FindingRecord
from device.inference.recommendation import Recommendation
from device.interop.identifiers import derived_uuid
from device.models.manifest import DiagnosisClass
from device.records.model import Examination
from device.records.orders import Order
from device.records.patients import Action, Decision, Lesion, Patient


@dataclass(frozen=True, slots=True)
class Equipment:
    """The instrument, and whose it is.

    Attributes
    ----------
    serial_number
        Tells it from others of its make.
    software
        The program's version.
    institution, department
        Empty where they are not set.
    contact
        Whether the dermatoscope touches the skin; None where that is not set.
    immersion
        What lies between, where it touches.
    magnification
        Optical, or None.
    colour_temperature
        Of its light in kelvin, or None.
    """

    serial_number: str
    software: str
    institution: str = ""
    department: str = ""
    contact: bool | None = None
    immersion: Immersion | None = None
    magnification: float | None = None
    colour_temperature: int | None = None


def asks_for_more(finding: FindingRecord) -> bool:
    """Tell whether a finding asks for the lesion to be seen again."""
    return finding.recommendation in (Recommendation.REFER, Recommendation.NOT_EXCLUDED)


@dataclass(frozen=True, slots=True, eq=False)
class ExaminedLesion:
    """An examination, of whom and of what, and what with.

    Attributes
    ----------
    examination
        The picture and what is written of it.
    classes
        What the bundle calls the seven diagnoses, and their codes.
    equipment
        What it was taken with.
    patient, lesion
        None where the picture is filed under none.
    mm_per_pixel
        Of the picture, where the optics are calibrated.
    """

    examination: Examination
    classes: tuple[DiagnosisClass, ...]
    equipment: Equipment
    patient: Patient | None = None
    lesion: Lesion | None = None
    mm_per_pixel: float | None = None

    @property
    def finding(self) -> FindingRecord | None:
        """What the model said, if it said anything."""
        return self.examination.record.finding

    @property
    def decision(self) -> Decision | None:
        """What the clinician decided; None while that is open."""
        return self.examination.record.decision

    @property
    def order(self) -> Order | None:
        """What the clinic's worklist asked for; None where it did not."""
        return self.examination.record.order

    @property
    def taken(self) -> datetime:
        """When, in the instrument's own time zone: clinics date by the wall clock."""
        return self.examination.record.taken.astimezone()

    @property
    def flagged(self) -> bool:
        """Whether the lesion is to be seen again: the decision says so, or else the finding."""
        if self.decision is not None:
            return self.decision.action is not Action.NOTHING
        return self.finding is not None and asks_for_more(self.finding)

    @property
    def patient_identifier(self) -> str:
        """What the clinic calls the patient by.

        Of a picture without a patient it is one of its own: archives put together whatever has
        the same identifier, or none.
        """
        if self.patient is not None:
            return self.patient.identifier
        return f"unfiled-{self._examined('unfiled').hex[:16]}"

    @property
    def patient_uuid(self) -> uuid.UUID:
        """The patient, or whoever the picture is of."""
        if self.patient is None:
            return self._examined("patient")
        return derived_uuid("patient", self.patient.key)

    @property
    def lesion_uuid(self) -> uuid.UUID | None:
        """The lesion, through all visits; None where the picture is filed under none."""
        return derived_uuid("lesion", self.lesion.key) if self.lesion else None

    @property
    def visit_uuid(self) -> uuid.UUID:
        """The patient's visit: one for a day."""
        return derived_uuid("visit", str(self.patient_uuid), f"{self.taken:%Y%m%d}")

    @property
    def image_uuid(self) -> uuid.UUID:
        """The picture as it is filed: filed elsewhere it is another object for other systems."""
        return self._examined("image", *self._filed)

    @property
    def report_uuid(self) -> uuid.UUID:
        """What is said of the picture now: it changes with the finding and the decision."""
        finding, decision = self.finding, self.decision
        said = (msgspec.json.encode(part).decode() for part in (finding, decision))
        return self._examined("report", *self._filed, *said)

    @property
    def examination_uuid(self) -> uuid.UUID:
        """The examination, whatever is filed or decided of it later."""
        return self._examined("examination")

    @property
    def _filed(self) -> tuple[str, ...]:
        patient, lesion = (
            self.patient.key if self.patient else "",
            self.lesion.key if self.lesion else "",
        )
        # In another study it is another object.
        return (patient, lesion, self.order.study_uid) if self.order else (patient, lesion)

    def _examined(self, what: str, *keys: str) -> uuid.UUID:
        record = self.examination.record
        # The time tells apart what two instruments numbered alike.
        return derived_uuid(what, record.identifier, record.taken.isoformat(), *keys)

    def name_of(self, code: Code, language: str = "en") -> str:
        """Return what a diagnosis is called in a language."""
        names = next(c.names for c in self.classes if c.code == code)
        return names.get(language, names["en"])
