"""The self-test as a person, a factory line and the screen meet it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPin
from numpy.typing import NDArray

from device.cli import main
from device.config import Config
from device.exit_status import ExitStatus
from device.frame import Frame
from device.inference.network import Network, NetworkOutput
from device.models.bundle import Bundle
from device.optics import Optics, save_optics
from device.platform.clock import Clock
from device.runtime.health import PartHealth
from device.screen.events import Touch
from device.screen.pages.about import AboutView
from device.screen.pages.live import LiveControl
from device.screen.registry import PageName
from device.selftest import equipment, model
from device.selftest.check import Check, Checks, CheckState, Item, carried_out, passed, worst
from tests.device.bundles import plain_manifest, write_bundle
from tests.device.clinic import Camera, Clinic
from tests.device.commands import ROOT, Capture


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state"


def by_item(checks: Checks) -> dict[Item, Check]:
    return {check.item: check for check in checks}


def test_table_names_every_item_and_what_is_to_be_done(capsys: Capture) -> None:
    assert main(["selftest", "--source", "demo"]) == ExitStatus.OK
    out, err = capsys.readouterr()
    for item in Item:
        assert item in out
    assert "its signature holds" in out
    assert "calibrate with a ruler" in " ".join(out.split())
    assert err == ""


def test_factory_line_reads_one_object_and_an_exit_status(capsys: Capture, tmp_path: Path) -> None:
    assert main(["selftest", "--json", "--source", "replay:/no/such/folder"]) == (
        ExitStatus.CHECK_FAILED
    )
    report = json.loads(capsys.readouterr().out)
    assert report["state"] == "failed"
    states = {check["check"]: check["state"] for check in report["checks"]}
    assert set(states) == set(Item)
    assert [name for name, state in states.items() if state == "failed"] == ["camera"]


def test_running_instrument_keeps_what_it_holds(capsys: Capture) -> None:
    source = "replay:/no/such/folder"
    assert main(["selftest", "--running", "--json", "--source", source]) == ExitStatus.OK
    tested = {check["check"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert tested == set(Item) - {Item.CAMERA, Item.OPTICS, Item.SCREEN, Item.BUTTONS}


def test_only_what_is_named_is_checked(capsys: Capture) -> None:
    source = "replay:/no/such/folder"
    words = ["--only", "disk", "--only", "golden outputs", "--json", "--source", source]
    assert main(["selftest", *words]) == ExitStatus.OK
    tested = [check["check"] for check in json.loads(capsys.readouterr().out)["checks"]]
    assert sorted(tested) == ["disk", "golden outputs"]
    assert main(["selftest", "--only", "toaster"]) == ExitStatus.BAD_INPUT
    assert "toaster: there is no such check; choose from camera" in capsys.readouterr().err


def test_altered_model_fails(tmp_path: Path, bundle: Bundle) -> None:
    for path in bundle.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "model.tflite").open("r+b") as file:
        file.write(b"\xff")
    (check,) = model.model_checks(Config(), tmp_path)
    assert (check.item, check.state) == (Item.MODEL, CheckState.FAILED)
    assert "SHA-256 differs" in check.found.text


def test_machine_that_computes_wrongly_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Network._run

    def wrong(network: Network, pixels: NDArray[np.uint8]) -> NetworkOutput:
        output = right(network, pixels)
        return output._replace(logits=output.logits[::-1])

    monkeypatch.setattr(Network, "_run", wrong)
    signature, answers = model.model_checks(Config())
    assert signature.state is CheckState.PASSED
    assert (answers.item, answers.state) == (Item.ANSWERS, CheckState.FAILED)
    assert "computes it wrongly" in answers.found.text


def test_model_whose_answers_nobody_knows_is_no_failure(tmp_path: Path, bundle: Bundle) -> None:
    padded = bundle.live_model + b"\0"
    key = write_bundle(tmp_path, plain_manifest(bundle), padded)
    found = by_item(tuple(model.model_checks(Config(trusted_keys=(key,)), tmp_path)))
    assert found[Item.ANSWERS].state is CheckState.UNTESTED
    # A bundle without its measurements says nothing of how long a pass should take.
    assert found[Item.SPEED].state is CheckState.PASSED
    assert "times as long" not in found[Item.SPEED].found.text


@pytest.mark.parametrize(
    ("limit", "state"), [("SLOWER", CheckState.WARNING), ("SLOWEST_MS", CheckState.FAILED)]
)
def test_pass_that_takes_too_long_is_told(
    monkeypatch: pytest.MonkeyPatch, limit: str, state: CheckState
) -> None:
    monkeypatch.setattr(model, limit, 0.0)
    assert by_item(tuple(model.model_checks(Config())))[Item.SPEED].state is state


def test_optics_are_of_the_cameras_shape(state: Path, frames: tuple[Frame, ...]) -> None:
    assert equipment.optics_check(state, frames[0]).state is CheckState.WARNING
    now = Clock().now()
    save_optics(state, Optics(mm_per_pixel=0.02, width=512, height=384, calibrated=now))
    check = equipment.optics_check(state, frames[0])
    assert check.state is CheckState.PASSED
    assert "20.0 µm per pixel" in check.found.text
    save_optics(state, Optics(mm_per_pixel=0.02, width=640, height=640, calibrated=now))
    assert equipment.optics_check(state, frames[0]).state is CheckState.WARNING
    (state / "optics.json").write_text("{")
    assert equipment.optics_check(state, frames[0]).state is CheckState.FAILED


def test_driver_that_nobody_asked_for_is_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert equipment.screen_check("dummy", (1024, 600)).state is CheckState.UNTESTED
    monkeypatch.setenv("SDL_VIDEODRIVER", "kmsdrm,x11")
    assert equipment.screen_check("offscreen", (1024, 600)).state is CheckState.FAILED
    check = equipment.screen_check("kmsdrm", (800, 480))
    assert (check.state, check.found.text) == (CheckState.PASSED, "kmsdrm, 800 x 480 pixels")


class Grounded(MockPin):
    """A pin that is connected with ground for good."""

    def _get_state(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("pin", "state"), [(MockPin, CheckState.PASSED), (Grounded, CheckState.FAILED)]
)
def test_button_that_is_stuck_fails(pin: type[MockPin], state: CheckState) -> None:
    Device.pin_factory = MockFactory(pin_class=pin)
    try:
        assert equipment.buttons_check(Config(shutter_pin=17), Clock()).state is state
    finally:
        Device.pin_factory.reset()
        Device.pin_factory = None


def test_machine_without_buttons_tests_none() -> None:
    assert equipment.buttons_check(Config(), Clock()).state is CheckState.UNTESTED


def test_check_that_breaks_fails_alone() -> None:
    def broken() -> list[Check]:
        raise RuntimeError("no such register")

    checks = carried_out(((Item.CLOCK, broken), (Item.POWER, lambda: [passed(Item.POWER, "good")])))
    assert [check.state for check in checks] == [CheckState.FAILED, CheckState.PASSED]
    assert checks[0].found.technical == "RuntimeError: no such register"
    assert worst(checks) is CheckState.FAILED


def test_screen_shows_what_was_found_beside_the_live_view(clinic: Clinic) -> None:
    seen = []

    def test(health: PartHealth, frame: Frame | None) -> Checks:
        seen.append(health)
        return (equipment.camera_at_work(health, frame),)

    def deeds() -> None:
        clinic.until_finding()
        clinic.click(clinic.target("more"))
        clinic.click(clinic.target("about", "settings"))
        clinic.click(clinic.target("selftest", "about"))
        clinic.until(lambda: getattr(clinic.view(), "checks", None))
        (check,) = clinic.view().checks
        assert check.state is CheckState.PASSED
        assert check.found.text == "camera: 160 x 120"
        clinic.click(clinic.target("again", "selftest"))
        clinic.until(lambda: len(seen) == 2)
        clinic.click(clinic.target("back", "selftest"))
        clinic.until(lambda: isinstance(clinic.view(), AboutView))

    clinic.options = {"selftest": test}
    clinic.use(Camera(), deeds)


def test_camera_that_gives_nothing_fails_beside_the_live_view(clinic: Clinic) -> None:
    checks: list[Check] = []

    def test(health: PartHealth, frame: Frame | None) -> Checks:
        checks.append(equipment.camera_at_work(health, frame))
        return tuple(checks)

    def deeds() -> None:
        clinic.until(clinic.fault)
        clinic.app.session.handle(Touch(LiveControl.MORE))
        clinic.app.session.handle(Touch(PageName.ABOUT))
        clinic.app.session.handle(Touch(PageName.SELFTEST))
        clinic.until(lambda: checks)

    clinic.options = {"selftest": test}
    clinic.use(Camera(failures=10_000), deeds)
    assert checks[0].state is CheckState.FAILED
    assert "unplugged" in checks[0].found.text


_LOADED = """
import sys
from device.cli import main
main(["selftest", "--running", "--only", "disk", "--only", "disk wear"])
print([name for name in ("numpy", "cv2", "pygame", "PIL") if name in sys.modules])
"""


def test_disk_that_every_start_waits_for_is_checked_without_the_large_libraries() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "Self-test: " in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
