"""Models from a stick, on the very image: tried, used on trial, and taken back."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import ImageStat

from build_host.image.tools import Tools
from device.config import DEFAULT_MODEL, Config
from device.inference.known_answers import known_answers
from device.models.bundle import load_bundle
from device.models.installed import STARTS
from device.paths import shipped_models
from tests.device.installation.models import Maker
from tests.image.conftest import Flash
from tests.image.machine import READY, Machine, plugged, stick
from tests.image.test_boot import CAMERA, LOG, START_SECONDS, settled, working

SLOW = "/run/slow"
PATIENT = "import device.inference.trial as trial; trial.MOST_MS = 1e6"
RUN = f"PYTHONPATH={SLOW} dermascope"
"""The card's own command, on a machine whose time is never what is tested."""

STICK = "/run/media/sda"


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker(load_bundle(shipped_models() / DEFAULT_MODEL, Config().trusted_keys))


@pytest.fixture(scope="module")
def machine(
    flash: Flash, tools: Tools, tmp_path_factory: pytest.TempPathFactory, maker: Maker
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("models")
    good = maker.archive(folder, "9.0.0")
    right = known_answers()[maker.bundle.manifest.live.sha256]
    # The same network, of which other answers are told than it gives.
    model = maker.bundle.live_model + b"\0"
    wrong = {hashlib.sha256(model).hexdigest(): [[-100] * 7, *right[1:]]}
    bad = maker.archive(folder, "9.1.0", model=model, known_answers=wrong)
    image = stick([good, bad], tools)
    keys = ", ".join(f'"{key}"' for key in maker.config.trusted_keys)
    card = flash(f'source = "usb:/dev/video0"\nlanguage = "en"\ntrusted_keys = [{keys}]\n')
    with Machine(
        card,
        folder,
        tools,
        extra=f"{CAMERA} {LOG}",
        arguments=plugged(image),
        shared=[image.parent],
    ) as started:
        started.wait_for(READY, START_SECONDS)
        working(started)
        # Python's own place for what is done before a program.
        started.root(f"mkdir {SLOW} && echo '{PATIENT}' > {SLOW}/sitecustomize.py")
        yield started


def in_use(machine: Machine) -> str:
    return machine.root("dermascope status 2>&1 | grep -i model", 300.0)


def restart(machine: Machine) -> None:
    # A person who restarts it so often is not what the limit of starts is for.
    machine.root("systemctl reset-failed; systemctl restart dermascope.service", START_SECONDS)


def test_a_stick_is_mounted_and_cannot_be_written(machine):
    assert f"{DEFAULT_MODEL}-9.0.0.dermascope" in machine.root(f"ls {STICK}")
    options = machine.root(f"findmnt --noheadings --output OPTIONS {STICK}")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options.strip().split(","))


def test_a_model_that_answers_wrongly_is_not_installed(machine, maker):
    said = machine.root(f"{RUN} model install {STICK}/*9.1.0.dermascope 2>&1; echo $?", 600.0)
    assert "the trial on this device failed" in said
    assert said.split()[-1] == "2"
    restart(machine)
    working(machine)
    assert maker.bundle.manifest.version in in_use(machine)


def test_a_model_that_works_is_used_from_the_next_start(machine):
    said = machine.root(f"{RUN} model install {STICK}/*9.0.0.dermascope 2>&1", 600.0)
    assert "works here" in said
    restart(machine)
    working(machine)
    assert "9.0.0" in in_use(machine)


def test_a_model_that_is_started_again_and_again_is_taken_back(machine, maker, shown: Path):
    for _ in range(STARTS):
        restart(machine)
    working(machine)
    assert maker.bundle.manifest.version in in_use(machine)
    picture = settled(machine, shown / "model-taken-back.png")
    assert ImageStat.Stat(picture).stddev[0] > 10.0
    history = machine.root(f"{RUN} model history", 300.0)
    assert "installed" in history
    assert "rolled back" in history


def test_a_stick_that_is_pulled_out_is_let_go(machine):
    machine.ask("device_del", id="stick")
    end = time.monotonic() + 60.0
    while STICK in machine.root("cat /proc/mounts"):
        assert time.monotonic() < end
        time.sleep(1.0)
