import csv
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec
import pytest

from device.errors import ExportError
from device.imaging.abcd import AbcdMeasures
from device.inference.finding import Finding
from device.interop.tables import export_csv, export_json
from device.models.manifest import Manifest
from device.records.model import Examination
from tests.device.interop.studies import DECISION, examined, without_patient


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_both_tables_tell_the_same(manifest: Manifest, finding: Finding, tmp_path: Path) -> None:
    decision = msgspec.structs.replace(DECISION, due=date(2026, 6, 1), note="dice: «cambia»")
    kept = [
        examined(manifest, finding, 1, decision=decision),
        without_patient(examined(manifest, None, 2)),
    ]
    assert export_csv(iter(kept), tmp_path / "a.csv") == 2
    assert export_json(iter(kept), tmp_path / "a.jsonl") == 2
    first, second = rows(tmp_path / "a.csv")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    for row, line in zip((first, second), lines, strict=True):
        assert row.keys() == line.keys()
        for name, value in row.items():
            assert value == ("" if line[name] is None else str(line[name]))
    assert (first["patient"], first["name"], first["age"]) == ("MRN-4711", "Núñez, María", "65")
    assert (first["site"], first["side"], first["lesion"]) == ("forearm", "left", "2")
    assert float(first["p_mel"]) == finding.probability("mel")
    assert (first["action"], first["due"]) == ("excise", "2026-06-01")
    assert (first["diagnosis"], first["note"]) == ("mel", "dice: «cambia»")
    assert second["patient"] == second["finding"] == second["action"] == ""
    assert (tmp_path / "a.csv").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_cell_is_a_formula(manifest: Manifest, tmp_path: Path, evil: str) -> None:
    one = examined(manifest, decision=msgspec.structs.replace(DECISION, note=evil))
    export_csv([one], tmp_path / "a.csv")
    assert rows(tmp_path / "a.csv")[0]["note"] == f"'{evil}"


def test_border_is_the_rules_and_the_outlines_shape_stands_beside_it(
    manifest: Manifest, tmp_path: Path
) -> None:
    measures = AbcdMeasures(1, 0.1, 1.18, ("black", "red"), 0.5, 0.2, border=8)
    one = examined(manifest)
    record = msgspec.structs.replace(one.examination.record, measures=measures)
    one = replace(one, examination=Examination(record, one.examination.image))
    export_csv([one], tmp_path / "a.csv")
    (row,) = rows(tmp_path / "a.csv")
    assert (row["asymmetry"], row["border"], row["border_irregularity"]) == ("1", "8", "1.18")


def test_table_that_breaks_off_leaves_the_one_before(manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")

    def kept():
        yield examined(manifest)
        raise ExportError("gone")

    with pytest.raises(ExportError, match="gone"):
        export_csv(kept(), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be written"):
        export_json([], tmp_path / "file" / "a.jsonl")
