import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.capture.uvc import UvcSource
from device.errors import SourceError
from tests.device.capture.drivers import CLOCK, CvVideo, middle, plain
from tests.device.scripted import until


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "video0"
    path.touch()
    return path


@pytest.fixture
def video() -> CvVideo:
    return CvVideo()


@pytest.fixture
def source(device: Path, video: CvVideo) -> Iterator[UvcSource]:
    with UvcSource(device, CLOCK, open_video=video) as source:
        yield source


def test_camera_is_asked_for_motion_jpeg_of_a_size(source: UvcSource, video: CvVideo) -> None:
    assert video.values[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"MJPG")
    assert video.values[cv2.CAP_PROP_FRAME_WIDTH] == 1280
    assert video.values[cv2.CAP_PROP_FRAME_HEIGHT] == 720


def test_newest_frame_is_given_and_older_ones_are_dropped(
    source: UvcSource, video: CvVideo
) -> None:
    first = source.read(10.0)
    video.picture = np.ascontiguousarray(plain((20, 40, 210))[:, :, ::-1])
    until(lambda: middle(source.read(10.0)) == (20, 40, 210))
    reads = video.reads
    until(lambda: video.reads > reads + 3)
    assert source.read(10.0).sequence > first.sequence + 1


def test_missing_camera_is_named(tmp_path: Path, video: CvVideo) -> None:
    with pytest.raises(SourceError, match=r"video7: no camera is plugged in there; check"):
        UvcSource(tmp_path / "video7", CLOCK, open_video=video)
    assert video.opened == 0


def test_busy_camera_is_said_to_be_busy_and_given_back(device: Path, video: CvVideo) -> None:
    video.state = "busy"
    with pytest.raises(SourceError, match="busy or is no camera; close other programs"):
        UvcSource(device, CLOCK, open_video=video)
    assert video.released.is_set()


def test_camera_that_this_user_may_not_use_says_which_group(
    device: Path, video: CvVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(SourceError, match="add the user to the group video"):
        UvcSource(device, CLOCK, open_video=video)


def test_unplugged_camera_says_so_at_every_read(
    source: UvcSource, device: Path, video: CvVideo
) -> None:
    source.read(10.0)
    device.unlink()
    video.state = "gone"
    with pytest.raises(SourceError, match="unplugged; plug it in again"):
        while True:
            source.read(10.0)
    with pytest.raises(SourceError, match="unplugged; plug it in again"):
        source.read(10.0)
    until(video.released.is_set)


def test_stalled_camera_is_reported_within_the_time_given(
    source: UvcSource, video: CvVideo
) -> None:
    source.read(10.0)
    video.state = "stalled"
    with pytest.raises(SourceError, match="gives no picture"):
        while True:
            source.read(0.2)
    video.released.set()


def test_camera_that_misses_some_frames_goes_on(source: UvcSource, video: CvVideo) -> None:
    source.read(10.0)
    video.to_miss = 5
    until(lambda: not video.to_miss)
    # The first may have waited since before.
    source.read(10.0)
    source.read(10.0)


def test_camera_that_misses_every_frame_has_stopped(
    source: UvcSource, video: CvVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.capture.driver_thread._PAUSE_SECONDS", 0.0)
    source.read(10.0)
    video.state = "gone"
    with pytest.raises(SourceError, match="has stopped; plug it in again"):
        while True:
            source.read(10.0)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((120, 160, 3), np.uint8), "160 x 120 pixels, and 240 on each side are needed"),
        (np.zeros((480, 640), np.uint8), "no colour pictures"),
        (np.zeros((480, 640, 2), np.uint8), "no colour pictures"),
        (np.zeros((1, 80000), np.uint8), "no colour pictures"),
    ],
)
def test_picture_of_a_wrong_kind_is_refused_with_what_to_do(
    device: Path, picture: object, words: str
) -> None:
    with (
        UvcSource(device, CLOCK, open_video=CvVideo(picture)) as source,
        pytest.raises(SourceError, match=f"USB camera: .*{words}.*; set it to"),
    ):
        source.read(10.0)


def test_lock_holds_exposure_and_white_balance_and_gives_them_back(
    source: UvcSource, video: CvVideo
) -> None:
    source.lock_exposure(True)
    until(lambda: video.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 1.0)
    until(lambda: video.values[cv2.CAP_PROP_AUTO_WB] == 0.0)
    source.lock_exposure(False)
    until(lambda: video.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 3.0)
    until(lambda: video.values[cv2.CAP_PROP_AUTO_WB] == 1.0)


def test_lock_leaves_alone_what_the_camera_lacks(device: Path) -> None:
    video = CvVideo(supported=False)
    with UvcSource(device, CLOCK, open_video=video) as source:
        source.lock_exposure(True)
        until(lambda: source._locked)
        source.read(10.0)
    assert video.values[cv2.CAP_PROP_AUTO_EXPOSURE] == -1.0


def test_camera_is_given_back_only_after_its_last_read(source: UvcSource, video: CvVideo) -> None:
    source.read(10.0)
    source.close()
    assert video.released.is_set()
