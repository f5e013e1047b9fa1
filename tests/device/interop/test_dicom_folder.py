import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset

from device.errors import ExportError
from device.inference.finding import Finding
from device.interop.dicom_directory import DicomDirectory
from device.interop.dicom_folder import export_dicom
from device.interop.study import ExaminedLesion
from device.models.manifest import Manifest
from tests.device.commands import ROOT
from tests.device.interop.studies import DECISION, SECRETS, examined, without_patient


def written(stick: Path) -> list[Path]:
    """Return the files of an export, without their index."""
    return sorted(path for path in (stick / "DICOM").rglob("*") if path.is_file())


def told_of(dataset: Dataset) -> list[str]:
    names = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    return [str(dataset[name].value) for name in names]


def listed(index: Path) -> dict[Path, list[str]]:
    """Return what an index tells of every file, found as viewers do: from offset to offset."""
    content = pydicom.dcmread(index)
    records = {item.seq_item_tell: item for item in content.DirectoryRecordSequence}
    found = {}

    def follow(offset: int, above: Dataset) -> None:
        while offset:
            record = records[offset]
            told = Dataset()
            told.update(above)
            told.update(record)
            if "ReferencedFileID" in record:
                told.SOPInstanceUID = record.ReferencedSOPInstanceUIDInFile
                found[index.parent.joinpath(*record.ReferencedFileID)] = told_of(told)
            follow(record.OffsetOfReferencedLowerLevelDirectoryEntity, told)
            last, offset = offset, record.OffsetOfTheNextDirectoryRecord
        if above == Dataset():
            assert last == content.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity

    follow(content.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity, Dataset())
    return found


@pytest.fixture
def kept(manifest: Manifest, finding: Finding) -> list[ExaminedLesion]:
    return [
        examined(manifest, finding, 1, decision=DECISION),
        examined(manifest, finding, 2),
        without_patient(examined(manifest, None, 3)),
    ]


def test_each_visit_has_a_folder_and_no_name_tells_of_whom(
    kept: list[ExaminedLesion], tmp_path: Path
) -> None:
    stick = tmp_path / "stick"
    assert export_dicom(iter(kept), stick) == 3
    files = written(stick)
    assert len(files) == 5
    assert len({path.parent for path in files}) == 2
    assert not any(secret in str(path) for path in files for secret in SECRETS)
    assert not any("20260304" in str(path.relative_to(stick)) for path in files)
    for path in files:
        assert pydicom.dcmread(path).StudyDate == "20260304"
    before = {path: path.read_bytes() for path in [*files, stick / "DICOMDIR"]}
    assert export_dicom(iter(kept), stick) == 3
    assert {path: path.read_bytes() for path in [*written(stick), stick / "DICOMDIR"]} == before


def test_index_names_every_file_as_a_medium_may(kept: list[ExaminedLesion], tmp_path: Path) -> None:
    export_dicom(kept, tmp_path)
    found = listed(tmp_path / "DICOMDIR")
    assert sorted(found) == written(tmp_path)
    for path, told in found.items():
        assert told == told_of(pydicom.dcmread(path))
        for part in path.relative_to(tmp_path).parts:
            assert re.fullmatch("[A-Z0-9_]{1,8}", part)
    # Reports are listed by what is told of them, and not with all that they say.
    assert (tmp_path / "DICOMDIR").stat().st_size < 1000 * len(found)


def test_index_of_another_program_is_left_alone(kept: list[ExaminedLesion], tmp_path: Path) -> None:
    other = tmp_path / "DICOMDIR"
    for content in (DicomDirectory().encode("OTHER"), b"no index at all", b""):
        other.write_bytes(content)
        with pytest.raises(ExportError, match="other DICOM files lie in this folder; name another"):
            export_dicom(kept, tmp_path)
        assert other.read_bytes() == content
        assert not (tmp_path / "DICOM").exists()


def test_what_is_unfinished_has_no_index_and_is_cleared_away(
    kept: list[ExaminedLesion], tmp_path: Path
) -> None:
    def breaks() -> Iterator[ExaminedLesion]:
        yield kept[0]
        raise ExportError("the card is gone")

    export_dicom(kept, tmp_path)
    with pytest.raises(ExportError, match="the card is gone"):
        export_dicom(breaks(), tmp_path)
    assert not (tmp_path / "DICOMDIR").exists()
    whole = written(tmp_path)
    for name in (".DICOMDIR.abc.part", f"DICOM/{whole[0].parent.name}/.I234.abc.part"):
        (tmp_path / name).write_bytes(b"half a picture")
    (tmp_path / ".others.part").touch()
    export_dicom(kept, tmp_path)
    assert written(tmp_path) == whole
    assert sorted(tmp_path.glob(".*")) == [tmp_path / ".others.part"]


def test_folder_that_cannot_be_written_is_told(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be written; free space") as told:
        export_dicom([examined(manifest)], tmp_path / "file")
    assert not any(secret in str(told.value) for secret in SECRETS)


_WITHOUT = """
import sys
sys.modules["highdicom"] = sys.modules["pydicom"] = None
from device.cli import main
sys.exit(main(["--config", sys.argv[1], "export", "dicom", sys.argv[2]]))
"""


@pytest.mark.parametrize("missing", [False, True])
def test_command_needs_its_libraries_only_when_it_is_used(
    missing: bool, tmp_path: Path, kept_examination: Path
) -> None:
    """And says which extra to install."""
    code = _WITHOUT if missing else _WITHOUT.replace("sys.modules", "#", 1)
    config = tmp_path / "config.toml"
    config.write_text(f'records_folder = "{kept_examination}"\n')
    done = subprocess.run(
        [sys.executable, "-c", code, str(config), str(tmp_path / "out")],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if missing:
        assert done.returncode == 2
        assert "is not installed; install the program's extra interop" in done.stderr
        assert "internal error" not in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{tmp_path / 'out'}: examinations written: 1.\n"
        assert len(written(tmp_path / "out")) == 2


_LOADED = """
import sys, device.cli, device.instrument
print([name for name in ("pydicom", "highdicom", "pynetdicom", "fhir", "reportlab",
       "device.interop") if name in sys.modules])
"""


def test_the_live_view_loads_none_of_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "[]\n"
