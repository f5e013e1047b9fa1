"""The clinic's diagnoses with their pictures, as the build host reads a clinic's own.

`build_host.datasets.clinic`: ``images.csv`` beside a folder of JPEG files. Nothing of it names a
patient: no identifier, no date, no place.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from device.imaging.field_of_view import crop
from device.interop.dicom_image import age_in_years
from device.interop.files import export_file, remove_unfinished, write_export
from device.interop.identifiers import derived_uuid
from device.interop.study import ExaminedLesion
from device.records.model import PictureKind
from device.records.patients import Decision, Proof, Sex

_COLUMNS: Final = ("image", "lesion", "dx", "confirmed_by", "age", "sex", "site")
_SURER: Final = (None, Proof.FOLLOW_UP, Proof.CONSENSUS, Proof.CONFOCAL, Proof.HISTOPATHOLOGY)
_AGES: Final = 5
"""Years that ages are rounded to, as those of HAM10000 are: fewer people share an exact one."""


@dataclass(frozen=True, slots=True)
class _Picture:
    image: str
    lesion: str
    decision: Decision
    age: int | None
    sex: str
    site: str


def export_training(examined: Iterable[ExaminedLesion], folder: Path) -> int:
    """Write the pictures that have a diagnosis, and return how many there were.

    A diagnosis that is none of the seven has an empty ``dx``. All pictures of a lesion have one
    diagnosis: the one that is proven best, or of two as good, the later.

    Raises
    ------
    device.errors.ExportError
        If a file cannot be written.
    """
    remove_unfinished(folder, "images/*.jpg")
    pictures: list[_Picture] = []
    for one in examined:
        decision = one.decision
        if decision is None or not (decision.diagnosis or decision.other_diagnosis):
            continue
        if one.examination.record.kind is not PictureKind.DERMOSCOPIC:
            continue
        picture = _pseudonymised(one, decision)
        write_export(folder / "images" / f"{picture.image}.jpg", _jpeg(one))
        pictures.append(picture)
    best: dict[str, Decision] = {}
    for picture in pictures:
        known = best.get(picture.lesion)
        if known is None or _sureness(picture.decision) > _sureness(known):
            best[picture.lesion] = picture.decision
    with export_file(folder / "images.csv") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        # By their names, which are as good as random: in the order of their taking they would tell
        # when.
        for picture in sorted(pictures, key=lambda picture: picture.image):
            decision = best[picture.lesion]
            writer.writerow(
                (
                    picture.image,
                    picture.lesion,
                    decision.diagnosis.value if decision.diagnosis else "",
                    decision.proof.value if decision.proof else "",
                    "" if picture.age is None else picture.age,
                    picture.sex,
                    picture.site,
                )
            )
    return len(pictures)


def lesion_pseudonym(key: str) -> str:
    """Return what a lesion is called in training pictures, and nowhere else."""
    return derived_uuid("training lesion", key).hex


def _pseudonymised(examined: ExaminedLesion, decision: Decision) -> _Picture:
    record, lesion, patient = examined.examination.record, examined.lesion, examined.patient
    key = lesion.key if lesion else ""
    image = derived_uuid("training image", key, record.identifier, record.taken.isoformat()).hex
    age = age_in_years(examined)
    sex = patient.sex if patient else None
    return _Picture(
        image=image,
        lesion=lesion_pseudonym(key) if key else image,
        decision=decision,
        age=None if age is None else _AGES * round(age / _AGES),
        sex=sex.value if sex in (Sex.FEMALE, Sex.MALE) else "unknown",
        site=lesion.spot.site.value if lesion and lesion.spot else "unknown",
    )


def _sureness(decision: Decision) -> tuple[int, float]:
    return _SURER.index(decision.proof), decision.decided.timestamp()


def _jpeg(examined: ExaminedLesion) -> bytes:
    """Return what the model was shown of the picture, without any metadata."""
    field = examined.examination.record.field_of_view
    pixels = examined.examination.image
    shown = pixels if field is None else crop(pixels, field.unobstructed)
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(shown))
    picture.save(file, format="JPEG", quality=95, subsampling=0)
    return file.getvalue()
