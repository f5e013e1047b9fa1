import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device.errors import RecordError, RecordsInUseError
from device.frame import Frame, SourceKind
from device.imaging.abcd import AbcdMeasures, measure_abcd
from device.imaging.field_of_view import crop
from device.imaging.lesion import segment_lesion
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding, to_record
from device.records.archive import PatientArchive
from device.records.encrypted_archive import EncryptedArchive, throwaway_archive
from device.records.model import SCHEMA_VERSION, Examination
from tests.device.records.conftest import file_size_limit


@pytest.fixture(scope="module")
def frame(frames: tuple[Frame, ...]) -> Frame:
    """A camera's picture."""
    return replace(frames[1], kind=SourceKind.CAMERA)


@pytest.fixture(scope="module")
def finding(analyzer: Analyzer, frame: Frame) -> Finding:
    return analyzer.analyze(frame)


class Kept:
    """An examination in the tables, whose record a test can alter."""

    def __init__(self, folder: Path, frame: Frame, finding: Finding) -> None:
        self.archive = EncryptedArchive(folder)
        measures = AbcdMeasures(1, 0.2, 1.1, ("dark brown",), 0.4, 0.1, 8.0)
        self.identifier = self.archive.keep(frame, finding, [], measures)
        self.path = next(folder.glob("pictures/*/*"))
        (content,) = self._tables.execute("SELECT record FROM examination").fetchone()
        self.record = json.loads(content)

    def read_back(self) -> Examination:
        content = json.dumps(self.record).encode()
        self._tables.execute("UPDATE examination SET record = ?", (content,))
        return self.archive.read(self.identifier)

    @property
    def _tables(self) -> Any:
        assert self.archive.opened is not None
        return self.archive.opened.connection


@pytest.fixture
def kept(tmp_path: Path, frame: Frame, finding: Finding) -> Kept:
    return Kept(tmp_path, frame, finding)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.glob("pictures/*/*"))


def test_what_is_kept_is_read_back(tmp_path: Path, frame: Frame, finding: Finding) -> None:
    records: PatientArchive = EncryptedArchive(tmp_path / "new")
    assert records.identifiers() == []
    field = crop(frame.pixels, finding.field)
    lesion = segment_lesion(field)
    assert lesion is not None
    measures = measure_abcd(field, lesion, 0.025)
    identifier = records.keep(frame, finding, ["melanoma-0.90"], measures)
    records.close()
    examination = EncryptedArchive(tmp_path / "new").read(identifier)
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
    records = EncryptedArchive(tmp_path)
    identifier = records.keep(frame, None, [], None)
    alone = records.read(identifier)
    np.testing.assert_array_equal(alone.image, frame.pixels)
    assert (alone.record.finding, alone.record.field_of_view) == (None, None)
    records.complete(identifier, finding, ["melanoma-0.90"], None)
    assert len(pictures(tmp_path)) == 1
    record = records.read(identifier).record
    assert record.finding == to_record(finding, identifier, ["melanoma-0.90"])
    assert (record.field_of_view, record.taken) == (finding.field, frame.time)


def test_finding_that_cannot_be_written_is_told_and_the_picture_stays(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    records = EncryptedArchive(tmp_path)
    identifier = records.keep(frame, None, [], None)
    with file_size_limit(100), pytest.raises(RecordError, match="picture is kept, but its finding"):
        records.complete(identifier, finding, [], None)
    alone = records.read(identifier)
    np.testing.assert_array_equal(alone.image, frame.pixels)
    assert alone.record.finding is None
    records.complete(identifier, finding, [], None)
    assert records.read(identifier).record.finding is not None
    with pytest.raises(RecordError, match="there is no examination"):
        records.complete("none", finding, [], None)


def test_finding_is_not_written_below_a_disk_that_was_taken_out(
    tmp_path: Path, frame: Frame, finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick, drawer = tmp_path / "stick", tmp_path / "drawer"
    stick.mkdir()
    mounted = {stick}
    monkeypatch.setattr("os.path.ismount", lambda path: path in mounted or path == Path("/"))
    records = EncryptedArchive(stick)
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


def test_examinations_come_in_the_order_in_which_they_were_kept_whatever_the_clock_says(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    kept = []
    for year in (2026, 1970, 2031, 2025):
        records = EncryptedArchive(tmp_path)
        for month in (2, 1):
            taken = frame.time.replace(year=year, month=month, day=1)
            kept.append(records.keep(replace(frame, time=taken), finding, [], None))
        records.close()
    assert EncryptedArchive(tmp_path).identifiers() == kept


def test_clock_that_is_not_set_or_went_back_is_told_in_the_record(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    records = EncryptedArchive(tmp_path)
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
    first, second = EncryptedArchive(tmp_path), EncryptedArchive(tmp_path)
    first.open()
    half = tmp_path / ".keyring.json.abcdef.part"
    half.touch()
    for attempt in (second.open, lambda: second.keep(frame, finding, [], None)):
        with pytest.raises(RecordsInUseError, match=r"another dermascope .*end that one first"):
            attempt()
    assert half.exists()
    kept = first.keep(frame, finding, [], None)
    with pytest.raises(RecordsInUseError):
        second.identifiers()
    first.close()
    assert second.identifiers() == [kept]
    assert not half.exists()


def test_folder_that_someone_else_makes_is_not_made(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    records = EncryptedArchive(tmp_path / "stick", create=False)
    for attempt in (records.open, lambda: records.keep(frame, finding, [], None)):
        with pytest.raises(RecordError, match="folder is not there; put its disk back"):
            attempt()
    assert not (tmp_path / "stick").exists()
    (tmp_path / "stick").mkdir()
    assert records.keep(frame, finding, [], None) in records.identifiers()


def test_picture_is_not_kept_below_a_medium_that_was_taken_out(
    tmp_path: Path, frame: Frame, finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    mounted = {stick}
    monkeypatch.setattr("os.path.ismount", lambda path: path in mounted or path == Path("/"))
    records = EncryptedArchive(stick)
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
from typing import Any
import pytest
from device.capture.demo import SCENES, demo_frame
from device.errors import RecordError
from device.frame import SourceKind
from device.inference.analyzer import Analyzer
from device.config import Config, model_folder
from device.models.bundle import load_bundle
from device.records.encrypted_archive import EncryptedArchive

stick = Path(sys.argv[1])
def mount(*what): subprocess.run([*what, str(stick)], check=True)
mount("mount", "-t", "tmpfs", "-o", "size=24m", "none")
config = Config()
frame = replace(demo_frame(SCENES[0]), kind=SourceKind.CAMERA)
finding = Analyzer(load_bundle(model_folder(config), config.trusted_keys)).analyze(frame)
records = EncryptedArchive(stick)
records.keep(frame, finding, [], None)
for options in ("ro", "rw"):
    records.close()
    mount("mount", "-o", f"remount,{options}")
    if options == "ro":
        # What is there can be seen all the same.
        (kept,) = records.identifiers()
        assert records.read(kept).record.finding is not None
        with pytest.raises(RecordError, match="the disk of the records is read-only; see or"):
            records.keep(frame, finding, [], None)
    else:
        records.keep(frame, finding, [], None)
with pytest.raises(RecordError, match="could not be kept; free space"):
    while True:
        records.keep(frame, finding, [], None)
assert records.room() == 0
# What makes room again, and what is said of the pictures, is never refused.
last = records.identifiers()[-1]
records.complete(last, finding, [], None)
assert records.read(last).record.finding is not None
records.delete_examination(last)
assert records.room() >= 1, records.room()
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
        archive = EncryptedArchive(tmp_path / "a" / "b")
        identifier = archive.keep(frame, finding, [], None)
    finally:
        os.umask(before)
    assert identifier
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"archive.db", "keyring.json", "archive.key"}
    for path in (tmp_path / "a").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o600 if path in files else 0o700)


def test_examinations_take_no_more_than_their_share(
    tmp_path: Path, frame: Frame, finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = EncryptedArchive(tmp_path)
    kept = [first.keep(frame, finding, [], None)]
    first.close()
    tables = (tmp_path / "archive.db").stat().st_size
    size = pictures(tmp_path)[0].stat().st_size
    reserved = 8 << 20
    disk = type(shutil.disk_usage(tmp_path))(
        100 * (3 * size + tables + 1000), 0, 18 * size + size // 2 + reserved
    )
    monkeypatch.setattr("shutil.disk_usage", lambda path: disk)
    records = EncryptedArchive(tmp_path)
    kept.append(records.keep(frame, finding, [], None))
    assert records.room() == 18
    records.close()
    records = EncryptedArchive(tmp_path, share=0.01)
    kept.append(records.keep(frame, finding, [], None))
    with pytest.raises(RecordError, match="share of the disk; move older ones"):
        records.keep(frame, finding, [], None)
    assert records.identifiers() == kept
    assert len(pictures(tmp_path)) == 3
    assert records.room() == 0
    records.complete(kept[-1], finding, [], None)
    records.delete_examination(kept[-1])
    assert records.room() == 1


def test_pictures_leave_room_for_what_is_said_of_them(
    tmp_path: Path, frame: Frame, finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = EncryptedArchive(tmp_path)
    kept = records.keep(frame, None, [], None)
    disk = type(shutil.disk_usage(tmp_path))(1 << 30, 0, 8 << 20)
    monkeypatch.setattr("shutil.disk_usage", lambda path: disk)
    with pytest.raises(RecordError, match="could not be kept; free space"):
        records.keep(frame, None, [], None)
    assert records.room() == 0
    records.complete(kept, finding, [], None)


def test_room_of_what_is_not_there_is_unknown(tmp_path: Path) -> None:
    assert EncryptedArchive(tmp_path / "none").room() is None
    # Its disk has no room, and that is not why nothing can be kept there.
    archive = EncryptedArchive(Path("/proc/self"), create=False)
    with pytest.raises(RecordError):
        archive.open()
    assert archive.room() is None


def test_full_disk_is_told_and_leaves_nothing_behind(
    tmp_path: Path, frame: Frame, finding: Finding
) -> None:
    records = EncryptedArchive(tmp_path)
    kept = records.keep(frame, finding, [], None)
    with file_size_limit(20_000), pytest.raises(RecordError, match="could not be kept"):
        records.keep(frame, finding, [], None)
    assert len(pictures(tmp_path)) == 1
    assert records.read(kept).record.identifier == kept
    assert len([records.keep(frame, finding, [], None), *records.identifiers()]) == 3


def test_folder_that_may_not_be_written_is_told(
    tmp_path: Path, frame: Frame, finding: Finding, no_privilege: None
) -> None:
    folder = Path("/sys/kernel") if os.geteuid() == 65534 else tmp_path / "locked"
    if folder.parent == tmp_path:
        folder.mkdir(mode=0o500)
    with pytest.raises(RecordError, match="check the disk, and who may write there"):
        EncryptedArchive(folder / "examinations").keep(frame, finding, [], None)


@pytest.mark.parametrize("identifier", ["none", "../outside", "", ".hidden.part"])
def test_examination_that_is_not_there_is_told(tmp_path: Path, identifier: str) -> None:
    (tmp_path.parent / "outside").mkdir(exist_ok=True)
    with pytest.raises(RecordError, match="there is no examination"):
        EncryptedArchive(tmp_path).read(identifier)


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
    records = EncryptedArchive(tmp_path / "examinations")
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


def test_folder_that_may_not_be_read_is_told(tmp_path: Path, no_privilege: None) -> None:
    folder = Path("/proc/1/map_files") if os.geteuid() == 65534 else tmp_path / "locked"
    if folder.parent == tmp_path:
        folder.mkdir(mode=0o000)
    with pytest.raises(RecordError, match="who may write there"):
        EncryptedArchive(folder).identifiers()


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 500])
def test_damaged_picture_is_told_and_hides_no_other(
    kept: Kept, frame: Frame, content: bytes
) -> None:
    other = kept.archive.keep(frame, None, [], None)
    kept.path.write_bytes(content)
    for look in (kept.archive.read, kept.archive.thumbnail):
        with pytest.raises(RecordError, match="is damaged"):
            look(kept.identifier)
        look(other)


def test_flipped_byte_of_a_picture_is_told_wherever_it_is(kept: Kept) -> None:
    content = kept.path.read_bytes()
    for place in (0, 3, 5, 7, 8, 30, 1000, len(content) // 2, len(content) - 1):
        flipped = bytearray(content)
        flipped[place] ^= 1
        kept.path.write_bytes(flipped)
        with pytest.raises(RecordError, match="is damaged"):
            kept.archive.read(kept.identifier)
    kept.path.write_bytes(content)
    kept.archive.read(kept.identifier)


def test_picture_of_another_examination_is_damage(kept: Kept, frame: Frame, tmp_path: Path) -> None:
    other = kept.archive.keep(frame, None, [], None)
    first, second = pictures(tmp_path)
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    for identifier in (kept.identifier, other):
        with pytest.raises(RecordError, match="is damaged"):
            kept.archive.read(identifier)


def test_pipe_in_a_pictures_place_is_damage_and_not_waited_for(kept: Kept) -> None:
    kept.path.unlink()
    os.mkfifo(kept.path)
    for look in (kept.archive.read, kept.archive.thumbnail):
        with pytest.raises(RecordError, match="is damaged"):
            look(kept.identifier)


def test_picture_that_would_fill_the_memory_is_damaged(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.records.picture_files.MAX_PIXELS", 1000)
    with pytest.raises(RecordError, match=r"is damaged .*limit"):
        kept.archive.read(kept.identifier)


def test_picture_that_an_interrupted_program_left_without_its_row_is_removed(
    tmp_path: Path, frame: Frame
) -> None:
    records = EncryptedArchive(tmp_path)
    kept = records.keep(frame, None, [], None)
    records.close()
    left = pictures(tmp_path)[0].with_name("0000002.picture")
    left.write_bytes(b"half")
    records.open()
    assert not left.exists()
    assert records.keep(frame, None, [], None).startswith("000002-")
    assert records.identifiers()[0] == kept


def test_damaged_record_hides_no_other_in_a_list(kept: Kept, frame: Frame) -> None:
    other = kept.archive.keep(frame, None, [], None)
    kept.record["taken"] = "yesterday"
    kept.record["identifier"] = kept.identifier
    kept._tables.execute(
        "UPDATE examination SET record = ? WHERE number = 1", (json.dumps(kept.record).encode(),)
    )
    assert [record.identifier for record in kept.archive.examinations().items] == [other]
    with pytest.raises(RecordError, match="is damaged"):
        kept.archive.record(kept.identifier)


def test_damaged_tables_are_told(tmp_path: Path, frame: Frame) -> None:
    records = EncryptedArchive(tmp_path)
    records.keep(frame, None, [], None)
    records.close()
    path = tmp_path / "archive.db"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        RecordError, match=r"are damaged; restore them .*verification failed for page 1"
    ):
        records.open()


def test_nothing_is_left_in_the_clear(tmp_path: Path, frame: Frame, finding: Finding) -> None:
    records = EncryptedArchive(tmp_path)
    identifier = records.keep(frame, finding, ["melanoma-0.90"], None)
    patient = records.add_patient("HOSPITAL-4711", name="Erika Mustermann")
    records.file_examination(identifier, records.add_lesion(patient.key).key)

    def all_of_it() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    still_open = all_of_it()
    records.close()
    for content in (still_open, all_of_it()):
        for words in (
            b"HOSPITAL", b"Mustermann", b"melanoma", b"field_of_view", b"SQLite format",
            b"\x89PNG\r\n\x1a\n", b"\x00\x00\x00\rIHDR", b"\xff\xd8\xff\xe0\x00\x10JFIF",
            identifier.encode(), patient.key.encode(),
        ):  # fmt: skip
            assert words not in content


def test_archive_can_be_asked_by_several_threads(tmp_path: Path, frame: Frame) -> None:
    records = EncryptedArchive(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        kept = list(threads.map(lambda _: records.keep(frame, None, [], None), range(8)))
        patients = list(threads.map(records.add_patient, map(str, range(8))))
    assert sorted(records.identifiers()) == sorted(kept)
    assert len(records.patients().items) == len(patients)
