"""Examined lesions as tests need them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from device.anatomy import BodySite, BodySpot, BodyView, Laterality
from device.diagnoses import Code
from device.exchange import Immersion
from device.inference.finding import Finding, to_record
from device.interop.study import Equipment, ExaminedLesion
from device.models.manifest import Manifest
from device.records.model import Examination, ExaminationRecord, Polarization
from device.records.orders import Order, Referrer
from device.records.patients import Action, Decision, Lesion, Patient, Role, Sex

TAKEN = datetime(2026, 3, 4, 15, 16, 17, 123456, UTC)

PATIENT = Patient(
    key="a1" * 16,
    identifier="MRN-4711",
    name="Núñez, María",
    birth_year=1961,
    sex=Sex.FEMALE,
    phototype=3,
)

LESION = Lesion(
    key="b2" * 16,
    patient=PATIENT.key,
    number=2,
    spot=BodySpot(BodyView.FRONT, 0.3, 0.4, BodySite.FOREARM, Laterality.LEFT),
)

EQUIPMENT = Equipment(
    serial_number="SN-1",
    software="1.2.3",
    institution="Clínica del Sur",
    department="Dermatología",
    contact=True,
    immersion=Immersion.ALCOHOL,
    magnification=10.0,
)

ORDER = Order(
    study_uid="1.2.3.4",
    accession_number="ACC1",
    procedure="P7",
    step="S8",
    description="Skin check",
    referrer=Referrer(
        name="Gómez^Rita", code="7788", scheme="L", meaning="Rita Gómez", institution="Centro 5"
    ),
)

DECISION = Decision(
    decided=datetime(2026, 3, 4, 15, 20, tzinfo=UTC),
    role=Role.CLINICIAN,
    action=Action.EXCISE,
    diagnosis=Code.MEL,
    agrees=True,
    note="asymmetric",
)

SECRETS = (PATIENT.identifier, "Núñez", "María", PATIENT.key, LESION.key, DECISION.note)
"""What stands in no name of a file, log or message."""


def pixels(number: int = 1, height: int = 61, width: int = 83) -> np.ndarray:
    """Return noise of odd sizes: nothing may be padded, turned or rounded."""
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)


def examined(
    manifest: Manifest, finding: Finding | None = None, number: int = 1, **changes: Any
) -> ExaminedLesion:
    """Return an examination of a patient's lesion.

    Parameters
    ----------
    finding
        What the model said of it.
    number
        Tells its picture and its record from others.
    changes
        Of the record (`decision`, `kind`, `order`, `taken`, `polarization`), or of the whole.
    """
    identifier = f"{number:06d}-20260304T151617Z-abcdef"
    record = ExaminationRecord(
        schema_version=2,
        identifier=identifier,
        taken=TAKEN,
        polarization=Polarization.POLARIZED,
        finding=to_record(finding, identifier, []) if finding else None,
        lesion=LESION.key,
    )
    of_record = {
        name: changes.pop(name) for name in ("decision", "kind", "order") if name in changes
    }
    of_record |= {name: changes.pop(name) for name in ("taken", "polarization") if name in changes}
    record = msgspec.structs.replace(record, **of_record)
    whole = {"patient": PATIENT, "lesion": LESION, "mm_per_pixel": 0.02} | changes
    return ExaminedLesion(
        examination=Examination(record, pixels(number)),
        classes=manifest.classes,
        equipment=EQUIPMENT,
        **whole,
    )


def without_patient(one: ExaminedLesion) -> ExaminedLesion:
    """Return an examination as it is before it is filed."""
    return replace(one, patient=None, lesion=None)
