import contextlib
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.config import Config, records_folder
from device.errors import RecordError
from device.frame import Frame
from device.imaging.field_of_view import crop
from device.imaging.lesion import measure_abcd, segment_lesion
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding, to_record
from device.records.folder import Archive, FolderArchive

_KEEP_ON = """
import sys
from pathlib import Path
from device.capture.demo import SCENES, demo_frame
from device.config import Config, model_folder
from device.inference.analyzer import Analyzer
from device.models.bundle import load_bundle
from device.records.folder import FolderArchive

config = Config()
analyzer = Analyzer(load_bundle(model_folder(config), config.trusted_keys))
frame = demo_frame(SCENES[0])
finding = analyzer.analyze(frame)
records = FolderArchive(Path(sys.argv[1]))
while True:
    print(records.keep(frame, finding, [], None), flush=True)
"""


@pytest.fixture(scope="module")
def finding(analyzer: Analyzer, frames: tuple[Frame, ...]) -> Finding:
    return analyzer.analyze(frames[1])


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_what_is_kept_is_read_back(
    tmp_path: Path, frames: tuple[Frame, ...], finding: Finding
) -> None:
    records: Archive = FolderArchive(tmp_path / "new")
    assert records.identifiers() == []
    frame = frames[1]
    field = crop(frame.pixels, finding.field)
    lesion = segment_lesion(field)
    assert lesion is not None
    measures = measure_abcd(field, lesion, 0.025)
    identifier = records.keep(frame, finding, ["melanoma-0.90"], measures)
    examination = FolderArchive(tmp_path / "new").read(identifier)
    np.testing.assert_array_equal(examination.image, frame.pixels)
    assert examination.record.taken == frame.time.replace(microsecond=frame.time.microsecond)
    assert examination.record.finding == to_record(finding, identifier, ["melanoma-0.90"])
    assert examination.record.measures == measures


def test_examinations_come_in_the_order_in_which_they_were_taken(
    tmp_path: Path, frames: tuple[Frame, ...], finding: Finding
) -> None:
    records = FolderArchive(tmp_path)
    later = replace(frames[1], time=frames[1].time.replace(year=frames[1].time.year + 1))
    second = records.keep(later, finding, [], None)
    first = records.keep(frames[1], finding, [], None)
    assert records.identifiers() == [first, second]


def test_nothing_but_the_examination_is_in_the_folder_and_no_one_else_is_named(
    tmp_path: Path, frames: tuple[Frame, ...], finding: Finding
) -> None:
    identifier = FolderArchive(tmp_path).keep(frames[1], finding, [], None)
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
    tmp_path: Path, frames: tuple[Frame, ...], finding: Finding
) -> None:
    records = FolderArchive(tmp_path)
    kept = records.keep(frames[1], finding, [], None)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(RecordError, match="could not be kept"):
            records.keep(frames[1], finding, [], None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert names(tmp_path) == [kept]
    assert records.read(kept).record.identifier == kept
    assert len([records.keep(frames[1], finding, [], None), *records.identifiers()]) == 3


def test_folder_that_may_not_be_written_is_told(
    tmp_path: Path, frames: tuple[Frame, ...], finding: Finding, no_privilege: None
) -> None:
    folder = Path("/sys/kernel") if os.geteuid() == 65534 else tmp_path / "locked"
    if folder.parent == tmp_path:
        folder.mkdir(mode=0o500)
    with pytest.raises(RecordError, match="check that it can be written"):
        FolderArchive(folder / "examinations").keep(frames[1], finding, [], None)


@pytest.mark.parametrize("identifier", ["none", "../outside", "", ".hidden.part"])
def test_examination_that_is_not_there_is_told(tmp_path: Path, identifier: str) -> None:
    (tmp_path.parent / "outside").mkdir(exist_ok=True)
    with pytest.raises(RecordError, match="there is no examination"):
        FolderArchive(tmp_path).read(identifier)


@pytest.mark.parametrize("name", ["examination.json", "image.png"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 500])
def test_damaged_examination_is_told(
    tmp_path: Path, frames: tuple[Frame, ...], finding: Finding, name: str, content: bytes
) -> None:
    records = FolderArchive(tmp_path)
    identifier = records.keep(frames[1], finding, [], None)
    (tmp_path / identifier / name).write_bytes(content)
    with pytest.raises(RecordError, match="is damaged"):
        records.read(identifier)


def test_record_that_lacks_a_diagnosis_is_damaged(
    tmp_path: Path, frames: tuple[Frame, ...], finding: Finding
) -> None:
    records = FolderArchive(tmp_path)
    identifier = records.keep(frames[1], finding, [], None)
    path = tmp_path / identifier / "examination.json"
    content = json.loads(path.read_text())
    del content["finding"]["probabilities"]["mel"]
    path.write_text(json.dumps(content))
    with pytest.raises(RecordError, match="no probability of mel"):
        records.read(identifier)


@pytest.mark.parametrize("side", [11_000, 30_000])
def test_picture_that_would_fill_the_memory_is_damaged(
    tmp_path: Path, frames: tuple[Frame, ...], finding: Finding, side: int
) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        tail = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + tail

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    picture = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    records = FolderArchive(tmp_path)
    identifier = records.keep(frames[1], finding, [], None)
    (tmp_path / identifier / "image.png").write_bytes(picture)
    with pytest.raises(RecordError, match=r"is damaged .*limit"):
        records.read(identifier)


def test_folder_that_may_not_be_read_is_told(tmp_path: Path, no_privilege: None) -> None:
    folder = Path("/proc/1/map_files") if os.geteuid() == 65534 else tmp_path / "locked"
    if folder.parent == tmp_path:
        folder.mkdir(mode=0o000)
    with pytest.raises(RecordError, match="cannot be read"):
        FolderArchive(folder).identifiers()


def test_folder_is_the_settings_or_the_state_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert records_folder(Config()) == tmp_path / "examinations"
    assert records_folder(Config(records_folder="/data/a")) == Path("/data/a")
