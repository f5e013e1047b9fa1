"""Examinations that earlier releases kept as plain files: how they are read."""

import json
import os
import shutil
import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.diagnoses import Code
from device.errors import RecordError
from device.frame import Frame
from device.records.model import SCHEMA_VERSION, Examination
from device.records.plain_files import plain_examinations, read_plain
from tests.device.records.plain import write_plain

VERSION_1 = Path(__file__).with_name("version_1.json")
"""A record as it was written before there were versions."""

NAME = "000001-20260102T030405Z-abcdef"


class Kept:
    """An examination in plain files, whose record a test can alter."""

    def __init__(self, folder: Path, frame: Frame) -> None:
        self.folder = folder
        self.path = write_plain(folder, NAME, frame.pixels) / "examination.json"
        self.record = json.loads(self.path.read_bytes())

    def read_back(self) -> Examination:
        self.path.write_text(json.dumps(self.record))
        return read_plain(self.folder, NAME)


@pytest.fixture
def kept(tmp_path: Path, small_frame: Frame) -> Kept:
    return Kept(tmp_path, small_frame)


def test_examination_is_read(kept: Kept, small_frame: Frame) -> None:
    examination = kept.read_back()
    np.testing.assert_array_equal(examination.image, small_frame.pixels)
    assert examination.record.identifier == NAME
    assert examination.record.finding.diagnosis is Code.NV


def test_examinations_come_by_number_and_those_without_one_first_by_their_time(
    tmp_path: Path,
) -> None:
    names = [
        "20260101T000000Z-bbbbbb",
        "20310101T000000Z-aaaaaa",
        "000002-20310101T000000Z-aaaaaa",
        "000010-20200101T000000Z-bbbbbb",
        "1000000-20200101T000000Z-bbbbbb",
    ]
    for name in (*names[::-1], "pictures", ".20260101T000000Z-abcdef.part", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "000003-20310101T000000Z-aaaaaa").touch()
    assert plain_examinations(tmp_path) == names
    assert plain_examinations(tmp_path / "none") == []


@pytest.mark.parametrize("name", ["examination.json", "image.png"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 500, None])
def test_damaged_examination_is_told(kept: Kept, name: str, content: bytes | None) -> None:
    path = kept.folder / NAME / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(RecordError, match="is damaged"):
        read_plain(kept.folder, NAME)


@pytest.mark.parametrize("name", ["examination.json", "image.png"])
def test_pipe_in_a_files_place_is_damage_and_not_waited_for(kept: Kept, name: str) -> None:
    (kept.path.parent / name).unlink()
    os.mkfifo(kept.path.parent / name)
    with pytest.raises(RecordError, match="is damaged"):
        read_plain(kept.folder, NAME)


@pytest.mark.parametrize(
    "content", [b"[" * 3000 + b"]" * 3000, b'{"a": ' * 3000 + b"1" + b"}" * 3000]
)
def test_record_of_any_depth_is_damage(kept: Kept, content: bytes) -> None:
    kept.path.write_bytes(content)
    with pytest.raises(RecordError, match="is damaged"):
        read_plain(kept.folder, NAME)


def test_examination_of_the_first_version_is_read(tmp_path: Path, small_frame: Frame) -> None:
    identifier = "20260102T030405Z-abcdef"
    (tmp_path / identifier).mkdir()
    Image.fromarray(small_frame.pixels).save(tmp_path / identifier / "image.png")
    shutil.copy(VERSION_1, tmp_path / identifier / "examination.json")
    record = read_plain(tmp_path, identifier).record
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


@pytest.mark.parametrize("field", [(-1, 0, 70), (0, 0, 1000), (0, 0, 0)])
def test_field_of_view_that_is_not_in_the_picture_is_damaged(
    kept: Kept, field: tuple[int, int, int]
) -> None:
    kept.record["field_of_view"] = dict(zip(("left", "top", "side"), field, strict=True))
    with pytest.raises(RecordError, match=r"is damaged .*field of view"):
        kept.read_back()


@pytest.mark.parametrize("side", [11_000, 30_000])
def test_picture_that_would_fill_the_memory_is_damaged(kept: Kept, side: int) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        tail = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + tail

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    picture = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    (kept.folder / NAME / "image.png").write_bytes(picture)
    with pytest.raises(RecordError, match=r"is damaged .*limit"):
        kept.read_back()
