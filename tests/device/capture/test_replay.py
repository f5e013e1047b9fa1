import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Never

import cv2
import numpy as np
import pytest

from device.capture import replay
from device.capture.replay import ReplaySource
from device.errors import SourceError
from device.platform.clock import Clock
from tests.device.capture.drivers import CLOCK
from tests.device.clocks import ManualClock
from tests.device.images import encoded
from tests.device.scripted import GIVE_UP_SECONDS

RED, GREEN, BLUE = (220, 30, 20), (30, 200, 40), (20, 40, 210)


def write_image(path: Path, colour: tuple[int, int, int]) -> Path:
    path.write_bytes(encoded(np.full((240, 240, 3), colour, np.uint8), "PNG"))
    return path


def write_video(path: Path, colours: list[tuple[int, int, int]]) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (320, 240))
    for red, green, blue in colours:
        writer.write(np.full((240, 320, 3), (blue, green, red), np.uint8))
    writer.release()
    return path


def colours(source: ReplaySource, count: int, timeout: float = 1.0) -> list[tuple[int, ...]]:
    return [tuple(int(v) for v in source.read(timeout).pixels[0, 0]) for _ in range(count)]


def failure(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        ReplaySource(path, CLOCK)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_image(tmp_path / "2.png", GREEN)
    write_image(tmp_path / "1.png", RED)
    write_image(tmp_path / "3.png", BLUE)
    return tmp_path


def test_images_come_in_the_order_of_their_names_and_begin_again(folder: Path) -> None:
    with ReplaySource(folder, CLOCK, paced=False) as source:
        assert colours(source, 5) == [RED, GREEN, BLUE, RED, GREEN]


def test_one_image_is_a_source(tmp_path: Path) -> None:
    with ReplaySource(write_image(tmp_path / "a.png", RED), CLOCK, paced=False) as source:
        assert colours(source, 2) == [RED, RED]


def test_frames_are_counted_and_stamped(folder: Path) -> None:
    with ReplaySource(folder, CLOCK, paced=False) as source:
        frames = [source.read() for _ in range(4)]
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3]
    assert all(frame.time.utcoffset() == timedelta(0) for frame in frames)
    assert [f.time for f in frames] == sorted(f.time for f in frames)


def test_name_never_tells_the_file(tmp_path: Path) -> None:
    with ReplaySource(write_image(tmp_path / "Ana-Garcia.png", RED), CLOCK, paced=False) as source:
        assert (source.name, source.read().source) == ("replay", "replay")


def test_still_stays_before_the_lens_for_its_time(folder: Path) -> None:
    clock = ManualClock()
    with ReplaySource(folder, clock, paced=True) as source:
        seen, begins = colours(source, 1), [clock.seconds]
        while len(seen) < 4:
            before = clock.seconds
            (colour,) = colours(source, 1)
            # A press of the shutter is soon taken.
            assert clock.seconds - before <= 0.11
            if colour != seen[-1]:
                seen.append(colour)
                begins.append(clock.seconds)
    assert seen == [RED, GREEN, BLUE, RED]
    np.testing.assert_allclose(np.diff(begins), 2.0, atol=0.01)


def test_unreadable_image_is_passed_over_and_named_once(folder: Path) -> None:
    bad = folder / "2.png"
    bad.write_bytes(b"hello")
    with ReplaySource(folder, CLOCK, paced=False) as source:
        assert colours(source, 4) == [RED, BLUE, RED, BLUE]
        assert list(source.skipped) == ["2.png"]
        assert source.skipped["2.png"].startswith(f"{bad}: ")


def test_image_that_vanishes_is_passed_over(folder: Path) -> None:
    with ReplaySource(folder, CLOCK, paced=False) as source:
        (folder / "2.png").unlink()
        assert colours(source, 2) == [RED, BLUE]


def test_nothing_readable_fails_at_every_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"hello")
    with ReplaySource(tmp_path, CLOCK, paced=False) as source:
        for _ in range(3):
            with pytest.raises(SourceError, match="nothing in it can be shown"):
                source.read()


def test_source_may_be_read_again_once_its_image_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"hello")
    with ReplaySource(path, CLOCK, paced=False) as source:
        with pytest.raises(SourceError):
            source.read()
        write_image(path, RED)
        assert colours(source, 1) == [RED]


def test_source_may_be_read_again_after_an_error_that_no_code_expected(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise MemoryError

    with ReplaySource(folder, CLOCK, paced=False) as source:
        with monkeypatch.context() as patch:
            patch.setattr(replay, "read_image", fail)
            with pytest.raises(MemoryError):
                source.read()
        assert colours(source, 1) == [RED]


@pytest.mark.parametrize("size", [(200, 150), (1, 1)])
def test_image_of_any_size_that_can_be_analyzed_is_shown(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    (tmp_path / "a.png").write_bytes(encoded(np.zeros((size[1], size[0], 3), np.uint8), "PNG"))
    with ReplaySource(tmp_path, CLOCK, paced=False) as source:
        assert source.read().pixels.shape == (size[1], size[0], 3)


def test_small_video_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (200, 152))
    writer.write(np.zeros((152, 200, 3), np.uint8))
    writer.release()
    with ReplaySource(path, CLOCK, paced=False) as source:
        assert source.read().pixels.shape == (152, 200, 3)


def test_image_of_any_ending_is_told_by_its_content_as_analyze_does(tmp_path: Path) -> None:
    with ReplaySource(write_image(tmp_path / "scan.old", RED), CLOCK, paced=False) as source:
        assert colours(source, 1) == [RED]


def test_stills_of_a_photograph_give_that_photograph(folder: Path) -> None:
    clock = ManualClock()
    with ReplaySource(folder, clock, paced=True) as source:
        for colour in (RED, GREEN, BLUE, RED):
            assert colours(source, 1) == [colour]
            # As long as its time is over, until the next is read.
            clock.seconds += 5.0
            stills = [source.still() for _ in range(5)]
            assert {tuple(int(v) for v in f.pixels[0, 0]) for f in stills} == {colour}


def test_each_photograph_tells_that_it_begins(folder: Path) -> None:
    clock = ManualClock()
    with ReplaySource(folder, clock, paced=True) as source:
        frames = [source.read() for _ in range(30)] + [source.still()]
    begins = [tuple(int(v) for v in f.pixels[0, 0]) for f in frames if f.new_picture]
    assert begins == [RED, GREEN]


def test_video_tells_only_where_it_begins_again(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", [RED, GREEN, BLUE])
    with ReplaySource(path, CLOCK, paced=False) as source:
        told = [source.read().new_picture for _ in range(5)]
    assert told == [True, False, False, True, False]


@pytest.mark.parametrize("name", ["Ana-Garcia.png", "Ana-Garcia.avi"])
def test_no_message_on_the_screen_names_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"hello")
    with (
        ReplaySource(tmp_path / name, CLOCK, paced=False) as source,
        pytest.raises(SourceError) as caught,
    ):
        source.read()
    fault = caught.value.fault
    assert "Garcia" not in f"{fault.text} {fault.technical}"
    assert fault.action
    if name.endswith("png"):
        assert fault.detail


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile 'http://127.0.0.1:1/a.ts'\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'/>",
    ],
    ids=["hls", "concat", "sdp", "dash"],
)
def test_playlist_under_the_name_of_a_video_is_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    opened: list[object] = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda *given: opened.append(given))
    (tmp_path / "a.mp4").write_bytes(content)
    with (
        ReplaySource(tmp_path / "a.mp4", CLOCK, paced=False) as source,
        pytest.raises(SourceError, match="nothing in it can be shown"),
    ):
        source.read()
    assert opened == []


def test_video_with_a_colon_in_its_relative_path_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "a:b.avi", [RED])
    monkeypatch.chdir(tmp_path)
    with ReplaySource(Path("a:b.avi"), CLOCK, paced=False) as source:
        np.testing.assert_allclose(colours(source, 1), [RED], atol=12)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert "neither an image" in failure(tmp_path / "a.png")


def test_images_are_opened_one_by_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    read = replay.read_image
    monkeypatch.setattr(replay, "read_image", lambda path: opened.append(path.name) or read(path))
    with ReplaySource(folder, CLOCK, paced=False) as source:
        assert opened == []
        colours(source, 2)
    assert opened == ["1.png", "2.png"]


def test_many_unreadable_images_do_not_hold_the_reader_up(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number:02}.png").write_bytes(b"hello")
    write_image(tmp_path / "99.png", RED)
    with ReplaySource(tmp_path, CLOCK, paced=False) as source:
        with pytest.raises(SourceError, match=r"no image has been found yet.*; wait.*not an image"):
            source.read(timeout=0.0)
        assert len(source.skipped) < 50
        assert colours(source, 1) == [RED]


def test_missing_path_is_named(tmp_path: Path) -> None:
    assert "no such file or folder" in failure(tmp_path / "missing")


def test_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "there are no images in it; copy photographs into it" in failure(tmp_path)


def test_unknown_ending_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert "neither an image" in failure(path)


def test_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    failure(tmp_path / ("x" * 300))


def test_video_plays_in_rgb_and_begins_again(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", [RED, GREEN, BLUE])
    with ReplaySource(path, CLOCK, paced=False) as source:
        seen = colours(source, 5)
    np.testing.assert_allclose(seen, [RED, GREEN, BLUE, RED, GREEN], atol=12)


def test_file_that_is_no_video_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    path.write_bytes(b"hello")
    with (
        ReplaySource(path, CLOCK, paced=False) as source,
        pytest.raises(SourceError, match="nothing in it can be shown"),
    ):
        source.read()


def test_close_may_be_called_twice(folder: Path) -> None:
    source = ReplaySource(folder, CLOCK, paced=False)
    source.read()
    source.close()
    source.close()


def test_close_while_a_file_is_being_opened_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.avi").write_bytes(b"RIFF\0\0\0\0AVI ")
    opening, go_on = threading.Event(), threading.Event()

    def slow(*given: object) -> Never:
        opening.set()
        go_on.wait(GIVE_UP_SECONDS)
        raise OSError

    monkeypatch.setattr("cv2.VideoCapture", slow)
    source = ReplaySource(tmp_path / "a.avi", Clock())

    def read() -> None:
        with pytest.raises(OSError):
            source.read()

    reader = threading.Thread(target=read)
    reader.start()
    assert opening.wait(GIVE_UP_SECONDS)
    source.close()
    go_on.set()
    reader.join()
