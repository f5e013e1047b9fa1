"""From a clinician's decisions to a model that was trained on them."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest

from build_host.datasets.clinic import read_clinic
from build_host.datasets.split import fold_of
from build_host.pipeline.workspace import open_draft
from build_host.run_folder import RunFolder
from device.diagnoses import Code
from device.interop.study import ExaminedLesion
from device.interop.training_pictures import export_training, lesion_pseudonym
from device.models.manifest import Manifest
from device.records.model import Examination
from device.records.patients import Lesion, Proof
from tests.build_host import drawn
from tests.build_host.conftest import Done
from tests.device.interop.studies import DECISION, PATIENT, examined

pytestmark = pytest.mark.tensorflow


def corrected(manifest: Manifest) -> list[ExaminedLesion]:
    """Return a clinic's examinations, each decided by a clinician, of lesions in every fold."""
    keys: dict[str, str] = {}
    free = {fold: names(fold) for fold in range(5)}
    every = []
    for number, row in enumerate(drawn.rows("corrected-")):
        name = row["lesion_id"]
        key = keys.setdefault(name, next(free[fold_of(name)]) if name not in keys else "")
        lesion = Lesion(key=key, patient=PATIENT.key, number=1)
        decision = msgspec.structs.replace(
            DECISION, diagnosis=Code(row["dx"]), proof=Proof(row["dx_type"])
        )
        one = examined(manifest, number=number + 1, decision=decision, lesion=lesion)
        pixels = np.asarray(drawn.picture(row["dx"], number, 1))
        every.append(
            ExaminedLesion(
                examination=Examination(one.examination.record, pixels),
                classes=one.classes, equipment=one.equipment, patient=one.patient, lesion=lesion,
            )
        )  # fmt: skip
    return every


def names(fold: int):
    """Yield keys of lesions whose pseudonyms fall into a fold."""
    return (key for number in count() if fold_of(lesion_pseudonym(key := f"{number:032x}")) == fold)


def test_model_is_trained_on_what_the_clinicians_decided(
    manifest: Manifest,
    write_config: Callable[..., Path],
    command: Callable[..., Done],
    tmp_path: Path,
) -> None:
    kept = corrected(manifest)
    folder = tmp_path / "corrections"
    assert export_training(iter(kept), folder) == len(kept)
    dataset = read_clinic(folder)
    decided = {
        (lesion_pseudonym(one.lesion.key), one.decision.diagnosis, one.decision.proof)
        for one in kept
    }
    told = {(r.lesion_id, r.dx, r.dx_type) for r in dataset.records}
    assert {(lesion, dx) for lesion, dx, _ in told} == {(key, dx) for key, dx, _ in decided}
    assert len(dataset.records) == len(kept)
    config = write_config(tmp_path, epochs=1)
    text = config.read_text()
    config.write_text(f'sources = ["clinic"]\n{text}')
    data = ("--clinic", folder)
    done = command("train", *data, "--config", config, "--out", tmp_path / "runs")
    assert done.status == 0, done.err
    (run,) = (Path(line[5:]) for line in done.out.splitlines() if line.startswith("Run: "))
    done = command("compress", run, *data)
    assert done.status == 0, done.err
    trained = open_draft(RunFolder(run)).manifest
    assert trained.provenance.sources == ("clinic",)
    assert trained.provenance.dataset == "corrections"
