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
        seen = []
        for _ in range(9):
            seen += colours(source, 1, timeout=0.5)
            clock.seconds += 0.01
    assert seen == [RED] * 4 + [GREEN] * 4 + [BLUE]


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


def test_image_too_small_to_judge_is_passed_over_and_named(folder: Path) -> None:
    small = folder / "2.png"
    small.write_bytes(encoded(np.zeros((239, 300, 3), np.uint8), "PNG"))
    with ReplaySource(folder, CLOCK, paced=False) as source:
        assert colours(source, 2) == [RED, BLUE]
        assert "300 x 239 pixels" in source.skipped["2.png"]


def test_video_too_small_to_judge_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (320, 200))
    writer.write(np.zeros((200, 320, 3), np.uint8))
    writer.release()
    with (
        ReplaySource(path, CLOCK, paced=False) as source,
        pytest.raises(SourceError, match=r"320 x 200 pixels.*set it to a larger picture"),
    ):
        source.read()


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
        with pytest.raises(SourceError, match=r"no image has been found yet.*00\.png"):
            source.read(timeout=0.0)
        assert len(source.skipped) < 50
        assert colours(source, 1) == [RED]


def test_missing_path_is_named(tmp_path: Path) -> None:
    assert "no such file or folder" in failure(tmp_path / "missing")


def test_folder_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "there are no images in it" in failure(tmp_path)


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
    (tmp_path / "a.avi").touch()
    opening, go_on = threading.Event(), threading.Event()

    def slow(name: str) -> Never:
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
