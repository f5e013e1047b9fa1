from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from device.frame import Frame, SourceKind
from device.imaging.field_of_view import FieldOfView
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding
from device.records.encrypted_archive import EncryptedArchive
from device.records.model import Examination
from device.runtime.recent import MAX_RECENT, RecentPictures


@pytest.fixture
def finding(analyzer: Analyzer, frames: tuple[Frame, ...]) -> Finding:
    return analyzer.analyze(frames[0])


def kept(frame: Frame, finding: Finding, folder: Path) -> Examination:
    archive = EncryptedArchive(folder)
    by_camera = replace(frame, kind=SourceKind.CAMERA)
    return archive.read(archive.keep(by_camera, finding, [], None))


def test_newest_comes_first_and_older_ones_after_it(
    frames: tuple[Frame, ...], finding: Finding, tmp_path: Path
) -> None:
    recent = RecentPictures()
    older = kept(frames[0], finding, tmp_path)
    assert recent.add_older(older)
    later = replace(frames[0], time=frames[0].time + timedelta(seconds=1))
    recent.add(later, finding)
    assert [picture.time for picture in recent.pictures()] == [later.time, older.record.taken]


def test_no_more_than_are_shown_and_the_newest_stay(
    frames: tuple[Frame, ...], finding: Finding, tmp_path: Path
) -> None:
    recent, older = RecentPictures(), kept(frames[0], finding, tmp_path)
    room = [recent.add_older(older) for _ in range(MAX_RECENT)]
    assert room == [True] * (MAX_RECENT - 1) + [False]
    recent.add(frames[0], finding)
    assert not recent.add_older(older)
    assert len(recent) == MAX_RECENT
    assert recent.pictures()[0].time == frames[0].time


def test_kept_picture_shows_the_field_that_the_analysis_had(
    frames: tuple[Frame, ...], finding: Finding, tmp_path: Path
) -> None:
    """Looked for again, the field of a picture with its own black parts may be another."""
    field = FieldOfView(100, 50, 300)
    recent = RecentPictures()
    recent.add_older(kept(frames[0], replace(finding, field=field), tmp_path))
    (picture,) = recent.pictures()
    np.testing.assert_array_equal(picture.field, frames[0].pixels[50:350, 100:400])


def test_large_picture_is_kept_no_larger_than_it_is_shown(
    frames: tuple[Frame, ...], finding: Finding
) -> None:
    recent = RecentPictures()
    recent.add(frames[0], finding)
    (picture,) = recent.pictures()
    assert picture.field.shape == (720, 720, 3)
