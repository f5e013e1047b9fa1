"""Examinations as DICOM files in a folder, for a USB stick: no name of a file tells of whom."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from device.interop.dicom_image import dicom_image
from device.interop.dicom_report import dicom_report
from device.interop.files import write_export
from device.interop.study import ExaminedLesion

if TYPE_CHECKING:
    from pydicom import Dataset


def export_dicom(examined: Iterable[ExaminedLesion], folder: Path) -> int:
    """Write the picture and the report of each examination, and return how many there were.

    A folder for each study, within it ``NAME.dcm`` and ``NAME-report.dcm``; written again, files
    have the same names.

    Raises
    ------
    device.errors.ExportError
        If a file cannot be written, or what it takes is not installed.
    """
    count = 0
    for one in examined:
        image = dicom_image(one)
        study = folder / one.visit_uuid.hex[:16]
        name = one.image_uuid.hex[:16]
        write_export(study / f"{name}.dcm", dicom_bytes(image))
        report = dicom_report(one, image)
        if report is not None:
            write_export(study / f"{name}-report.dcm", dicom_bytes(report))
        count += 1
    return count


def dicom_bytes(dataset: "Dataset") -> bytes:
    """Return a dataset as the bytes of a DICOM file (PS3.10)."""
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
