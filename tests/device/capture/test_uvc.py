import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from device.capture import driver_thread
from device.capture.uvc import UsbCameraOpener, UvcSource
from device.capture.v4l2 import UsbCamera
from device.errors import SourceError
from device.imaging.camera_jpeg import decode_frame
from tests.device.capture.drivers import CLOCK, RED, CvVideo, middle, plain
from tests.device.images import encoded
from tests.device.scripted import until

NOISE = np.random.default_rng(3).integers(0, 256, (240, 320, 3), np.uint8)


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
    until(lambda: middle(source.read(10.0))[2] > 180)
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
        UvcSource(device, CLOCK, open_video=CvVideo(picture, fourcc="YUYV")) as source,
        pytest.raises(SourceError, match=f"USB camera: .*{words}.*; set it to"),
    ):
        source.read(10.0)


@pytest.mark.parametrize(("left", "set_to"), [(1.0, 3.0), (2.0, 3.0), (3.0, 3.0), (0.0, 0.0)])
def test_exposure_and_white_balance_are_automatic_whatever_was_left_in_the_camera(
    device: Path, video: CvVideo, left: float, set_to: float
) -> None:
    video.values[cv2.CAP_PROP_AUTO_EXPOSURE] = left
    video.values[cv2.CAP_PROP_AUTO_WB] = 0.0
    with UvcSource(device, CLOCK, open_video=video):
        assert video.values[cv2.CAP_PROP_AUTO_EXPOSURE] == set_to
        assert video.values[cv2.CAP_PROP_AUTO_WB] == 1.0


def test_camera_with_the_other_kind_of_automatic_exposure_is_set_to_it(device: Path) -> None:
    class OldCamera(CvVideo):
        def set(self, prop: int, value: float, /) -> bool:
            unknown = prop == cv2.CAP_PROP_AUTO_EXPOSURE and value == 3.0
            return not unknown and super().set(prop, value)

    video = OldCamera()
    video.values[cv2.CAP_PROP_AUTO_EXPOSURE] = 1.0
    with UvcSource(device, CLOCK, open_video=video):
        assert video.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 0.0


def test_burst_leaves_exposure_and_white_balance_alone(source: UvcSource, video: CvVideo) -> None:
    source.read(10.0)
    asked = {prop: list(values) for prop, values in video.asked.items()}
    source.lock_exposure(True)
    for _ in range(3):
        source.still(10.0)
    source.lock_exposure(False)
    source.read(10.0)
    assert video.asked == asked


def test_what_the_camera_lacks_is_left_alone(device: Path) -> None:
    video = CvVideo(supported=False)
    with UvcSource(device, CLOCK, open_video=video):
        assert not video.asked.keys() & {cv2.CAP_PROP_AUTO_EXPOSURE, cv2.CAP_PROP_AUTO_WB}


@pytest.mark.parametrize("fourcc", ["MJPG", "YUYV"])
def test_colours_are_right_in_every_format(device: Path, fourcc: str) -> None:
    with UvcSource(device, CLOCK, open_video=CvVideo(fourcc=fourcc)) as source:
        np.testing.assert_allclose(middle(source.read(10.0)), RED, atol=4)


def test_torn_frames_are_dropped_however_many_they_are(source: UvcSource, video: CvVideo) -> None:
    source.read(10.0)
    video.picture = np.ascontiguousarray(NOISE[:, :, ::-1])
    frames = iter(range(10**6))

    def every_second(content: bytes) -> bytes:
        middle = len(content) // 2
        return content if next(frames) % 2 else content[:middle] + content[middle + 500 :]

    video.damage = every_second
    until(lambda: source.read(10.0).pixels.std() > 20)
    whole = encoded(NOISE, "JPEG", quality=95)
    for _ in range(6):
        np.testing.assert_array_equal(source.read(10.0).pixels, decode_frame(whole))


def test_camera_whose_every_frame_is_torn_says_what_to_do(
    source: UvcSource, video: CvVideo
) -> None:
    source.read(10.0)
    video.damage = lambda content: content[: len(content) // 2]
    with pytest.raises(SourceError, match=r"arrive damaged; plug it into another port"):
        while True:
            source.read(0.5)


SCOPE = UsbCamera(Path("video0"), "Scope", "usb-1")
ROOM = UsbCamera(Path("video2"), "Room", "usb-2")


class Bench:
    """Cameras that are plugged in under numbers."""

    def __init__(self, folder: Path, device: str | None = None) -> None:
        self.folder = folder
        self.cameras: list[UsbCamera] = []
        self.video = CvVideo()
        self.opened = ""
        path = folder / device if device else None
        self.open = UsbCameraOpener(path, CLOCK, (640, 480), lambda: self.cameras, self._opened)

    def _opened(self, path: str, backend: int) -> CvVideo:
        self.opened = Path(path).name
        return self.video(path, backend)

    def plug(self, *cameras: UsbCamera) -> None:
        for old in self.cameras:
            old.device.unlink(missing_ok=True)
        self.cameras = [replace(c, device=self.folder / c.device.name) for c in cameras]
        for camera in self.cameras:
            camera.device.touch()

    def name(self) -> str:
        with self.open() as source:
            return source.read(10.0).source


def at(camera: UsbCamera, number: int, bus: str = "") -> UsbCamera:
    return replace(camera, device=Path(f"video{number}"), bus=bus or camera.bus)


@pytest.mark.parametrize("device", [None, "video0"])
def test_camera_that_comes_back_under_another_number_is_found_again(
    tmp_path: Path, device: str | None
) -> None:
    bench = Bench(tmp_path, device)
    bench.plug(SCOPE, ROOM)
    bench.name()
    assert bench.opened == "video0"
    for cameras, found in (
        ((ROOM, at(SCOPE, 4)), "video4"),
        ((at(ROOM, 0), at(SCOPE, 6, "usb-3")), "video6"),
        ((at(ROOM, 0), at(SCOPE, 2)), "video2"),
    ):
        bench.plug(*cameras)
        bench.name()
        assert bench.opened == found


def test_twin_that_was_there_before_is_not_taken_for_the_camera(tmp_path: Path) -> None:
    bench, twin = Bench(tmp_path, "video0"), at(SCOPE, 2, "usb-2")
    bench.plug(SCOPE, twin)
    bench.name()
    bench.plug(twin)
    with pytest.raises(SourceError, match="video0: no camera is plugged in there"):
        bench.open()
    bench.plug(twin, at(SCOPE, 4, "usb-5"))
    bench.name()
    assert bench.opened == "video4"


def test_camera_that_is_away_is_waited_for_and_another_is_taken_only_where_it_is_new(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    bench.plug(SCOPE, ROOM)
    bench.name()
    bench.plug(ROOM)
    with pytest.raises(SourceError, match="no USB camera is plugged in"):
        bench.open()
    bench.plug(ROOM, at(UsbCamera(Path(), "Another scope", "usb-1"), 4))
    assert bench.name() == "Another scope, video4"


def test_link_that_udev_keeps_is_followed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "usb-Scope-index0")
    bench.plug(ROOM, at(SCOPE, 4))
    link = tmp_path / "usb-Scope-index0"
    link.symlink_to("video4")
    assert bench.name() == "Scope, video4"
    assert bench.opened == link.name


def test_of_two_cameras_the_frames_tell_which(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.plug(SCOPE)
    assert bench.name() == "USB camera"
    bench.plug(SCOPE, ROOM)
    assert bench.name() == "Scope, video0"


def test_no_camera_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no USB camera is plugged in"):
        Bench(tmp_path).open()


def test_camera_is_asked_for_the_wanted_size(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.plug(SCOPE)
    bench.name()
    assert bench.video.values[cv2.CAP_PROP_FRAME_WIDTH] == 640
    assert bench.video.values[cv2.CAP_PROP_FRAME_HEIGHT] == 480


def test_camera_that_our_own_driver_still_holds_is_not_called_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_thread, "_CLOSING_SECONDS", 0.05)
    bench = Bench(tmp_path)
    bench.plug(SCOPE)
    source = bench.open()
    source.read(10.0)
    bench.video.state = "stalled"
    until(bench.video.waits.is_set)
    source.close()
    assert not source.ended
    with pytest.raises(SourceError, match="gives no picture"):
        bench.open()
    assert bench.video.opened == 1
    bench.video.state = "working"
    until(lambda: source.ended)
    bench.name()


def test_camera_is_given_back_only_after_its_last_read(source: UvcSource, video: CvVideo) -> None:
    source.read(10.0)
    source.close()
    assert video.released.is_set()
