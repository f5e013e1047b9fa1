"""Examinations as a DICOM file-set in a folder, for a USB stick (PS3.10): no name tells of whom."""

import base64
import io
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.errors import ExportError
from device.interop.dicom_directory import DicomDirectory
from device.interop.dicom_image import dicom_image
from device.interop.dicom_report import dicom_report
from device.interop.files import remove_export, remove_unfinished, write_export
from device.interop.identifiers import derived_uuid
from device.interop.study import ExaminedLesion
from device.language import translatable
from device.text import printable_path

if TYPE_CHECKING:
    from pydicom import Dataset

INDEX: Final = "DICOMDIR"
FOLDER: Final = "DICOM"


def export_dicom(examined: Iterable[ExaminedLesion], folder: Path) -> int:
    """Write the picture and the report of each examination, and return how many there were.

    A folder for each study and in it the files, then their index. It is removed first and written
    last: a folder without one is unfinished. Written again, files have the same names.

    Raises
    ------
    device.errors.ExportError
        If a file cannot be written, another instrument's or program's index lies there, or what it
        takes is not installed.
    """
    directory, name, count = DicomDirectory(), "", 0
    for one in examined:
        if not name:
            name = _file_set(one)
            _begin(folder, name)
        image = dicom_image(one)
        report = dicom_report(one, image)
        study = _short("S", one.visit_uuid)
        for letter, dataset in (("I", image), ("R", report)):
            if dataset is not None:
                file = (FOLDER, study, _short(letter, one.image_uuid))
                write_export(folder.joinpath(*file), dicom_bytes(dataset))
                directory.add(dataset, file)
        count += 1
    if count:
        write_export(folder / INDEX, directory.encode(name))
    return count


def dicom_bytes(dataset: "Dataset") -> bytes:
    """Return a dataset as the bytes of a DICOM file (PS3.10)."""
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _file_set(examined: ExaminedLesion) -> str:
    """Return what an instrument calls its file-sets."""
    device = derived_uuid("device", examined.equipment.serial_number)
    return f"DERMA_{device.hex[:10].upper()}"


def _short(letter: str, identifier: uuid.UUID) -> str:
    """Return a name of eight capitals and digits (PS3.10 8.5)."""
    return letter + base64.b32encode(identifier.bytes).decode()[:7]


def _begin(folder: Path, name: str) -> None:
    """See that no other index lies in a folder, and remove what an earlier export left there.

    Raises
    ------
    device.errors.ExportError
        If another one does.
    """
    index = folder / INDEX
    if index.exists() and _name_of(index) != name:
        raise ExportError(
            translatable("other DICOM files lie in this folder"),
            action=translatable("name another folder"),
            where=printable_path(folder),
        )
    remove_export(index)
    remove_unfinished(folder, INDEX, f"{FOLDER}/*/*")


def _name_of(index: Path) -> str | None:
    """Return what a file-set is called; None where that cannot be read."""
    from pydicom import dcmread

    try:
        return str(dcmread(index, specific_tags=["FileSetID"]).FileSetID)
    except Exception:
        # What was written elsewhere may be damaged in any way.
        return None
