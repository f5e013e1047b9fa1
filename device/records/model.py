"""What is written of an examination.

The record may grow: a reader passes over keys that it does not know, so that an older program reads
what a newer one has written. The schema version rises only where an older reader would go wrong.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from device.frame import SourceKind
from device.imaging.abcd import AbcdMeasures
from device.imaging.field_of_view import FieldOfView
from device.inference.finding import Finding, FindingRecord, from_record
from device.inference.likeness import Likeness
from device.records.orders import Order
from device.records.patients import Decision, Key

SCHEMA_VERSION: Final = 2
"""Version 1 had neither a version nor the picture's source nor its field of view."""


class PictureKind(StrEnum):
    """What a picture shows."""

    DERMOSCOPIC = "dermoscopic"
    REGION = "region"


class Polarization(StrEnum):
    """The dermatoscope's light."""

    POLARIZED = "polarized"
    UNPOLARIZED = "unpolarized"


class ExaminationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is written of an examination beside its image.

    Attributes
    ----------
    schema_version
        Of the record.
    identifier
        Names the examination; says nothing about the patient.
    taken
        When the picture was taken, UTC, by the instrument's clock.
    clock_set
        Whether that clock can be believed; None in records that were kept before this was told.
    source
        What the picture comes from; None in version 1.
    field_of_view
        In pixels of the image, as the analysis had it; None in version 1.
    finding
        What the model said; None where it has said nothing, as the program or the power failed.
    measures
        What was measured of the lesion, where an outline was found.
    kind
        What the picture shows; one of a region has no finding.
    polarization
        The light that it was taken in; None where that is not known.
    lesion
        Key of the lesion; None while the picture is filed under none.
    decision
        The clinician's; None while there is none.
    likeness
        What the network made of the lesion, to be compared with others; None where it gave none.
    order
        What the clinic's worklist asked for; None where it did not. It is the patient's: a picture
        that is filed elsewhere has none.
    """

    schema_version: int = 1
    identifier: str
    taken: Annotated[datetime, msgspec.Meta(tz=True)]
    clock_set: bool | None = None
    source: SourceKind | None = None
    field_of_view: FieldOfView | None = None
    finding: FindingRecord | None = None
    measures: AbcdMeasures | None = None
    kind: PictureKind = PictureKind.DERMOSCOPIC
    polarization: Polarization | None = None
    lesion: Key | None = None
    decision: Decision | None = None
    likeness: Likeness | None = None
    order: Order | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """A kept examination, read back.

    Attributes
    ----------
    record
        What is written of it.
    image
        uint8, (height, width, 3), RGB.
    """

    record: ExaminationRecord
    image: NDArray[np.uint8]


def finding_of(record: ExaminationRecord) -> Finding | None:
    """Return what the model said of a kept picture; None where it said nothing."""
    if record.finding is None or record.field_of_view is None:
        return None
    return from_record(record.finding, record.field_of_view)
