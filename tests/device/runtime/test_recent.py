import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from device.errors import RecordError
from device.faults import Fault
from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.records.folder import FolderArchive
from device.runtime.recent import MOST, RecentPictures


@pytest.fixture
def told() -> list[Fault]:
    return []


def taken_at(frame: Frame, days: float) -> Frame:
    return replace(frame, time=frame.time - timedelta(days=days))


def test_what_was_kept_comes_after_what_is_taken_now_newest_first(
    analyzer: Analyzer, frames: tuple[Frame, ...], tmp_path: Path, told: list[Fault]
) -> None:
    records = FolderArchive(tmp_path)
    finding = analyzer.analyze(frames[0])
    for days in (3.0, 2.0, 1.0):
        records.keep(taken_at(frames[0], days), finding, [], None)
    earlier = RecentPictures(records, told.append)
    earlier.add(frames[0], finding)
    earlier.run(threading.Event())
    times = [picture.time for picture in earlier.pictures()]
    assert times[0] == frames[0].time
    assert [round((frames[0].time - t) / timedelta(days=1)) for t in times] == [0, 1, 2, 3]
    assert len(earlier) == 4
    assert told == []


def test_no_more_than_are_shown_and_the_newest_stay(
    analyzer: Analyzer, frames: tuple[Frame, ...], tmp_path: Path, told: list[Fault]
) -> None:
    records = FolderArchive(tmp_path)
    finding = analyzer.analyze(frames[0])
    for days in range(MOST, 0, -1):
        records.keep(taken_at(frames[0], days), finding, [], None)
    earlier = RecentPictures(records, told.append)
    for _ in range(2):
        earlier.add(frames[0], finding)
    earlier.run(threading.Event())
    assert len(earlier) == MOST
    oldest = earlier.pictures()[-1].time
    assert round((frames[0].time - oldest) / timedelta(days=1)) == MOST - 2


def test_records_that_cannot_be_listed_are_told(
    told: list[Fault], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = FolderArchive(tmp_path)

    def fails() -> list[str]:
        raise RecordError("the card cannot be read; put another in")

    monkeypatch.setattr(records, "identifiers", fails)
    earlier = RecentPictures(records, told.append)
    earlier.run(threading.Event())
    assert [t.words for t in told] == ["the card cannot be read; put another in"]
    assert earlier.pictures() == []


def test_told_to_stop_it_reads_no_more(
    analyzer: Analyzer, frames: tuple[Frame, ...], tmp_path: Path, told: list[Fault]
) -> None:
    records = FolderArchive(tmp_path)
    records.keep(frames[0], analyzer.analyze(frames[0]), [], None)
    stop = threading.Event()
    stop.set()
    earlier = RecentPictures(records, told.append)
    earlier.run(stop)
    assert earlier.pictures() == []


def test_large_picture_is_kept_no_larger_than_it_is_shown(
    analyzer: Analyzer, frames: tuple[Frame, ...], told: list[Fault]
) -> None:
    earlier = RecentPictures(None, told.append)
    earlier.add(frames[0], analyzer.analyze(frames[0]))
    (picture,) = earlier.pictures()
    assert picture.field.shape == (720, 720, 3)
    earlier.run(threading.Event())
    assert len(earlier) == 1
