import contextlib
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.diagnoses import Code
from device.errors import RecordError
from device.frame import Frame, SourceKind
from device.imaging.abcd import AbcdMeasures, measure_abcd
from device.imaging.field_of_view import crop
from device.imaging.lesion import segment_lesion
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding, to_record
from device.records.archive import Archive
from device.records.folder_archive import FolderArchive, throwaway_archive
from device.records.model import SCHEMA_VERSION, Examination

VERSION_1 = Path(__file__).with_name("version_1.json")
"""A record as it was written before there were versions."""

_KEEP_ON = """
import sys
from dataclasses import replace
from pathlib import Path
from device.capture.demo import SCENES, demo_frame
from device.config import Config, model_folder
from device.frame import SourceKind
from device.inference.analyzer import Analyzer
from device.models.bundle import load_bundle
from device.records.folder_archive import FolderArchive

config = Config()
analyzer = Analyzer(load_bundle(model_folder(config), config.trusted_keys))
frame = replace(demo_frame(SCENES[0]), kind=SourceKind.CAMERA)
finding = analyzer.analyze(frame)
records = FolderArchive(Path(sys.argv[1]))
while True:
    print(records.keep(frame, finding, [], None), flush=True)
"""


@pytest.fixture(scope="module")
def frame(frames: tuple[Frame, ...]) -> Frame:
    """A camera's picture."""
    return replace(frames[1], kind=SourceKind.CAMERA)


@pytest.fixture(scope="module")
def finding(analyzer: Analyzer, frame: Frame) -> Finding:
    return analyzer.analyze(frame)


class Kept:
    """An examination on the disk, whose record a test can alter."""

    def __init__(self, folder: Path, frame: Frame, finding: Finding) -> None:
        self.archive = FolderArchive(folder)
        measures = AbcdMeasures(1, 0.2, 1.1, ("dark brown",), 0.4, 0.1, 8.0)
        self.identifier = self.archive.keep(frame, finding, [], measures)
        self.path = folder / self.identifier / "examination.json"
        self.record = json.loads(self.path.read_bytes())

    def read_back(self) -> Examination:
        self.path.write_text(json.dumps(self.record))
        return self.archive.read(self.identifier)


@pytest.fixture
def kept(tmp_path: Path, frame: Frame, finding: Finding) -> Kept:
    return Kept(tmp_path, frame, finding)


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file become larger than so many bytes, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_what_is_kept_is_read_back(tmp_path: Path, frame: Frame, finding: Finding) -> None:
    records: Archive = FolderArchive(tmp_path / "new")
    assert records.identifiers() == []
    field = crop(frame.pixels, finding.field)
    lesion = segment_lesion(field)
    assert lesion is not None
    measures = measure_abcd(field, lesion, 0.025)
    identifier = records.keep(frame, finding, ["melanoma-0.90"], measures)
    examination = FolderArchive(tmp_path / "new").read(identifier)
    np.testing.assert_array_equal(examination.image, frame.pixels)
    record = examination.record
    assert (record.schema_version, record.identifier) == (SCHEMA_VERSION, identifier)
    assert record.taken == frame.time
    assert record.source is SourceKind.CAMERA
    assert record.field_of_view == finding.field
    assert record.finding == to_record(finding, identifier, ["melanoma-0.90"])
    assert record.measures == measures


def test_picture_is_kept_alone_and_completed_with_its_finding(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    records = FolderArchive(tmp_path)
    identifier = records.keep(frame, None, [], None)
    alone = records.read(identifier)
    np.testing.assert_array_equal(alone.image, frame.pixels)
    assert (alone.record.finding, alone.record.field_of_view) == (None, None)
    records.complete(identifier, finding, ["melanoma-0.90"], None)
    assert names(tmp_path / identifier) == ["examination.json", "image.png"]
    record = records.read(identifier).record
    assert record.finding == to_record(finding, identifier, ["melanoma-0.90"])
    assert (record.field_of_view, record.taken) == (finding.field, frame.time)


def test_finding_that_cannot_be_written_is_told_and_the_picture_stays(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    records = FolderArchive(tmp_path)
    identifier = records.keep(frame, None, [], None)
    with file_size_limit(100), pytest.raises(RecordError, match="picture is kept, but its finding"):
        records.complete(identifier, finding, [], None)
    assert names(tmp_path / identifier) == ["examination.json", "image.png"]
    np.testing.assert_array_equal(records.read(identifier).image, frame.pixels)
    with pytest.raises(RecordError, match="could not be"):
        records.complete("none", finding, [], None)


def test_examinations_come_in_the_order_in_which_they_were_taken(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    records = FolderArchive(tmp_path)
    later = replace(frame, time=frame.time.replace(year=frame.time.year + 1))
    second = records.keep(later, finding, [], None)
    first = records.keep(frame, finding, [], None)
    assert records.identifiers() == [first, second]


def test_nothing_but_the_examination_is_in_the_folder_and_no_one_else_is_named(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    identifier = FolderArchive(tmp_path).keep(frame, finding, [], None)
    assert names(tmp_path) == [identifier]
    assert names(tmp_path / identifier) == ["examination.json", "image.png"]
    content = (tmp_path / identifier / "examination.json").read_text()
    assert "patient" not in content


@pytest.mark.parametrize("wait", [0.0, 0.03, 0.11])
def test_program_that_is_killed_leaves_whole_examinations_only(tmp_path: Path, wait: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _KEEP_ON, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        said = [child.stdout.readline().strip() for _ in range(2)]
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(wait)
        child.send_signal(signal.SIGKILL)
        said += child.stdout.read().split()
    records = FolderArchive(tmp_path)
    kept = records.identifiers()
    # The last one may be kept and not yet be said.
    assert set(said) <= set(kept)
    assert len(kept) - len(said) <= 1
    for identifier in kept:
        assert records.read(identifier).image.shape == (768, 1024, 3)
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_what_was_left_half_written_is_taken_away_at_the_start(tmp_path: Path) -> None:
    part = tmp_path / ".20260101T000000Z-abcdef.part"
    part.mkdir()
    (part / "image.png").write_bytes(b"half")
    (tmp_path / "notes.part").mkdir()
    records = FolderArchive(tmp_path)
    assert names(tmp_path) == ["notes.part"]
    assert records.identifiers() == ["notes.part"]


def test_full_disk_is_told_and_leaves_nothing_behind(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    records = FolderArchive(tmp_path)
    kept = records.keep(frame, finding, [], None)
    with file_size_limit(20_000), pytest.raises(RecordError, match="could not be kept"):
        records.keep(frame, finding, [], None)
    assert names(tmp_path) == [kept]
    assert records.read(kept).record.identifier == kept
    assert len([records.keep(frame, finding, [], None), *records.identifiers()]) == 3


def test_folder_that_may_not_be_written_is_told(
    tmp_path: Path, frame: Frame, finding: Finding, no_privilege: None
) -> None:
    folder = Path("/sys/kernel") if os.geteuid() == 65534 else tmp_path / "locked"
    if folder.parent == tmp_path:
        folder.mkdir(mode=0o500)
    with pytest.raises(RecordError, match="check that it can be written"):
        FolderArchive(folder / "examinations").keep(frame, finding, [], None)


@pytest.mark.parametrize("identifier", ["none", "../outside", "", ".hidden.part"])
def test_examination_that_is_not_there_is_told(tmp_path: Path, identifier: str) -> None:
    (tmp_path.parent / "outside").mkdir(exist_ok=True)
    with pytest.raises(RecordError, match="there is no examination"):
        FolderArchive(tmp_path).read(identifier)


@pytest.mark.parametrize("name", ["examination.json", "image.png"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 500])
def test_damaged_examination_is_told(
    tmp_path: Path, frame: Frame, finding: Finding, name: str, content: bytes
) -> None:
    records = FolderArchive(tmp_path)
    identifier = records.keep(frame, finding, [], None)
    (tmp_path / identifier / name).write_bytes(content)
    with pytest.raises(RecordError, match="is damaged"):
        records.read(identifier)


def test_practice_of_a_finding_is_kept_and_older_records_have_none(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    kept = Kept(tmp_path, frame, replace(finding, case_mix="referral"))
    assert kept.record["finding"]["case_mix"] == "referral"
    assert kept.read_back().record.finding.case_mix == "referral"
    del kept.record["finding"]["case_mix"]
    assert kept.read_back().record.finding.case_mix == ""


def test_record_that_lacks_a_diagnosis_is_damaged(kept: Kept) -> None:
    del kept.record["finding"]["probabilities"]["mel"]
    with pytest.raises(RecordError, match="no probability of mel"):
        kept.read_back()


@pytest.mark.parametrize(
    "field", [(-1, 0, 700), (0, -1, 700), (0, 0, 769), (325, 0, 700), (0, 0, 0), (500, 300, -100)]
)
def test_field_of_view_that_is_not_in_the_picture_is_damaged(
    kept: Kept, field: tuple[int, int, int]
) -> None:
    kept.record["field_of_view"] = dict(zip(("left", "top", "side"), field, strict=True))
    with pytest.raises(RecordError, match=r"is damaged .*field of view"):
        kept.read_back()


def test_what_a_newer_release_adds_is_passed_over(kept: Kept) -> None:
    before = kept.read_back().record
    parts = [kept.record, *(kept.record[key] for key in ("finding", "field_of_view", "measures"))]
    for part in (*parts, kept.record["finding"]["quality"]):
        part["of the future"] = {"unknown": [1, 2]}
    assert kept.read_back().record == before


def test_examination_of_the_first_version_is_read(tmp_path: Path, frame: Frame) -> None:
    identifier = "20260102T030405Z-abcdef"
    (tmp_path / identifier).mkdir()
    Image.fromarray(frame.pixels).save(tmp_path / identifier / "image.png")
    shutil.copy(VERSION_1, tmp_path / identifier / "examination.json")
    record = FolderArchive(tmp_path).read(identifier).record
    assert (record.schema_version, record.source, record.field_of_view) == (1, None, None)
    assert record.identifier == identifier
    assert record.taken == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert record.finding.diagnosis is Code.NV
    assert record.finding.case_mix == ""
    assert record.finding.quality.focus == 8.35
    assert record.measures is not None
    assert record.measures.colours == ("dark brown",)


@pytest.mark.parametrize("readable", [True, False])
def test_version_that_is_too_new_is_told_apart_from_damage(kept: Kept, readable: bool) -> None:
    kept.record["schema_version"] = SCHEMA_VERSION + 1
    if not readable:
        kept.record["finding"] = "elsewhere"
    with pytest.raises(RecordError, match="newer release; update the instrument") as caught:
        kept.read_back()
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("kind", [SourceKind.DEMO, SourceKind.REPLAY, SourceKind.FILE])
def test_picture_that_no_camera_took_never_lands_in_the_clinics_archive(
    tmp_path: Path, frame: Frame, finding: Finding, kind: SourceKind
) -> None:
    records = FolderArchive(tmp_path / "examinations")
    assert records.permanent
    with pytest.raises(RecordError, match="no camera took"):
        records.keep(replace(frame, kind=kind), finding, [], None)
    assert not (tmp_path / "examinations").exists()


@pytest.mark.parametrize("kind", SourceKind)
def test_throwaway_archive_takes_any_picture_and_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frame: Frame, finding: Finding,
    kind: SourceKind,
) -> None:  # fmt: skip
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(KeyError), throwaway_archive() as records:
        assert not records.permanent
        assert names(tmp_path) == []
        identifier = records.keep(replace(frame, kind=kind), finding, [], None)
        assert records.read(identifier).record.source is kind
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        raise KeyError
    assert names(tmp_path) == []


@pytest.mark.parametrize("folder", ["/no/such", "/proc/self"])
def test_throwaway_archive_needs_no_disk_until_something_is_kept(
    monkeypatch: pytest.MonkeyPatch, frame: Frame, finding: Finding, folder: str,
    no_privilege: None,
) -> None:  # fmt: skip
    monkeypatch.setenv("TMPDIR", folder)
    with throwaway_archive() as records:
        assert records.identifiers() == []
        with pytest.raises(RecordError, match="could not be kept; free space"):
            records.keep(frame, finding, [], None)


@pytest.mark.parametrize("side", [11_000, 30_000])
def test_picture_that_would_fill_the_memory_is_damaged(
    tmp_path: Path, frame: Frame, finding: Finding, side: int
) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        tail = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + tail

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    picture = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    records = FolderArchive(tmp_path)
    identifier = records.keep(frame, finding, [], None)
    (tmp_path / identifier / "image.png").write_bytes(picture)
    with pytest.raises(RecordError, match=r"is damaged .*limit"):
        records.read(identifier)


def test_folder_that_may_not_be_read_is_told(tmp_path: Path, no_privilege: None) -> None:
    folder = Path("/proc/1/map_files") if os.geteuid() == 65534 else tmp_path / "locked"
    if folder.parent == tmp_path:
        folder.mkdir(mode=0o000)
    with pytest.raises(RecordError, match="cannot be read"):
        FolderArchive(folder).identifiers()
