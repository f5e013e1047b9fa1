"""``run`` and ``demo`` from the command line, begun and ended in this process."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import cv2
import pygame
import pytest
from PIL import Image

from device.capture.demo import SCENES
from device.cli import main
from device.exit_status import ExitStatus
from device.frame import Frame
from device.screen.layout import arrange
from device.screen.pages.base import page_class
from device.screen.registry import PageName
from tests.device.commands import Capture, complaint


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an instrument that is run in a test keeps what it must not forget."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state"


@contextlib.contextmanager
def someone_who(does: Callable[[], None], every: float) -> Iterator[None]:
    """Have someone do something over and over while the program runs on this thread."""
    finished = threading.Event()

    def act() -> None:
        while not finished.is_set():
            with contextlib.suppress(pygame.error):  # not open yet, or closed already
                does()
            time.sleep(every)

    person = threading.Thread(target=act)
    person.start()
    try:
        yield
    finally:
        finished.set()
        person.join()


def complaints(err: str) -> list[str]:
    """Return what standard error holds beside the log of what was started and how it ended."""
    return [line for line in err.splitlines() if not line.startswith("INFO device.instrument: ")]


def leave() -> None:
    pygame.event.post(pygame.event.Event(pygame.QUIT))


def test_demonstration_without_a_screen_writes_pictures(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "pictures"
    assert main(["demo", "--out", str(out)]) == 0
    names = [f"screen-{n}.png" for n in range(1, len(SCENES) + 1)]
    assert sorted(p.name for p in out.iterdir()) == names
    seen = set()
    for name in names:
        with Image.open(out / name) as picture:
            assert picture.size == (1024, 600)
            seen.add(picture.tobytes())
    assert len(seen) == len(SCENES)
    printed, err = capsys.readouterr()
    assert printed.count("Malignant group") == len(SCENES)
    assert err == ""


def test_demonstration_that_cannot_write_says_so(photo: Path, capsys: Capture) -> None:
    assert main(["demo", "--out", str(photo)]) == 2
    assert str(photo) in complaint(capsys)


@pytest.mark.parametrize("unwritable", [(), ("STATE_DIRECTORY", "TMPDIR")], ids=["", "unwritable"])
def test_live_view_opens_and_ends_also_where_nothing_can_be_written(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, unwritable: tuple[str, ...]
) -> None:
    for variable in unwritable:
        monkeypatch.setenv(variable, "/proc/self")
    with someone_who(leave, every=0.05):
        assert main(["run", "--source", "demo"]) == 0
    assert complaints(capsys.readouterr().err) == []


@pytest.mark.parametrize(
    ("answer", "status"), [("restart", ExitStatus.RESTART), ("off", ExitStatus.POWER_OFF)]
)
def test_appliance_ends_with_what_was_asked_of_it(
    state: Path, answer: str, status: ExitStatus
) -> None:
    layout = arrange(1024, 600)
    touched = [(PageName.LIVE, "more"), (PageName.SETTINGS, "quit"), (PageName.POWER, answer)]

    def touch() -> None:
        for page, target in touched:
            place = page_class(page).places(layout)[target].center
            pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=place, button=1))

    with someone_who(touch, every=0.3):
        assert main(["run", "--source", "demo", "--appliance"]) == status


@pytest.mark.parametrize("source", ["demo", "replay:video.avi", "picamera-fake"])
def test_picture_that_no_camera_took_is_gone_with_the_program(
    state: Path, tmp_path: Path, frames: tuple[Frame, ...], monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    video = cv2.VideoWriter("video.avi", cv2.VideoWriter.fourcc(*"MJPG"), 25, (1024, 768))
    video.write(frames[0].pixels)
    video.release()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    kept: list[Path] = []
    attempts = count()

    def take_one() -> None:
        kept.extend((tmp_path / "temporary").glob("dermascope-*/pictures/*/*"))
        # Giving up is a guard against hanging, not a measure of speed.
        if kept or next(attempts) > 200:
            leave()
        else:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_SPACE))

    with someone_who(take_one, every=0.3):
        assert main(["run", "--source", source]) == 0
    assert kept
    assert not list((tmp_path / "temporary").iterdir())
    # That what it is not for was read is remembered.
    assert [path.name for path in state.iterdir()] == ["screen.json"]


@pytest.mark.parametrize(
    ("source", "told"),
    [("camera", "'camera' is unknown"), ("replay:", "'replay:' is unknown"),
     ("mjpeg:nowhere", "address is wrong")],
)  # fmt: skip
def test_live_view_of_a_source_that_is_none_cannot_start(
    capsys: Capture, source: str, told: str
) -> None:
    assert main(["run", "--source", source]) == ExitStatus.CANNOT_START
    assert told in complaint(capsys)


def test_live_view_of_what_is_not_there_yet_says_so(capsys: Capture) -> None:
    assert main(["run", "--source", "replay:/no/such/folder"]) == ExitStatus.BAD_INPUT
    assert "/no/such/folder" in complaint(capsys)


def test_journal_is_told_neither_a_replayed_files_name_nor_an_errors_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    assert main(["run", "--source", f"replay:{tmp_path / 'Jane Doe'}"]) == ExitStatus.BAD_INPUT
    err = capsys.readouterr().err
    assert "no such file or folder" in err
    assert "Jane" not in err
