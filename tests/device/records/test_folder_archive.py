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
from device.errors import RecordError, RecordsInUseError
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


def test_finding_is_not_written_below_a_disk_that_was_taken_out(
    tmp_path: Path, frame: Frame, finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick, drawer = tmp_path / "stick", tmp_path / "drawer"
    stick.mkdir()
    mounted = {stick}
    monkeypatch.setattr("os.path.ismount", lambda path: path in mounted or path == Path("/"))
    records = FolderArchive(stick)
    identifier = records.keep(frame, None, [], None)
    stick.rename(drawer)
    stick.mkdir()
    mounted.clear()
    with pytest.raises(RecordError, match="folder is not there"):
        records.complete(identifier, finding, [], None)
    assert names(stick) == []
    stick.rmdir()
    drawer.rename(stick)
    mounted.add(stick)
    records.complete(identifier, finding, [], None)
    assert records.read(identifier).record.finding is not None


@pytest.mark.parametrize("with_picture", [False, True])
def test_disk_that_is_taken_out_while_a_finding_is_written_is_told(
    tmp_path: Path, frame: Frame, finding: Finding, monkeypatch: pytest.MonkeyPatch,
    with_picture: bool,
) -> None:  # fmt: skip
    """What was written below goes; what another disk holds stays."""
    stick = tmp_path / "stick"
    records = FolderArchive(stick)
    identifier = records.keep(frame, None, [], None)

    def take_out(path: Path, content: bytes) -> None:
        stick.rename(tmp_path / "drawer")
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        if with_picture:
            (path.parent / "image.png").touch()

    monkeypatch.setattr("device.records.folder_archive.write_atomically", take_out)
    with pytest.raises(RecordError, match="folder is not there"):
        records.complete(identifier, finding, [], None)
    assert names(stick) == ([identifier] if with_picture else [])
    assert FolderArchive(tmp_path / "drawer").read(identifier).record.finding is None


def test_examinations_come_in_the_order_in_which_they_were_kept_whatever_the_clock_says(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    kept = []
    for year in (2026, 1970, 2031, 2025):
        records = FolderArchive(tmp_path)
        for month in (2, 1):
            taken = frame.time.replace(year=year, month=month, day=1)
            kept.append(records.keep(replace(frame, time=taken), finding, [], None))
        records.close()
    assert FolderArchive(tmp_path).identifiers() == kept


def test_examinations_that_have_no_number_come_first_by_their_time(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    for name in ("20310101T000000Z-aaaaaa", "20260101T000000Z-bbbbbb"):
        (tmp_path / name).mkdir()
    records = FolderArchive(tmp_path)
    kept = records.keep(frame, finding, [], None)
    assert records.identifiers() == ["20260101T000000Z-bbbbbb", "20310101T000000Z-aaaaaa", kept]
    assert kept.startswith("000001-")


def test_clock_that_is_not_set_or_went_back_is_told_in_the_record(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    records = FolderArchive(tmp_path)
    told = []
    for year in (2026, 2027, 2026, 1970):
        taken = frame.time.replace(year=year, month=1, day=1)
        identifier = records.keep(replace(frame, time=taken), finding, [], None)
        told.append(records.read(identifier).record.clock_set)
        assert records.last_taken == taken
    assert told == [True, True, False, False]


def test_second_program_is_refused_and_takes_nothing_away(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    first, second = FolderArchive(tmp_path), FolderArchive(tmp_path)
    first.open()
    half = tmp_path / ".000001-20260101T000000Z-abcdef.part"
    half.mkdir()
    for attempt in (second.open, lambda: second.keep(frame, finding, [], None)):
        with pytest.raises(RecordsInUseError, match=r"another dermascope .*end that one first"):
            attempt()
    assert half.is_dir()
    kept = first.keep(frame, finding, [], None)
    assert second.identifiers() == [kept]
    first.close()
    second.open()
    assert not half.exists()


def test_folder_that_someone_else_makes_is_not_made(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    records = FolderArchive(tmp_path / "stick", create=False)
    for attempt in (records.open, lambda: records.keep(frame, finding, [], None)):
        with pytest.raises(RecordError, match="folder is not there; put its disk back"):
            attempt()
    assert not (tmp_path / "stick").exists()
    (tmp_path / "stick").mkdir()
    assert records.keep(frame, finding, [], None) in names(tmp_path / "stick")


def test_picture_is_not_kept_below_a_medium_that_was_taken_out(
    tmp_path: Path, frame: Frame, finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    mounted = {stick}
    monkeypatch.setattr("os.path.ismount", lambda path: path in mounted or path == Path("/"))
    records = FolderArchive(stick)
    first = records.keep(frame, finding, [], None)
    stick.rename(tmp_path / "drawer")
    stick.mkdir()
    mounted.clear()
    with pytest.raises(RecordError, match="folder is not there"):
        records.keep(frame, finding, [], None)
    assert names(stick) == []
    stick.rmdir()
    (tmp_path / "drawer").rename(stick)
    mounted.add(stick)
    second = records.keep(frame, finding, [], None)
    assert records.identifiers() == [first, second]


_MEDIUM = """
import subprocess, sys
from dataclasses import replace
from pathlib import Path
import pytest
from device.capture.demo import SCENES, demo_frame
from device.errors import RecordError
from device.frame import SourceKind
from device.inference.analyzer import Analyzer
from device.config import Config, model_folder
from device.models.bundle import load_bundle
from device.records.folder_archive import FolderArchive

stick = Path(sys.argv[1])
def mount(*what): subprocess.run([*what, str(stick)], check=True)
mount("mount", "-t", "tmpfs", "-o", "size=8m", "none")
config = Config()
frame = replace(demo_frame(SCENES[0]), kind=SourceKind.CAMERA)
finding = Analyzer(load_bundle(model_folder(config), config.trusted_keys)).analyze(frame)
records = FolderArchive(stick)
records.keep(frame, finding, [], None)
for options in ("ro", "rw"):
    mount("mount", "-o", f"remount,{options}")
    if options == "ro":
        with pytest.raises(RecordError):
            records.keep(frame, finding, [], None)
        with pytest.raises(RecordError, match="cannot be written"):
            records.close() or records.open()
    else:
        records.keep(frame, finding, [], None)
with pytest.raises(RecordError, match="could not be kept; free space"):
    while True:
        records.keep(frame, finding, [], None)
assert records.room() == 0
assert not list(stick.glob(".*"))
mount("umount", "--lazy")
with pytest.raises(RecordError, match="is not there"):
    records.keep(frame, finding, [], None)
assert not list(stick.iterdir())
mount("mount", "-t", "tmpfs", "none")
records.keep(frame, finding, [], None)
assert len(records.identifiers()) == 1
"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0,
    reason="may not mount",
)
def test_real_disk_is_read_only_full_taken_out_and_put_back(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", _MEDIUM, str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_nobody_else_reads_what_is_kept_whatever_the_umask(
    tmp_path: Path, frame: Frame, finding: Finding, umask: int
) -> None:
    before = os.umask(umask)
    try:
        identifier = FolderArchive(tmp_path / "a" / "b").keep(frame, finding, [], None)
    finally:
        os.umask(before)
    folder = tmp_path / "a" / "b" / identifier
    for path in (folder, *folder.parents[:2]):
        assert path.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_examinations_take_no_more_than_their_share(
    tmp_path: Path, frame: Frame, finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [FolderArchive(tmp_path).keep(frame, finding, [], None)]
    size = sum(path.stat().st_size for path in (tmp_path / kept[0]).iterdir())
    disk = type(shutil.disk_usage(tmp_path))(20 * size, 2 * size, 18 * size + size // 2)
    monkeypatch.setattr("shutil.disk_usage", lambda path: disk)
    records = FolderArchive(tmp_path, share=0.2)
    kept.append(records.keep(frame, finding, [], None))
    assert records.room() == 18
    measuring = records.measure()
    next(measuring)
    # What is kept meanwhile counts as well.
    kept.append(records.keep(frame, finding, [], None))
    assert list(measuring) == [None]
    with pytest.raises(RecordError, match="share of the disk; move older ones"):
        for _ in range(3):
            kept.append(records.keep(frame, finding, [], None))
    assert sorted(names(tmp_path)) == sorted(kept)
    assert len(kept) in (3, 4)
    assert records.room() == 0


def test_room_that_a_finding_takes_is_counted_and_not_refused(
    tmp_path: Path, frame: Frame, finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    def size(identifier: str) -> int:
        return sum(path.stat().st_size for path in (tmp_path / identifier).iterdir())

    records = FolderArchive(tmp_path, share=0.5)
    records.open()
    assert list(records.measure()) == []
    identifier = records.keep(frame, None, [], None)
    disk = type(shutil.disk_usage(tmp_path))(2 * size(identifier), 0, 10 * size(identifier))
    monkeypatch.setattr("shutil.disk_usage", lambda path: disk)
    records.complete(identifier, finding, [], None)
    assert records.read(identifier).record.finding is not None
    disk = disk._replace(total=4 * size(identifier))
    assert records.room() == 1
    disk = disk._replace(total=4 * size(identifier) - 2)
    assert records.room() == 0


def test_room_of_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    assert FolderArchive(tmp_path / "none").room() is None


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
    records.open()
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def test_what_was_left_half_written_is_taken_away_at_the_start(tmp_path: Path) -> None:
    part = tmp_path / ".20260101T000000Z-abcdef.part"
    part.mkdir()
    (part / "image.png").write_bytes(b"half")
    (tmp_path / "notes.part").mkdir()
    records = FolderArchive(tmp_path)
    records.open()
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
    with pytest.raises(RecordError, match="check the disk, and who may write there"):
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
    ("path", "value"),
    [
        (("taken",), "0001-01-01T00:00:00Z"),
        (("taken",), "9999-12-31T23:59:59Z"),
        (("taken",), "2026-01-01T00:00:00"),
        (("finding", "probabilities", "mel"), 1e300),
        (("finding", "probabilities", "mel"), -0.1),
        (("finding", "probabilities", "mel"), 0.9),
        (("finding", "malignancy"), 1e300),
        (("finding", "quality", "focus"), 1e300),
        (("finding", "quality", "motion"), -1e300),
        (("finding", "timings_ms"), {"total": 1e308}),
        (("finding", "prediction_set"), ["mel"] * 100_000),
        (("finding", "model"), "m" * 100_000),
        (("measures", "diameter_mm"), 1e300),
        (("measures", "asymmetry"), 10**30),
    ],
)
def test_value_that_no_instrument_wrote_is_damage(
    kept: Kept, path: tuple[str, ...], value: object
) -> None:
    part = kept.record
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(RecordError, match="is damaged"):
        kept.read_back()


@pytest.mark.parametrize("left", ["field_of_view", "measures"])
def test_finding_that_is_gone_from_a_record_is_damage(kept: Kept, left: str) -> None:
    for key in {"finding", "field_of_view", "measures"} - {left}:
        kept.record[key] = None
    with pytest.raises(RecordError, match="its finding is missing"):
        kept.read_back()


def test_values_beside_a_missing_finding_are_checked(kept: Kept) -> None:
    for key in ("finding", "field_of_view", "measures"):
        kept.record[key] = None
    assert kept.read_back().record.finding is None
    kept.record["taken"] = "9999-12-31T23:59:59Z"
    with pytest.raises(RecordError, match="is damaged"):
        kept.read_back()


@pytest.mark.parametrize("name", ["examination.json", "image.png"])
def test_pipe_in_a_files_place_is_damage_and_not_waited_for(kept: Kept, name: str) -> None:
    (kept.path.parent / name).unlink()
    os.mkfifo(kept.path.parent / name)
    with pytest.raises(RecordError, match="is damaged"):
        kept.archive.read(kept.identifier)


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
        with pytest.raises(RecordError, match="folder cannot be written; check the disk"):
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
