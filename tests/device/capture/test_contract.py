"""What every source of frames does, asked of every source, plain and reconnecting."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from device.capture.demo import DemoSource, Scene
from device.capture.fake_picamera2 import FakeCameraPort
from device.capture.mjpeg import MjpegSource
from device.capture.picamera import PicameraSource
from device.capture.reconnecting import ReconnectingSource
from device.capture.replay import ReplaySource
from device.capture.source import SMALLEST_SIDE, FrameSource
from device.capture.uvc import UvcSource
from device.errors import SourceError
from device.frame import Frame, SourceKind
from tests.device.capture.drivers import CLOCK, CvVideo, middle, plain, serving, stream
from tests.device.capture.virtual.camera import open_virtual

Opener = Callable[[Path, ExitStack], FrameSource]


def demo(folder: Path, stack: ExitStack) -> FrameSource:
    red = Scene(seed=1, radius=0.9, pigment=0.0, blood=0.9, network=0.0, hairs=0)
    return DemoSource(CLOCK, scenes=(red,))


def replay_folder(folder: Path, stack: ExitStack) -> FrameSource:
    for name in ("a.png", "b.png"):
        Image.fromarray(plain()).save(folder / name)
    return ReplaySource(folder, CLOCK, paced=False)


def replay_video(folder: Path, stack: ExitStack) -> FrameSource:
    writer = cv2.VideoWriter(str(folder / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 240))
    for _ in range(4):
        writer.write(np.ascontiguousarray(plain()[:, :, ::-1]))
    writer.release()
    return ReplaySource(folder / "a.avi", CLOCK)


def mjpeg(folder: Path, stack: ExitStack) -> FrameSource:
    return MjpegSource(stack.enter_context(serving(stream(plain()))), CLOCK)


def picamera(folder: Path, stack: ExitStack) -> FrameSource:
    port = FakeCameraPort(CLOCK, picture=lambda seconds: plain(size=(640, 480)))
    return PicameraSource(port, CLOCK)


def picamera_other_formats(folder: Path, stack: ExitStack) -> FrameSource:
    port = FakeCameraPort(
        CLOCK,
        picture=lambda seconds: plain(size=(640, 480)),
        largest=(1000, 700),
        replaced={"BGR888": "XRGB8888"},
    )
    return PicameraSource(port, CLOCK)


def uvc(folder: Path, stack: ExitStack) -> FrameSource:
    (folder / "video0").touch()
    return UvcSource(folder / "video0", CLOCK, open_video=CvVideo())


PLAIN: dict[str, Opener] = {
    "demo": demo,
    "replay-folder": replay_folder,
    "replay-video": replay_video,
    "mjpeg": mjpeg,
    "picamera": picamera,
    "picamera-other-formats": picamera_other_formats,
    "uvc": uvc,
}
if "DERMASCOPE_VIRTUAL_CAMERA" in os.environ:  # see make test-picamera
    PLAIN["virtual"] = lambda folder, stack: open_virtual()


KINDS = {
    "demo": SourceKind.DEMO,
    "replay-folder": SourceKind.REPLAY,
    "replay-video": SourceKind.REPLAY,
}
"""What is no camera."""


def reconnecting(name: str, opener: Opener) -> Opener:
    kind = KINDS.get(name, SourceKind.CAMERA)
    return lambda folder, stack: ReconnectingSource(
        "camera", lambda: opener(folder, stack), CLOCK, kind
    )


OPENERS = PLAIN | {f"reconnecting-{name}": reconnecting(name, of) for name, of in PLAIN.items()}


@pytest.fixture(params=OPENERS.values(), ids=OPENERS.keys())
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FrameSource]:
    with ExitStack() as stack, request.param(tmp_path, stack) as opened:
        yield opened


def frame_of(source: FrameSource) -> Frame:
    return source.read(20.0)


def test_frames_are_rgb_bytes_of_a_usable_size(source: FrameSource) -> None:
    for frame in (frame_of(source), source.still(20.0)):
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.shape[2:] == (3,)
        assert min(frame.pixels.shape[:2]) >= SMALLEST_SIDE
        assert frame.pixels.flags.c_contiguous


def test_red_arrives_red_in_preview_and_still(source: FrameSource) -> None:
    for frame in (frame_of(source), source.still(20.0)):
        red, green, blue = middle(frame)
        assert red > 110
        assert max(green, blue) < 0.7 * red


def test_still_is_at_least_as_large_as_the_preview(source: FrameSource) -> None:
    preview = frame_of(source)
    still = source.still(20.0)
    assert all(a >= b for a, b in zip(still.pixels.shape, preview.pixels.shape, strict=True))


def test_frames_are_stamped_in_utc_when_they_are_taken(source: FrameSource) -> None:
    before = datetime.now(UTC)
    frame = frame_of(source)
    assert frame.time.utcoffset() == timedelta(0)
    assert before <= frame.time <= datetime.now(UTC)


def test_sequence_rises_over_reads_and_stills(source: FrameSource) -> None:
    frames = [frame_of(source), source.still(20.0), frame_of(source), frame_of(source)]
    numbers = [frame.sequence for frame in frames]
    assert numbers == sorted(set(numbers))


def test_source_has_a_name_and_its_frames_tell_it(source: FrameSource, tmp_path: Path) -> None:
    frame = frame_of(source)
    assert source.name
    assert frame.source
    assert str(tmp_path) not in source.name + frame.source


def test_frames_tell_the_kind_of_their_source(source: FrameSource) -> None:
    for frame in (frame_of(source), source.still(20.0)):
        assert frame.kind is source.kind


def test_no_time_to_wait_gives_a_frame_or_a_message(source: FrameSource) -> None:
    for read in (source.read, source.still) * 3:
        try:
            assert isinstance(read(0.0), Frame)
        except SourceError as error:
            assert str(error)


def test_exposure_may_be_locked_and_let_go_anywhere(source: FrameSource) -> None:
    source.lock_exposure(True)
    frame_of(source)
    source.lock_exposure(False)
    frame_of(source)


@pytest.mark.parametrize("read_before", [True, False])
def test_closed_source_says_so_however_often_it_is_closed(
    source: FrameSource, read_before: bool
) -> None:
    if read_before:
        frame_of(source)
    source.close()
    source.close()
    for read in (source.read, source.still):
        with pytest.raises(SourceError, match="closed"):
            read(0.5)


def test_closing_leaves_no_thread_behind(source: FrameSource) -> None:
    frame_of(source)
    source.close()
    mine = {"uvc", "mjpeg", "reconnect"}
    end = time.monotonic() + 10
    while time.monotonic() < end and mine & {t.name for t in threading.enumerate()}:
        time.sleep(0.01)
    assert not mine & {thread.name for thread in threading.enumerate()}
