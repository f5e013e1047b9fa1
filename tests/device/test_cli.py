import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pygame
import pytest
from PIL import Image

from device import __version__
from device.capture.demo import SCENES
from device.cli import main
from device.models.bundle import MANIFEST_FILE, Bundle
from device.platform.systemd import RESTART, SWITCH_OFF
from device.screen.layout import arrange
from tests.device.bundles import write_bundle
from tests.device.commands import GIVE_UP_SECONDS, ROOT, Capture, complaint, records, run


def test_model_is_verified_and_described(bundle: Bundle, capsys: Capture) -> None:
    assert main(["model"]) == 0
    out, err = capsys.readouterr()
    assert bundle.manifest.model_id in out
    assert "Signature and hash hold" in out
    assert bundle.signed_by[:16] in out
    assert bundle.manifest.provenance.licence in out
    assert err == ""


def test_altered_model_is_refused_by_every_command(
    tmp_path: Path, bundle: Bundle, photo: Path, capsys: Capture
) -> None:
    for path in bundle.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "model.tflite").open("r+b") as file:
        file.write(b"\xff")
    for command in (["model"], ["analyze", str(photo)], ["run"], ["demo", "--out", str(tmp_path)]):
        assert main([command[0], "--model", str(tmp_path), *command[1:]]) == 2
        assert "SHA-256 differs" in complaint(capsys)


def test_truncated_model_gets_one_line(tmp_path: Path, bundle: Bundle, photo: Path) -> None:
    manifest = json.loads((bundle.folder / MANIFEST_FILE).read_bytes())
    key = write_bundle(tmp_path / "bundle", manifest, bundle.model[:5000])
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
    manifest = json.loads((bundle.folder / MANIFEST_FILE).read_bytes()) | {"name": "of-our-own"}
    key = write_bundle(tmp_path / "bundle", manifest, bundle.model)
    config = tmp_path / "config.toml"
    config.write_text(f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\n')
    assert main(["--config", str(config), "analyze", "--json", str(photo)]) == 0
    (record,) = records(capsys.readouterr().out)
    assert record.model.startswith("of-our-own ")


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


def test_live_view_opens_and_ends(capsys: Capture) -> None:
    finished = threading.Event()

    def quit_when_open() -> None:
        while not finished.is_set():
            with contextlib.suppress(pygame.error):  # not open yet, or closed already
                pygame.event.post(pygame.event.Event(pygame.QUIT))
            time.sleep(0.05)

    person = threading.Thread(target=quit_when_open)
    person.start()
    try:
        assert main(["run", "--source", "demo"]) == 0
    finally:
        finished.set()
        person.join()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("ending", "status"), [("restart", RESTART), ("off", SWITCH_OFF)])
def test_appliance_ends_with_what_was_asked_of_it(ending: str, status: int) -> None:
    finished = threading.Event()
    targets = arrange(1024, 600).targets
    places = [targets["live"]["more"], targets["settings"]["quit"], targets["off"][ending]]

    def touch() -> None:
        while not finished.is_set():
            for place in places:
                with contextlib.suppress(pygame.error):
                    down = pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=place.center, button=1)
                    pygame.event.post(down)
            time.sleep(0.3)

    person = threading.Thread(target=touch)
    person.start()
    try:
        assert main(["run", "--source", "demo", "--appliance"]) == status
    finally:
        finished.set()
        person.join()


@pytest.mark.parametrize("source", ["camera", "replay:", "replay:/no/such/folder"])
def test_live_view_without_its_source_says_so(capsys: Capture, source: str) -> None:
    assert main(["run", "--source", source]) == 2
    assert source.removeprefix("replay:/") in complaint(capsys)


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
