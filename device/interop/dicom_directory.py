"""The index of a DICOM file-set, by which viewers find what is on a medium (PS3.3 F, PS3.10 8)."""

import hashlib
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from device.interop.identifiers import derived_uuid, dicom_uid

if TYPE_CHECKING:
    from pydicom import Dataset

_BASIC_DIRECTORY: Final = "1.2.840.10008.1.3.10"
_IN_USE: Final = 0xFFFF
_SEQUENCE: Final = struct.pack("<HH2sH", 0x0004, 0x1220, b"SQ", 0)
_ITEM: Final = struct.pack("<HH", 0xFFFE, 0xE000)
_LENGTH: Final = struct.Struct("<I")
_NEXT_AT: Final = 8
_LOWER_AT: Final = 30
"""Where a record holds the offsets of the one after it and of the first below it (PS3.5 7.1.2)."""


@dataclass(slots=True)
class _Node:
    """A record, encoded, and those below it by what tells them apart."""

    record: bytearray
    below: "dict[str, _Node]" = field(default_factory=dict)


class DicomDirectory:
    """Patients, their studies, the series of these, and the files of each.

    Records are kept encoded: some hundred bytes for a file, whatever its picture takes.
    """

    def __init__(self) -> None:
        self._patients: dict[str, _Node] = {}

    def add(self, dataset: "Dataset", file: tuple[str, ...]) -> None:
        """Add a file.

        Parameters
        ----------
        dataset
            What it holds: a picture, or a report.
        file
            Names of its folders and its own: capitals, digits and underscores, at most 8 each.
        """
        patient = _below(self._patients, dataset.PatientID, lambda: _patient(dataset))
        study = _below(patient.below, dataset.StudyInstanceUID, lambda: _study(dataset))
        series = _below(study.below, dataset.SeriesInstanceUID, lambda: _series(dataset))
        _below(series.below, dataset.SOPInstanceUID, lambda: _file(dataset, file))

    def encode(self, name: str) -> bytes:
        """Return the content of the file ``DICOMDIR``.

        Parameters
        ----------
        name
            Of the file-set: capitals, digits and underscores, at most 16.
        """
        laid_out, _ = _laid_out(self._patients, 0)
        digest = hashlib.sha256(laid_out).hexdigest()
        identifier = dicom_uid(derived_uuid("file-set", name, digest))
        begin = len(_head(name, 0, 0, identifier)) + len(_SEQUENCE) + _LENGTH.size
        content, (first, last) = _laid_out(self._patients, begin)
        head = _head(name, first, last, identifier)
        return head + _SEQUENCE + _LENGTH.pack(len(content)) + content


def _laid_out(nodes: dict[str, _Node], begin: int) -> tuple[bytearray, tuple[int, int]]:
    """Return the records as they lie in the file, and the places of the uppermost two."""
    content = bytearray()
    return content, _append(nodes, content, begin)


def _append(nodes: dict[str, _Node], content: bytearray, begin: int) -> tuple[int, int]:
    """Append records and those below them, and return the places of the first and the last."""
    places = []
    for node in nodes.values():
        place = len(content)
        places.append(place)
        content += _ITEM + _LENGTH.pack(len(node.record)) + node.record
        lower, _ = _append(node.below, content, begin)
        _LENGTH.pack_into(content, place + len(_ITEM) + _LENGTH.size + _LOWER_AT, lower)
    for place, after in pairwise(places):
        at = place + len(_ITEM) + _LENGTH.size + _NEXT_AT
        _LENGTH.pack_into(content, at, begin + after)
    return (begin + places[0], begin + places[-1]) if places else (0, 0)


def _below(nodes: dict[str, _Node], key: str, record: Callable[[], "Dataset"]) -> _Node:
    if key not in nodes:
        nodes[key] = _Node(_encoded(record()))
    return nodes[key]


def _record(kind: str, dataset: "Dataset", *names: str) -> "Dataset":
    from pydicom import Dataset

    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord = 0
    record.RecordInUseFlag = _IN_USE
    record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    record.DirectoryRecordType = kind
    record.SpecificCharacterSet = dataset.SpecificCharacterSet
    for name in names:
        setattr(record, name, dataset.get(name))
    return record


def _patient(dataset: "Dataset") -> "Dataset":
    return _record("PATIENT", dataset, "PatientName", "PatientID")


def _study(dataset: "Dataset") -> "Dataset":
    record = _record(
        "STUDY", dataset,
        "StudyDate", "StudyDescription", "StudyInstanceUID", "StudyID", "AccessionNumber",
    )  # fmt: skip
    # Here it may not be empty: that of the first picture.
    record.StudyTime = dataset.ContentTime
    return record


def _series(dataset: "Dataset") -> "Dataset":
    return _record("SERIES", dataset, "Modality", "SeriesInstanceUID", "SeriesNumber")


def _file(dataset: "Dataset", file: tuple[str, ...]) -> "Dataset":
    if dataset.Modality == "SR":
        record = _record(
            "SR DOCUMENT", dataset,
            "InstanceNumber", "CompletionFlag", "VerificationFlag", "ContentDate", "ContentTime",
            "ConceptNameCodeSequence",
        )  # fmt: skip
        # Of what is said, only what changes the meaning of the title.
        said = [one for one in dataset.ContentSequence if one.RelationshipType == "HAS CONCEPT MOD"]
        if said:
            record.ContentSequence = said
    else:
        record = _record("IMAGE", dataset, "InstanceNumber")
    record.ReferencedFileID = list(file)
    record.ReferencedSOPClassUIDInFile = dataset.SOPClassUID
    record.ReferencedSOPInstanceUIDInFile = dataset.SOPInstanceUID
    record.ReferencedTransferSyntaxUIDInFile = dataset.file_meta.TransferSyntaxUID
    return record


def _encoded(record: "Dataset") -> bytearray:
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    write_dataset(file, record)
    return bytearray(file.getvalue())


def _head(name: str, first: int, last: int, identifier: str) -> bytes:
    """Return what comes before the records."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    head = Dataset()
    head.FileSetID = name
    head.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = first
    head.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = last
    head.FileSetConsistencyFlag = 0
    head.file_meta = FileMetaDataset()
    head.file_meta.MediaStorageSOPClassUID = UID(_BASIC_DIRECTORY)
    head.file_meta.MediaStorageSOPInstanceUID = UID(identifier)
    head.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = io.BytesIO()
    head.save_as(file, enforce_file_format=True)
    return file.getvalue()
