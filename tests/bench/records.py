"""How long the archive takes to open, search and list, and how that grows with what is in it."""

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from device.records.database import checkpoint, transaction
from device.records.encrypted_archive import EncryptedArchive
from device.records.listing import WorkKind
from device.records.model import ExaminationRecord
from device.records.patient_tables import folded
from device.records.patients import Action, Decision, Lesion, Patient, Role
from tests.device.records.plain import VERSION_2

SIZES: Final = (10_000, 100_000)
LIMIT: Final = 0.05
"""Seconds that each may take with the most examinations."""

ROUNDS: Final = 15
TODAY: Final = date(2026, 6, 1)
_ALL_LATER: Final = date(2025, 6, 16)
"""Before this day nothing was due: every follow-up is passed over on the way to none."""

_PER_LESION: Final = 3
_PER_PATIENT: Final = 4
_BEGAN: Final = datetime(2016, 1, 1, tzinfo=UTC)


def measured() -> dict[str, tuple[list[float], float]]:
    """Return the median seconds of each deed by size, and the exponent at which they grow."""
    found: dict[str, list[float]] = {}
    for size in SIZES:
        with filled(size) as archive:
            for name, seconds in deeds(archive).items():
                found.setdefault(name, []).append(seconds)
    growth = math.log(SIZES[-1] / SIZES[0])
    return {
        name: (seconds, math.log(seconds[-1] / seconds[0]) / growth)
        for name, seconds in found.items()
    }


def deeds(archive: EncryptedArchive) -> dict[str, float]:
    """Return the median seconds of what a clinician waits for."""

    def reopen() -> None:
        archive.close()
        archive.open()

    patients = archive.patients(limit=1000).items
    patient = patients[len(patients) // 2]
    lesion = archive.lesions(patient.key)[0].lesion
    middle = len(archive.identifiers()) // 2
    return {
        "open": median_seconds(reopen),
        "find a patient": median_seconds(lambda: archive.find_patient(patient.identifier)),
        "search by the first digits": median_seconds(lambda: archive.patients("p-0001")),
        "a patient's lesions": median_seconds(lambda: archive.lesions(patient.key)),
        "a lesion's examinations": median_seconds(lambda: archive.of_lesion(lesion.key)),
        "first page of all": median_seconds(archive.examinations),
        "page in the middle of all": median_seconds(lambda: archive.examinations(str(middle))),
        "page that is filed nowhere": median_seconds(archive.unfiled),
        "page of what is overdue": median_seconds(
            lambda: archive.worklist(WorkKind.OVERDUE, TODAY)
        ),
        "page of what is undecided": median_seconds(
            lambda: archive.worklist(WorkKind.UNDECIDED, TODAY)
        ),
        "page of what is overdue, by identifier": median_seconds(
            lambda: archive.worklist(WorkKind.OVERDUE, TODAY, by_identifier=True)
        ),
        "the same, where nothing is overdue": median_seconds(
            lambda: archive.worklist(WorkKind.OVERDUE, _ALL_LATER, by_identifier=True)
        ),
        "how much there is to do": median_seconds(lambda: archive.work_counts(TODAY)),
    }


def median_seconds(deed: Callable[[], object]) -> float:
    """Return the median seconds of a deed."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        deed()
        times.append(time.perf_counter() - began)
    return median(times)


@contextmanager
def filled(size: int) -> Iterator[EncryptedArchive]:
    """Yield an archive of so many examinations, whose pictures are not there."""
    with tempfile.TemporaryDirectory() as folder:
        archive = EncryptedArchive(Path(folder))
        archive.open()
        fill(archive, size)
        yield archive
        archive.close()


def fill(archive: EncryptedArchive, size: int) -> None:
    """Write the rows of so many examinations, and of their patients and lesions, at once."""
    template = msgspec.json.decode(VERSION_2.read_bytes(), type=ExaminationRecord)
    patients, lesions, examinations = [], [], []
    secret = bytes(60)
    for number in range(1, size + 1):
        filed = number % 10 != 0
        lesion_number = number // _PER_LESION
        patient_number = lesion_number // _PER_PATIENT
        patient, lesion = f"{patient_number:032x}", f"{lesion_number:032x}"
        if not patients or patients[-1][0] != patient:
            one = Patient(key=patient, identifier=f"P-{patient_number:06d}", birth_year=1960)
            patients.append((patient, folded(one.identifier), msgspec.json.encode(one), secret))
        if not lesions or lesions[-1][0] != lesion:
            spot = Lesion(key=lesion, patient=patient, number=lesion_number % _PER_PATIENT + 1)
            lesions.append((lesion, patient, spot.number, msgspec.json.encode(spot)))
        taken = _BEGAN + timedelta(hours=number % 87_600)
        identifier = f"{number:06d}-{taken:%Y%m%dT%H%M%SZ}-abcdef"
        due = TODAY + timedelta(days=number % 700 - 350)
        decision = Decision(decided=taken, role=Role.CLINICIAN, action=Action.FOLLOW_UP, due=due)
        last = number % _PER_LESION == _PER_LESION - 1
        record = msgspec.structs.replace(
            template,
            identifier=identifier,
            taken=taken,
            lesion=lesion if filed else None,
            decision=decision if filed and last else None,
        )
        work = ("follow-up" if last else None) if filed else "undecided"
        examinations.append(
            (
                number,
                identifier,
                taken.isoformat(),
                record.lesion,
                record.kind,
                record.decision.action if record.decision else None,
                work,
                due.isoformat() if work == "follow-up" else None,
                3_000_000,
                secret,
                msgspec.json.encode(record),
            )
        )
    assert archive.opened is not None
    tables = archive.opened.connection
    with transaction(tables):
        tables.executemany("INSERT INTO patient VALUES (?, ?, ?, ?)", patients)
        tables.executemany("INSERT INTO lesion VALUES (?, ?, ?, ?)", lesions)
        tables.executemany(
            "INSERT INTO examination (number, identifier, taken, lesion, kind, action, work, due, "
            "size, secret, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            examinations,
        )
    checkpoint(tables)
