"""What the clinic's own people enter: the patient, the lesion, and the decision."""

import secrets
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from device.anatomy import BodySpot
from device.diagnoses import Code

Key = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
"""Random, 128 bits: says nothing of whom or what it stands for."""


def new_key() -> Key:
    """Return a key that nothing else has."""
    return secrets.token_hex(16)


Words = Annotated[str, msgspec.Meta(max_length=500)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Sex(StrEnum):
    """As DICOM's Patient's Sex (0010,0040) and FHIR's administrative gender can say it."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"


class Role(StrEnum):
    """Who uses the instrument."""

    CLINICIAN = "clinician"
    FIELD = "field"
    SERVICE = "service"


class Action(StrEnum):
    """What is done about a lesion."""

    NOTHING = "nothing"
    FOLLOW_UP = "follow-up"
    REFER = "refer"
    EXCISE = "excise"


class Proof(StrEnum):
    """How a diagnosis was proven, as HAM10000's ``dx_type`` names it."""

    HISTOPATHOLOGY = "histo"
    FOLLOW_UP = "follow_up"
    CONSENSUS = "consensus"
    CONFOCAL = "confocal"


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    """A patient.

    Attributes
    ----------
    key
        Names the patient in the archive.
    identifier
        What the clinic calls the patient by: scanned or typed, one patient's alone.
    name
        Empty unless the clinic's settings allow names.
    birth_year, sex, phototype
        Where they are known; the phototype is Fitzpatrick's, 1 to 6.
    """

    key: Key
    identifier: Label
    name: Annotated[str, msgspec.Meta(max_length=64)] = ""
    birth_year: Annotated[int, msgspec.Meta(ge=1900, le=2200)] | None = None
    sex: Sex | None = None
    phototype: Annotated[int, msgspec.Meta(ge=1, le=6)] | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the clinician decided of an examination.

    Attributes
    ----------
    decided
        When, UTC.
    role
        Of whoever decided.
    action
        What is done.
    due
        When a lesion that is followed up is to be seen again.
    diagnosis
        The clinician's own; None where it is none of the seven or left open.
    other_diagnosis
        In words, where it is none of the seven.
    agrees
        Whether the clinician agrees with the model; None where that was not said.
    proof
        How the diagnosis was proven; None while it is clinical.
    note
        In the clinician's words.
    """

    decided: Annotated[datetime, msgspec.Meta(tz=True)]
    role: Role
    action: Action
    due: date | None = None
    diagnosis: Code | None = None
    other_diagnosis: Words = ""
    agrees: bool | None = None
    proof: Proof | None = None
    note: Words = ""


class Lesion(msgspec.Struct, frozen=True, kw_only=True):
    """A lesion of a patient: what its pictures of all visits have in common.

    Attributes
    ----------
    key
        Names the lesion in the archive; its DICOM tracking UID is made of it.
    patient
        Key of the patient.
    number
        Counts the patient's lesions from 1, as the screen and reports call it.
    spot
        Where it lies; None where that was not entered.
    """

    key: Key
    patient: Key
    number: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    spot: BodySpot | None = None
