"""What keeps `run` and `demo` from starting, what does not, and how they are ended."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from device.capture.demo import SCENES
from device.exit_status import ExitStatus
from device.frame import Frame, SourceKind
from device.instrument import CLOCK_NOT_SET
from device.models.bundle import Bundle
from device.records.encrypted_archive import EncryptedArchive
from tests.device.commands import GIVE_UP_SECONDS, ROOT, run
from tests.device.manager import Manager
from tests.device.scripted import until
from tests.fuzz.disks import ALLOWED

LIVE = "camera working, analysis working"


def environment(folder: Path, driver: str = "dummy", **others: object) -> dict[str, str]:
    """Return that of a machine on which nothing else is found."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    here = {"PYTHONPATH": str(ROOT), "STATE_DIRECTORY": str(folder / "state")}
    named = {"SDL_VIDEODRIVER": driver} if driver else {}
    return kept | here | named | {name: str(value) for name, value in others.items()}


class Started:
    """The program in a process of its own, and the service manager that it talks to.

    Parameters
    ----------
    before
        Python that is run first.
    """

    def __init__(self, folder: Path, *arguments: str, before: str = "", **options: Any) -> None:
        self.manager = Manager(str(folder / "notify"))
        self.said: list[str] = []
        code = f"{before}\nimport sys\nfrom device.cli import main\nsys.exit(main(sys.argv[1:]))"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env=environment(folder, NOTIFY_SOCKET=folder / "notify", **options),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def hears(self, words: str) -> bool:
        assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
        self.said += self.manager.heard()
        return any(words in line for line in self.said)

    def ends(self) -> tuple[int, str]:
        """Return the status that it ends with, and what it said on standard error."""
        _, err = self.process.communicate(timeout=GIVE_UP_SECONDS)
        self.manager.socket.close()
        return self.process.returncode, err

    def end_by(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        return self.ends()


Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return what starts the program, and end what a test that fails leaves behind."""
    begun = []

    def begin(*arguments: str, **options: Any) -> Started:
        begun.append(Started(options.pop("folder", tmp_path), *arguments, **options))
        return begun[-1]

    yield begin
    for started in begun:
        started.process.kill()
        started.process.communicate()
        started.manager.socket.close()


# A camera without a camera: what it shows is kept as a camera's.
CAMERA = """
import device.capture.sources as sources
from device.frame import SourceKind
fake = sources._fake_picamera
def camera(clock, *, faults):
    source = fake(clock, faults=faults)
    source.kind = SourceKind.CAMERA
    return source
sources._fake_picamera = camera
"""


@pytest.mark.parametrize("display", ["", ":987"])
def test_driver_that_draws_where_nobody_sees_it_is_no_screen(tmp_path: Path, display: str) -> None:
    here = environment(tmp_path, "", DISPLAY=display)
    done = run("run", "--source", "demo", env=here)
    assert done.returncode == ExitStatus.BAD_INPUT
    assert "the screen cannot be opened" in done.stderr
    done = run("demo", "--out", tmp_path / "out", env=here)
    # What libwayland says of its own is not the program's.
    assert (done.returncode, "dermascope: " in done.stderr) == (0, False)
    assert len(list((tmp_path / "out").iterdir())) == len(SCENES)


@pytest.mark.parametrize("driver", ["dummy", "offscreen"])
def test_driver_that_is_asked_for_by_name_is_taken(start: Start, driver: str) -> None:
    started = start("run", "--source", "demo", driver=driver)
    until(lambda: started.hears(LIVE))
    assert started.end_by(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_it_as_a_hand_does(start: Start, number: signal.Signals) -> None:
    started = start("run", "--source", "demo")
    until(lambda: started.hears(LIVE))
    status, err = started.end_by(number)
    assert status == 0
    assert "ended: quit" in err
    assert "ERROR" not in err


@pytest.mark.parametrize("hang", ["pass", "ctypes.CDLL(None).sleep(1000)"])
def test_signal_is_obeyed_while_a_page_hangs(start: Start, tmp_path: Path, hang: str) -> None:
    before = f"""
import ctypes, secrets
from pathlib import Path
secrets.token_hex = lambda number: "abc"
from device.screen.renderer import Renderer
def draw(*given):
    Path({str(tmp_path / "hangs")!r}).touch()
    while True: {hang}
Renderer.draw = draw
"""
    archive = tmp_path / "dermascope-abc"
    started = start("run", "--source", "demo", before=before, TMPDIR=tmp_path)
    until((tmp_path / "hangs").exists)
    archive.mkdir()
    status, err = started.end_by(signal.SIGTERM)
    assert status == 0
    assert "hangs; it is left as it is" in err
    assert not archive.exists()


def test_what_appears_late_is_waited_for_by_a_service_alone(
    start: Start, tmp_path: Path, bundle: Bundle, photo: Path
) -> None:
    late, model = tmp_path / "late", tmp_path / "model"
    arguments = ["run", "--source", f"replay:{late}", "--model", str(model)]
    done = run(*arguments, env=environment(tmp_path))
    assert done.returncode == ExitStatus.CANNOT_START
    started = start(*arguments, "--appliance")
    until(lambda: started.hears("STATUS=Waiting: "))
    shutil.copytree(bundle.folder, model)
    until(lambda: started.hears("STATUS=Waiting: no such file or folder"))
    late.mkdir()
    shutil.copy(photo, late)
    until(lambda: started.hears("READY=1"))
    assert started.end_by(signal.SIGTERM)[0] == 0


def test_wait_for_what_never_appears_ends_with_a_signal(start: Start, tmp_path: Path) -> None:
    started = start("run", "--source", f"replay:{tmp_path}/late", "--appliance")
    until(lambda: started.hears("STATUS=Waiting: "))
    status, err = started.end_by(signal.SIGTERM)
    assert status == 0
    assert "dermascope: " not in err


@pytest.mark.parametrize("how", ["deep", "pipe"])
def test_neither_calibration_nor_choices_keep_it_from_starting(
    start: Start, tmp_path: Path, how: str
) -> None:
    (tmp_path / "state").mkdir()
    for path in (tmp_path / "state" / "optics.json", tmp_path / "state" / "screen.json"):
        if how == "pipe":
            os.mkfifo(path)
        else:
            path.write_text('{"x": ' + "[" * 1500 + "]" * 1500 + "}")
    started = start("run", "--source", "demo")
    until(lambda: started.hears("no length is shown in millimetres"))
    until(lambda: started.hears(LIVE))
    assert started.end_by(signal.SIGTERM)[0] == 0


def test_second_start_on_one_folder_is_refused_and_the_first_goes_on(
    start: Start, tmp_path: Path
) -> None:
    arguments = ["run", "--source", "picamera-fake"]
    first = start(*arguments, before=CAMERA)
    until(lambda: first.hears(LIVE))
    (tmp_path / "other").mkdir()
    second = start(
        *arguments, folder=tmp_path / "other", before=CAMERA, STATE_DIRECTORY=tmp_path / "state"
    )
    status, err = second.ends()
    assert status == ExitStatus.BAD_INPUT
    assert "another dermascope keeps its examinations in the same folder; end that one" in err
    assert first.end_by(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize("folder", ["{here}/none", "/proc/self", "/sys/kernel"])
def test_folder_that_cannot_take_examinations_is_told_and_it_starts(
    start: Start, tmp_path: Path, folder: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'records_folder = "{folder.format(here=tmp_path)}"')
    started = start("--config", str(path), "run", "--source", "picamera-fake", before=CAMERA)
    until(lambda: started.hears("no examination can be kept"))
    until(lambda: started.hears(LIVE))
    status, err = started.end_by(signal.SIGTERM)
    assert status == 0
    assert "no examination can be kept" in err


# In a view of the disks that is the process's own.
READ_ONLY = """
import ctypes, subprocess
assert ctypes.CDLL(None).unshare(0x20000) == 0
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
subprocess.run(["mount", "--bind", "{folder}", "{folder}"], check=True)
subprocess.run(["mount", "--options", "remount,bind,ro", "{folder}"], check=True)
"""


@pytest.mark.skipif(not ALLOWED, reason="may not mount")
def test_records_on_a_disk_that_is_read_only_are_told_of_and_it_starts(
    start: Start, tmp_path: Path, frames: tuple[Frame, ...]
) -> None:
    folder = tmp_path / "state" / "examinations"
    archive = EncryptedArchive(folder)
    archive.keep(replace(frames[0], kind=SourceKind.CAMERA), None, [], None)
    archive.close()
    protected = READ_ONLY.format(folder=folder)
    started = start("run", "--source", "picamera-fake", before=protected + CAMERA)
    until(lambda: started.hears(LIVE))
    status, err = started.end_by(signal.SIGTERM)
    assert status == 0
    assert "nothing can be kept, as the disk of the records is read-only" in err
    assert "cannot be read" not in err


def test_clock_that_went_back_is_said_at_the_start(
    start: Start, tmp_path: Path, frames: tuple[Frame, ...]
) -> None:
    later = datetime(2150, 1, 1, tzinfo=UTC)
    archive = EncryptedArchive(tmp_path / "state" / "examinations")
    archive.keep(replace(frames[0], kind=SourceKind.CAMERA, time=later), None, [], None)
    archive.close()
    started = start("run", "--source", "picamera-fake", before=CAMERA)
    until(lambda: started.hears(CLOCK_NOT_SET))
    assert started.end_by(signal.SIGTERM)[0] == 0
