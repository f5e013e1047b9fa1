"""The clinic's worklist: who is to be examined today (PS3.4 K, Modality Worklist, C-FIND)."""

import contextlib
import time
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from device.errors import RefusedError
from device.exchange import DicomPeer
from device.interop.dicom_image import text
from device.interop.dicom_network import CHECK_OTHER_END, PATIENCE, associated, no_answer
from device.language import translatable
from device.records.orders import Order, Referrer, Scheduled
from device.records.patient_tables import checked
from device.records.patients import Sex

if TYPE_CHECKING:
    from pydicom import Dataset

_FIND: Final = "1.2.840.10008.5.1.4.31"
_PENDING: Final = (0xFF00, 0xFF01)
_SEXES: Final = {"F": Sex.FEMALE, "M": Sex.MALE, "O": Sex.OTHER}
_MOST: Final = 500
"""Entries that are read: a peer may never end."""


def find_scheduled(peer: DicomPeer, day: date, patience: float = PATIENCE) -> tuple[Scheduled, ...]:
    """Return who is scheduled for the instrument on a day, by time.

    Raises
    ------
    device.errors.UnreachableError
        If the worklist cannot be reached, or does not answer.
    device.errors.RefusedError
        If it answers with a failure.
    """
    with associated(peer, (_FIND,), patience) as association:
        found: list[Scheduled] = []
        try:
            answers = association.send_c_find(_question(peer, day), _FIND)
        except RuntimeError:  # it hung up in this very moment
            raise no_answer(peer) from None
        end = time.monotonic() + patience
        for number, (status, answer) in enumerate(answers):
            if "Status" not in status or time.monotonic() > end:
                # It may go on for ever, an entry at a time.
                association.abort()
                raise no_answer(peer)
            if number == _MOST:
                association.abort()
                break
            if status.Status in _PENDING:
                if answer is not None:
                    found.extend(_scheduled(answer))
            elif status.Status != 0:
                raise _refused(peer, f"{status.Status:04X}")
    return tuple(sorted(found, key=lambda one: (one.time, one.identifier)))


def _question(peer: DicomPeer, day: date) -> "Dataset":
    from pydicom import Dataset

    question = Dataset()
    question.SpecificCharacterSet = "ISO_IR 192"
    for name in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber",
        "StudyInstanceUID", "RequestedProcedureID", "RequestedProcedureDescription",
        "ReferringPhysicianName",
    ):  # fmt: skip
        setattr(question, name, "")
    question.ReferringPhysicianIdentificationSequence = []
    step = Dataset()
    step.ScheduledStationAETitle = peer.own_title
    step.ScheduledProcedureStepStartDate = f"{day:%Y%m%d}"
    step.ScheduledProcedureStepStartTime = ""
    step.Modality = ""
    step.ScheduledProcedureStepID = ""
    step.ScheduledProcedureStepDescription = ""
    question.ScheduledProcedureStepSequence = [step]
    return question


def _scheduled(answer: "Dataset") -> list[Scheduled]:
    """Return an entry; none where it names no patient or no study, without which it is no use."""
    try:
        steps = answer.get("ScheduledProcedureStepSequence") or [answer]
        step = steps[0]
        identifier, study = _said(answer, "PatientID"), _said(answer, "StudyInstanceUID")
        if not identifier or not study:
            return []
        born = None
        with contextlib.suppress(ValueError):
            born = int(_said(answer, "PatientBirthDate")[:4])
        return [
            Scheduled(
                identifier=identifier,
                name=_plain_name(answer.get("PatientName")),
                birth_year=born if born and 1900 <= born <= 2200 else None,
                sex=_SEXES.get(_said(answer, "PatientSex")),
                time=_said(step, "ScheduledProcedureStepStartTime")[:4],
                # A number that DICOM would not bear is of no use: it could not be sent back.
                order=checked(
                    Order(
                        study_uid=study,
                        accession_number=_said(answer, "AccessionNumber", 16),
                        procedure=_said(answer, "RequestedProcedureID", 16),
                        step=_said(step, "ScheduledProcedureStepID", 16),
                        description=_said(answer, "RequestedProcedureDescription"),
                        referrer=_referrer(answer),
                    )
                ),
            )
        ]
    except Exception:
        # A value that is none shows only when it is read, and each kind in its own way.
        return []


def _referrer(answer: "Dataset") -> Referrer | None:
    """Return who refers the patient, with the first code of the first institution."""
    name = text(str(answer.get("ReferringPhysicianName") or ""))
    person = next(iter(answer.get("ReferringPhysicianIdentificationSequence") or ()), None)
    codes = person.get("PersonIdentificationCodeSequence") if person is not None else None
    if person is None or not codes:
        return Referrer(name=name) if name else None
    return Referrer(
        name=name,
        code=_said(codes[0], "CodeValue", 16),
        scheme=_said(codes[0], "CodingSchemeDesignator", 16),
        meaning=_said(codes[0], "CodeMeaning"),
        institution=_said(person, "InstitutionName"),
    )


def _said(dataset: "Dataset", name: str, longest: int = 64) -> str:
    """Return one value as text; empty where there is none, or there are several."""
    value = dataset.get(name)
    return text(str(value), longest) if isinstance(value, str | int) else ""


def _plain_name(name: Any) -> str:
    """Return a DICOM person name as it is typed here: family name, given names."""
    parts = [text(str(getattr(name, part, ""))) for part in ("family_name", "given_name")]
    return text(", ".join(part for part in parts if part))


def _refused(peer: DicomPeer, detail: str) -> RefusedError:
    return RefusedError(
        translatable("{target} does not answer with a worklist"),
        action=CHECK_OTHER_END,
        detail=detail,
        target=peer.name,
    )
