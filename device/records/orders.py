"""What the clinic's worklist asked for, which goes back to it with whatever is exported."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from device.records.patients import Sex

_Short = Annotated[str, msgspec.Meta(max_length=16)]
_Words = Annotated[str, msgspec.Meta(max_length=64)]
_Uid = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+(\.[0-9]+)*\Z", max_length=64)]


OrderKey = tuple[str, str]


class Referrer(msgspec.Struct, frozen=True, kw_only=True):
    """Who refers the patient.

    Attributes
    ----------
    name
        As the worklist writes it: a DICOM person name.
    code, scheme, meaning
        What the clinic knows the person by, of which coding scheme, and in words; may be empty.
    institution
        Where the code is known; may be empty.
    """

    name: _Words = ""
    code: _Short = ""
    scheme: _Short = ""
    meaning: _Words = ""
    institution: _Words = ""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order of a patient's examination.

    Attributes
    ----------
    study_uid
        Of the study that the pictures belong to.
    accession_number, procedure, step
        As the clinic numbers the request, its procedure and the scheduled step; may be empty.
    description
        Of the procedure; may be empty.
    referrer
        Who asks; None where that is not told.
    """

    study_uid: _Uid
    accession_number: _Short = ""
    procedure: _Short = ""
    step: _Short = ""
    description: _Words = ""
    referrer: Referrer | None = None

    @property
    def key(self) -> OrderKey:
        """What tells it from others: its study, and which step of it."""
        return self.study_uid, self.step


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Someone who is to be examined.

    Attributes
    ----------
    identifier, name
        As the clinic calls the patient; the name may be empty.
    birth_year, sex
        Where the worklist tells them.
    time
        Of the appointment, as HHMM; may be empty.
    order
        What was asked for.
    """

    identifier: str
    name: str
    birth_year: int | None
    sex: Sex | None
    time: str
    order: Order
