import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import cv2
import pygame
import pytest
from PIL import Image

from device import __version__
from device.capture.demo import SCENES
from device.cli import DEBUG_VARIABLE, main
from device.exit_status import ExitStatus
from device.frame import Frame
from device.models.bundle import Bundle
from device.screen.layout import arrange
from device.screen.pages.base import page_class
from device.screen.registry import PageName
from tests.device.bundles import plain_manifest, write_bundle
from tests.device.commands import GIVE_UP_SECONDS, ROOT, Capture, complaint, records, run
from tests.device.models.case_mixes import with_case_mixes, without_case_mixes
from tests.device.models.two_networks import (
    shipped_bundle,
    sign_two_networks,
    two_networks,
)


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


def test_model_is_verified_and_described(bundle: Bundle, capsys: Capture) -> None:
    assert main(["model"]) == 0
    out, err = capsys.readouterr()
    assert bundle.manifest.model_id in out
    assert "Signature and hash hold" in out
    assert bundle.signed_by[:16] in out
    assert bundle.manifest.provenance.licence in out
    assert f"model.tflite: input 96 x 96, center-square; {len(bundle.live_model):,} bytes" in out
    assert out.count(".tflite: ") == len(bundle.manifest.networks)
    assert err == ""


def test_each_of_two_networks_is_described(tmp_path: Path, bundle: Bundle, capsys: Capture) -> None:
    other = shipped_bundle("paper-28")
    key = sign_two_networks(tmp_path / "bundle", two_networks(bundle, other), bundle, other)
    config = tmp_path / "config.toml"
    config.write_text(f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\n')
    assert main(["--config", str(config), "model"]) == 0
    out, err = capsys.readouterr()
    lines = [line for line in out.splitlines() if ".tflite: " in line]
    assert lines == [
        f"model.tflite: input 96 x 96, center-square; {len(bundle.live_model):,} bytes; saliency "
        "by class-activation-map, of a captured picture by class-activation-map",
        f"captured.tflite: input 28 x 28, full-frame; {len(other.live_model):,} bytes; saliency "
        "by occlusion, of a captured picture by occlusion",
    ]
    assert err == ""


def test_altered_model_is_refused_by_every_command(
    tmp_path: Path, bundle: Bundle, photo: Path, capsys: Capture
) -> None:
    for path in bundle.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "model.tflite").open("r+b") as file:
        file.write(b"\xff")
    for command in (["model"], ["analyze", str(photo)], ["run"], ["demo", "--out", str(tmp_path)]):
        status = ExitStatus.CANNOT_START if command == ["run"] else ExitStatus.BAD_INPUT
        assert main([command[0], "--model", str(tmp_path), *command[1:]]) == status
        assert "SHA-256 differs" in complaint(capsys)


def test_truncated_model_gets_one_line(tmp_path: Path, bundle: Bundle, photo: Path) -> None:
    manifest = plain_manifest(bundle)
    key = write_bundle(tmp_path / "bundle", manifest, bundle.live_model[:5000])
    config = tmp_path / "config.toml"
    config.write_text(f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\n')
    done = run("--config", config, "analyze", photo)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "does not load" in line


def test_missing_model_is_named(tmp_path: Path, capsys: Capture) -> None:
    assert main(["model", "--model", str(tmp_path / "missing")]) == 2
    assert str(tmp_path / "missing") in complaint(capsys)


def test_settings_name_model_and_key(
    tmp_path: Path, bundle: Bundle, photo: Path, capsys: Capture
) -> None:
    manifest = plain_manifest(bundle) | {"name": "of-our-own"}
    key = write_bundle(tmp_path / "bundle", manifest, bundle.live_model)
    config = tmp_path / "config.toml"
    config.write_text(f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\n')
    assert main(["--config", str(config), "analyze", "--json", str(photo)]) == 0
    (record,) = records(capsys.readouterr().out)
    assert record.model.startswith("of-our-own ")


def test_settings_name_the_practice(
    tmp_path: Path, bundle: Bundle, photo: Path, capsys: Capture
) -> None:
    key = write_bundle(
        tmp_path / "bundle", with_case_mixes(plain_manifest(bundle)), bundle.live_model
    )
    settings = f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\n'
    config, found = tmp_path / "config.toml", {}
    for name in ("", "screening", "referral"):
        config.write_text(f'{settings}case_mix = "{name}"\n')
        assert main(["--config", str(config), "analyze", "--json", str(photo)]) == 0
        (found[name],) = records(capsys.readouterr().out)
    assert found[""].case_mix == found["screening"].case_mix == "screening"
    assert found["referral"].case_mix == "referral"
    assert found[""].probabilities == found["screening"].probabilities
    assert found["referral"].malignancy > found["screening"].malignancy


@pytest.mark.parametrize("named", [True, False])
def test_practice_that_the_model_does_not_know_is_refused_by_every_command(
    tmp_path: Path, bundle: Bundle, photo: Path, capsys: Capture, named: bool
) -> None:
    read_for = with_case_mixes if named else without_case_mixes
    manifest = read_for(plain_manifest(bundle))
    key = write_bundle(tmp_path / "bundle", manifest, bundle.live_model)
    config = tmp_path / "config.toml"
    config.write_text(
        f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\ncase_mix = "hospital"\n'
    )
    for command in (["model"], ["analyze", str(photo)], ["run"], ["demo", "--out", str(tmp_path)]):
        status = ExitStatus.CANNOT_START if command == ["run"] else ExitStatus.BAD_INPUT
        assert main(["--config", str(config), *command]) == status
        told = complaint(capsys)
        assert "not calibrated for the case mix 'hospital'" in told
        assert ("screening, referral" if named else "none by name") in told
        assert "change the setting case_mix" in told


@pytest.mark.parametrize("content", ["colour = 1", "threads = 99", "nonsense"])
def test_bad_settings_are_named(tmp_path: Path, capsys: Capture, content: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(content)
    assert main(["--config", str(config), "model"]) == 2
    assert str(config) in complaint(capsys)


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


def test_live_view_opens_and_ends(state: Path, capsys: Capture) -> None:
    with someone_who(leave, every=0.05):
        assert main(["run", "--source", "demo"]) == 0
    assert complaints(capsys.readouterr().err) == []


def test_live_view_opens_where_nothing_can_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for variable in ("STATE_DIRECTORY", "TMPDIR"):
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
        kept.extend((tmp_path / "temporary").glob("dermascope-*/*Z-*/examination.json"))
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


def test_live_view_with_bad_settings_cannot_start(tmp_path: Path, capsys: Capture) -> None:
    config = tmp_path / "config.toml"
    config.write_text("threads = 99")
    assert main(["--config", str(config), "run"]) == ExitStatus.CANNOT_START
    assert str(config) in complaint(capsys)


def test_help_tells_what_each_exit_status_means(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert sorted(ExitStatus) == [0, 2, 3, 70, 78, 80, 81, 130]
    for status in ExitStatus:
        assert f"{status.value} {status.meaning}" in told


@pytest.mark.parametrize("debug", [False, True])
def test_error_of_the_program_itself_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, debug: bool
) -> None:
    monkeypatch.setattr("device.models.chosen.load_bundle", {}.__getitem__)
    if debug:
        monkeypatch.setenv(DEBUG_VARIABLE, "1")
    assert main(["model"]) == ExitStatus.INTERNAL_ERROR
    *traceback, line = capsys.readouterr().err.splitlines()
    assert line.startswith("dermascope: internal error (TypeError: ")
    assert line.endswith(f"please report it, with what {DEBUG_VARIABLE}=1 shows")
    assert bool(traceback) == debug


def test_interrupted_program_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("device.models.chosen.load_bundle", interrupted)
    assert main(["model"]) == ExitStatus.INTERRUPTED
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["analyze"], ["analyze", "--nonsense", "a.jpg"]], ids=str
)
def test_wrong_use_is_explained(capsys: Capture, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: dermascope" in capsys.readouterr().err


def test_version_is_told(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"dermascope {__version__}\n"


@pytest.mark.parametrize(
    "command", [["model"], ["schema"], ["analyze"], ["analyze", "--json"]], ids=" ".join
)
def test_reader_who_goes_away_is_no_error(photo: Path, command: list[str]) -> None:
    photos = [str(photo)] * 2 if command[0] == "analyze" else []
    read, written = os.pipe()
    os.close(read)
    done = run(*command, *photos, stdout=written, stderr=subprocess.PIPE, capture_output=False)
    os.close(written)
    assert done.returncode == 0
    assert done.stderr == ""


def test_service_without_standard_error_works(photo: Path) -> None:
    command = [sys.executable, "-m", "device", "analyze", "--json", str(photo)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=GIVE_UP_SECONDS,
    )
    assert done.returncode == 0
    assert len(records(done.stdout)) == 1


def test_journal_is_told_neither_a_replayed_files_name_nor_an_errors_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    assert main(["run", "--source", f"replay:{tmp_path / 'Jane Doe'}"]) == ExitStatus.BAD_INPUT
    err = capsys.readouterr().err
    assert "no such file or folder" in err
    assert "Jane" not in err
