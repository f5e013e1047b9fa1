"""The command that is there for whoever is logged in on a card."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from build_host.image.program import PREFIX, TREE
from build_host.image.recipe import OVERLAY, load_recipe
from build_host.image.rpi_image_gen import FILES, write_layer
from device.config import SYSTEM_CONFIG
from device.provisioning.apply import ENVIRONMENT, RUN_FOLDER, SETTINGS

COMMAND = Path("usr/bin/dermascope")
UNITS = (
    TREE / "systemd/dermascope.service",
    OVERLAY / "usr/lib/systemd/system/dermascope.service.d/image.conf",
)


@pytest.fixture
def run(tmp_path: Path):
    """Return what runs the command with an environment, and returns that of the program."""
    program = tmp_path / "dermascope"
    program.write_text('#!/bin/sh\necho "WORDS=$*"\nexec env\n')
    program.chmod(0o755)
    script = (OVERLAY / COMMAND).read_text()
    script = script.replace(f"/{PREFIX}/bin/dermascope", str(program))
    script = script.replace(str(RUN_FOLDER / ENVIRONMENT), str(tmp_path / ENVIRONMENT))

    def started(*words: str, **environment: str) -> dict[str, str]:
        done = subprocess.run(
            ["sh", "-c", script, "dermascope", *words],
            env={"PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    return started


def test_the_program_has_what_its_service_gives_it(run):
    given = dict(
        pair.split("=", 1)
        for unit in UNITS
        for pair in re.findall(r"^Environment=(.*)$", unit.read_text(), re.MULTILINE)
    )
    assert given["DERMASCOPE_CONFIG"] == str(RUN_FOLDER / SETTINGS)
    (state,) = re.findall(r"^StateDirectory=(.*)$", UNITS[0].read_text(), re.MULTILINE)
    given["STATE_DIRECTORY"] = f"/var/lib/{state}"
    found = run("model", "install", "a file.dermascope")
    assert {name: found.get(name) for name in given} == given
    assert found["WORDS"] == "model install a file.dermascope"


def test_what_the_caller_sets_goes_first(run):
    theirs = {"SDL_VIDEODRIVER": "dummy", "DERMASCOPE_CONFIG": "/tmp/own.toml", "TZ": "UTC"}  # noqa: S108
    found = run("selftest", **theirs)
    assert {name: found[name] for name in theirs} == theirs


@pytest.mark.parametrize(("written", "zone"), [("TZ=America/Lima\n", "America/Lima"), (None, None)])
def test_the_time_zone_is_that_of_the_settings(run, tmp_path, written, zone):
    if written:
        (tmp_path / ENVIRONMENT).write_text(written)
    assert run("status").get("TZ") == zone


def test_the_program_finds_the_settings_of_the_card_however_it_is_started():
    link = OVERLAY / SYSTEM_CONFIG.relative_to("/")
    assert str(link.readlink()) == str(RUN_FOLDER / SETTINGS)


def test_the_command_can_be_run_on_every_image(tmp_path):
    assert os.access(OVERLAY / COMMAND, os.X_OK)
    program = tmp_path / "root"
    (program / PREFIX).mkdir(parents=True)
    write_layer(load_recipe(), program, tmp_path / "source")
    files = tmp_path / "source" / FILES
    assert os.access(files / COMMAND, os.X_OK)
    assert (files / SYSTEM_CONFIG.relative_to("/")).is_symlink()
