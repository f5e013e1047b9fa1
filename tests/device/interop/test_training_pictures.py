import csv
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from device.diagnoses import Code
from device.imaging.field_of_view import FieldOfView, Square
from device.interop.study import ExaminedLesion
from device.interop.training_pictures import export_training, lesion_pseudonym
from device.models.manifest import Manifest
from device.records.model import Examination, PictureKind
from device.records.patients import Proof
from tests.device.interop.studies import (
    DECISION,
    LESION,
    SECRETS,
    TAKEN,
    examined,
    without_patient,
)


def decided(manifest: Manifest, number: int, later: int = 0, **changes: Any) -> ExaminedLesion:
    when = DECISION.decided + timedelta(days=later)
    decision = msgspec.structs.replace(DECISION, decided=when, **changes)
    return examined(manifest, number=number, decision=decision)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "images.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_only_dermoscopic_pictures_with_a_diagnosis_are_written(
    manifest: Manifest, tmp_path: Path
) -> None:
    kept = [
        decided(manifest, 1),
        examined(manifest, number=2),
        decided(manifest, 3, diagnosis=None),
        examined(manifest, number=4, decision=DECISION, kind=PictureKind.REGION),
        without_patient(decided(manifest, 5, diagnosis=None, other_diagnosis="Psoriasis")),
    ]
    assert export_training(iter(kept), tmp_path) == 2
    told = {row["dx"]: row for row in rows(tmp_path)}
    assert told.keys() == {"mel", ""}
    assert (told["mel"]["sex"], told["mel"]["site"]) == ("female", "forearm")
    assert told["mel"]["age"] == "65"
    assert (told[""]["sex"], told[""]["age"], told[""]["site"]) == ("unknown", "", "unknown")
    names = sorted(path.stem for path in (tmp_path / "images").iterdir())
    assert names == sorted(row["image"] for row in told.values())


def test_all_pictures_of_a_lesion_have_the_diagnosis_that_is_proven_best(
    manifest: Manifest, tmp_path: Path
) -> None:
    kept = [
        decided(manifest, 1, later=9, diagnosis=Code.NV),
        decided(manifest, 2, diagnosis=Code.MEL, proof=Proof.HISTOPATHOLOGY),
        decided(manifest, 3, later=5, diagnosis=Code.BKL, proof=Proof.CONSENSUS),
    ]
    export_training(kept, tmp_path)
    assert {(row["dx"], row["confirmed_by"]) for row in rows(tmp_path)} == {("mel", "histo")}
    assert {row["lesion"] for row in rows(tmp_path)} == {lesion_pseudonym(LESION.key)}
    export_training([kept[0], decided(manifest, 4, later=12, diagnosis=Code.DF)], tmp_path)
    assert {row["dx"] for row in rows(tmp_path)} == {"df"}


def test_nothing_tells_whose_or_when(manifest: Manifest, tmp_path: Path) -> None:
    one = decided(manifest, 1, note="Doña María")
    export_training([one], tmp_path)
    for path in tmp_path.rglob("*"):
        said = str(path.relative_to(tmp_path)).encode()
        if path.is_file():
            said += path.read_bytes()
        for secret in (*SECRETS, "2026", one.examination.record.identifier, "Doña", "SN-1"):
            assert secret.encode() not in said
    for name in (one.image_uuid, one.lesion_uuid, one.patient_uuid):
        assert name.hex not in (tmp_path / "images.csv").read_text()
    (picture,) = (tmp_path / "images").iterdir()
    with Image.open(picture) as image:
        assert not image.getexif()
        assert image.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert TAKEN.year == 2026


def test_what_the_model_is_shown_is_written(manifest: Manifest, tmp_path: Path) -> None:
    one = decided(manifest, 1)
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[15:45, 25:55] = (200, 120, 100)
    field = FieldOfView(10, 0, 60, Square(25, 15, 30))
    record = msgspec.structs.replace(one.examination.record, field_of_view=field)
    export_training([replace(one, examination=Examination(record, pixels))], tmp_path)
    (picture,) = (tmp_path / "images").iterdir()
    with Image.open(picture) as image:
        written = np.asarray(image).astype(int)
    assert written.shape == (30, 30, 3)
    assert abs(written - (200, 120, 100)).max() <= 3
