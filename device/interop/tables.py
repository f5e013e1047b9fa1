"""The kept examinations as a table: CSV for spreadsheets, JSON Lines for programs."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from device.diagnoses import CODES
from device.interop.dicom_image import age_in_years
from device.interop.files import export_file
from device.interop.study import ExaminedLesion

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_BYTE_ORDER_MARK: Final = "\ufeff"


def export_csv(examined: Iterable[ExaminedLesion], path: Path) -> int:
    """Write a row for each examination, and return how many there were.

    In UTF-8 with the mark by which spreadsheets know it. Words that a spreadsheet would take for a
    formula begin with an apostrophe.

    Raises
    ------
    device.errors.ExportError
        If the file cannot be written.
    """
    count = 0
    with export_file(path) as file:
        file.write(_BYTE_ORDER_MARK)
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        for one in examined:
            row = {name: _cell(value) for name, value in table_row(one).items()}
            writer.writerow(row)
            count += 1
    return count


def export_json(examined: Iterable[ExaminedLesion], path: Path) -> int:
    """Write a JSON object on a line for each examination, and return how many there were.

    Raises
    ------
    device.errors.ExportError
        If the file cannot be written.
    """
    count = 0
    with export_file(path) as file:
        for one in examined:
            file.write(msgspec.json.encode(table_row(one)).decode() + "\n")
            count += 1
    return count


def table_row(examined: ExaminedLesion) -> dict[str, Any]:
    """Return what the tables tell of an examination; None for what is not known."""
    record, patient, lesion = examined.examination.record, examined.patient, examined.lesion
    spot = lesion.spot if lesion else None
    finding, decision, measures = record.finding, record.decision, record.measures
    row: dict[str, Any] = dict.fromkeys(_COLUMNS)
    row |= {
        "examination": record.identifier,
        "taken": record.taken.isoformat(),
        "kind": record.kind.value,
        "polarization": record.polarization and record.polarization.value,
    }
    if patient is not None:
        row |= {
            "patient": patient.identifier,
            "name": patient.name or None,
            "birth_year": patient.birth_year,
            "age": age_in_years(examined),
            "sex": patient.sex and patient.sex.value,
            "phototype": patient.phototype,
        }
    if lesion is not None:
        row["lesion"] = lesion.number
    if spot is not None:
        row |= {
            "site": spot.site.value,
            "side": spot.laterality and spot.laterality.value,
        }
    if finding is not None:
        row |= {
            "model": finding.model,
            "finding": finding.diagnosis.value,
            "no_call": finding.no_call and finding.no_call.value,
            "recommendation": finding.recommendation and finding.recommendation.value,
            "malignant": finding.malignancy,
        }
        row |= {f"p_{code}": finding.probabilities[code] for code in CODES}
    if measures is not None:
        row |= {
            "asymmetry": measures.asymmetry,
            "border": measures.border,
            "border_irregularity": round(measures.border_irregularity, 3),
            "colours": len(measures.colours),
            "diameter_mm": measures.diameter_mm and round(measures.diameter_mm, 2),
        }
    if decision is not None:
        row |= {
            "decided": decision.decided.isoformat(),
            "action": decision.action.value,
            "due": decision.due and decision.due.isoformat(),
            "diagnosis": decision.diagnosis and decision.diagnosis.value,
            "other_diagnosis": decision.other_diagnosis or None,
            "agrees": decision.agrees,
            "confirmed_by": decision.proof and decision.proof.value,
            "note": decision.note or None,
        }
    return row


_COLUMNS: Final = (
    "examination", "taken", "kind", "polarization",
    "patient", "name", "birth_year", "age", "sex", "phototype", "lesion", "site", "side",
    "model", "finding", "no_call", "recommendation", "malignant",
    *(f"p_{code}" for code in CODES),
    "asymmetry", "border", "border_irregularity", "colours", "diameter_mm",
    "decided", "action", "due", "diagnosis", "other_diagnosis", "agrees", "confirmed_by", "note",
)  # fmt: skip


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
