"""The first minutes with a new model, at the start and in use."""

import threading
from pathlib import Path

import pytest

from device.app import App
from device.config import Config
from device.errors import BundleError
from device.faults import Fault
from device.installation.install import install_model
from device.installation.installer import Installer
from device.installation.trial_period import (
    CONFIRMED_SECONDS,
    ROLLED_BACK,
    TAKEN_BACK,
    TrialPeriod,
    begin_trial,
    confirm,
    roll_back,
)
from device.models.archive import pack
from device.models.chosen import chosen_folder, open_bundle
from device.models.installed import STARTS, models_folder, read_installed
from device.paths import shipped_models
from device.runtime.health import FAILURES, PartHealth, PartState
from device.screen.state import Command
from tests.device.clinic import Camera, Clinic
from tests.device.clocks import ManualClock
from tests.device.installation.models import NAME, Maker, events, sound, used
from tests.device.scripted import fails, until


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def state(tmp_path: Path, maker: Maker, clock: ManualClock) -> Path:
    """A device on which a model was just installed."""
    state = tmp_path / "state"
    install_model(maker.archive(tmp_path), maker.config, state, clock, attempt=sound)
    return state


def health(state: PartState, failures: int = 0) -> PartHealth:
    fault = Fault("no memory") if failures else None
    return PartHealth(state, 0.0, 0.0, failures, fault)


WORKING, FAILING = health(PartState.WORKING), health(PartState.FAILING, FAILURES)


def test_each_start_on_trial_is_counted_and_the_last_takes_it_back(
    state: Path, maker: Maker, clock: ManualClock
) -> None:
    for _ in range(STARTS):
        assert begin_trial(maker.config, state, clock) == []
        assert used(maker, state) == "9.0.0"
    (fault,) = begin_trial(maker.config, state, clock)
    assert fault.message == ROLLED_BACK
    assert "3 times" in fault.detail
    assert maker.bundle.manifest.model_id in fault.text
    assert chosen_folder(maker.config, state).name == NAME
    assert events(state)[-1] == ("rolled back", "9.0.0")
    assert begin_trial(maker.config, state, clock) == []


def test_model_that_no_longer_holds_is_taken_back_at_the_start(
    state: Path, maker: Maker, clock: ManualClock
) -> None:
    with (chosen_folder(maker.config, state) / "model.tflite").open("r+b") as file:
        file.write(b"\xff")
    with pytest.raises(BundleError, match="SHA-256 differs"):
        open_bundle(maker.config, state=state)
    (fault,) = begin_trial(maker.config, state, clock)
    assert "SHA-256 differs" in fault.detail
    assert open_bundle(maker.config, state=state).manifest.version != "9.0.0"


def test_model_that_was_confirmed_is_started_as_often_as_one_likes(
    state: Path, maker: Maker, clock: ManualClock
) -> None:
    assert confirm(state, clock)
    assert not confirm(state, clock)
    for _ in range(STARTS + 2):
        assert begin_trial(maker.config, state, clock) == []
    assert used(maker, state) == "9.0.0"
    assert events(state) == [("installed", "9.0.0"), ("confirmed", "9.0.0")]


def test_setting_that_names_a_model_has_no_trial(
    state: Path, maker: Maker, clock: ManualClock
) -> None:
    named = Config(model=str(chosen_folder(maker.config, state)))
    assert begin_trial(named, state, clock) == []
    period = TrialPeriod(named, state, clock)
    period.watch(FAILING)
    written()
    assert period.fault is None
    with pytest.raises(BundleError, match="the setting model names"):
        roll_back(named, state, clock, "by hand")
    installed = read_installed(models_folder(state))
    assert (installed.starts, installed.on_trial) == (0, True)


def test_device_without_models_has_nothing_to_take_back(tmp_path: Path, clock: ManualClock) -> None:
    assert begin_trial(Config(), tmp_path, clock) == []
    assert not confirm(tmp_path, clock)
    with pytest.raises(BundleError, match="no model was installed"):
        roll_back(Config(), tmp_path, clock, "by hand")


def test_state_that_cannot_be_written_keeps_nothing_from_starting(
    state: Path, maker: Maker, clock: ManualClock, no_privilege: None
) -> None:
    assert begin_trial(maker.config, state, clock) == []


def written() -> None:
    """Wait for what the trial period writes in threads of its own."""
    until(lambda: not any(t.name == "trial period" for t in threading.enumerate()))


def test_minutes_of_work_confirm_a_model(state: Path, maker: Maker, clock: ManualClock) -> None:
    period = TrialPeriod(maker.config, state, clock)
    period.watch(WORKING)
    clock.seconds += CONFIRMED_SECONDS
    period.watch(health(PartState.WAITING))
    written()
    assert read_installed(models_folder(state)).on_trial
    period.watch(WORKING)
    written()
    assert not read_installed(models_folder(state)).on_trial
    # From then on it may fail as any model may.
    period.watch(FAILING)
    assert period.fault is None


def test_model_that_fails_in_use_is_taken_back(
    state: Path, maker: Maker, clock: ManualClock
) -> None:
    period = TrialPeriod(maker.config, state, clock)
    period.watch(health(PartState.FAILING, FAILURES - 1))
    assert period.fault is None
    period.watch(FAILING)
    written()
    assert period.fault
    assert period.fault.message == TAKEN_BACK
    assert chosen_folder(maker.config, state).name == NAME


@pytest.fixture
def two(state: Path, maker: Maker, clock: ManualClock, tmp_path: Path) -> Maker:
    """The maker of a second model, which was installed after the first was confirmed."""
    other = Maker(maker.bundle)
    config = trusting(maker, other)
    confirm(state, clock)
    install_model(other.archive(tmp_path, "9.1.0"), config, state, clock, attempt=sound)
    return other


def trusting(*makers: Maker) -> Config:
    """Return the settings of a device that trusts these, and not the project."""
    return Config(trusted_keys=tuple(maker.public for maker in makers))


def test_model_whose_key_is_trusted_no_more_is_passed_over(
    state: Path, two: Maker, clock: ManualClock
) -> None:
    config = Config(trusted_keys=(*Config().trusted_keys, two.public))
    shipped = open_bundle(config, shipped_models() / NAME, state).manifest.model_id
    assert roll_back(config, state, clock, "by hand") == shipped
    assert chosen_folder(config, state) == shipped_models() / NAME
    reason = read_installed(models_folder(state)).history[-1].reason
    assert reason.startswith("by hand; passed over: ")
    assert f"{NAME}-9.0.0" in reason
    assert "is not a signature of manifest.json" in reason


def test_where_no_other_model_opens_the_one_in_use_stays(
    state: Path, two: Maker, clock: ManualClock
) -> None:
    before = read_installed(models_folder(state))
    with pytest.raises(BundleError, match=f"{NAME} 9.1.0 stays in use: no model before it"):
        roll_back(trusting(two), state, clock, "by hand")
    assert read_installed(models_folder(state)) == before
    assert open_bundle(trusting(two), state=state).manifest.version == "9.1.0"


def test_one_rollback_more_than_there_are_models_leaves_one(
    state: Path, maker: Maker, two: Maker, clock: ManualClock
) -> None:
    config = trusting(maker, two)
    assert roll_back(config, state, clock, "by hand") == f"{NAME} 9.0.0"
    with pytest.raises(BundleError, match=f"{NAME} 9.0.0 stays in use"):
        roll_back(config, state, clock, "by hand")
    assert open_bundle(config, state=state).manifest.version == "9.0.0"


def test_model_that_starts_too_often_stays_where_no_other_opens(
    state: Path, two: Maker, clock: ManualClock
) -> None:
    config = trusting(two)
    for _ in range(STARTS):
        assert begin_trial(config, state, clock) == []
    for _ in range(2):
        (fault,) = begin_trial(config, state, clock)
        assert fault.text.startswith(f"{NAME} 9.1.0 stays in use")
        assert fault.detail.startswith("it was started 3 times")
        assert open_bundle(config, state=state).manifest.version == "9.1.0"
    # It may work yet.
    assert confirm(state, clock)
    assert begin_trial(config, state, clock) == []


def test_model_that_fails_in_use_stays_where_no_other_opens_and_starts_no_restart(
    clinic: Clinic, state: Path, two: Maker
) -> None:
    trial = TrialPeriod(trusting(two), state, clinic.clock)
    clinic.options = {"trial": trial, "appliance": True}
    kept = "{model} stays in use: no model before it opens here"
    told = []

    def deeds() -> None:
        clinic.until_live()
        live, clinic.analyzer.live = clinic.analyzer.live, fails
        clinic.until(lambda: kept in _notices(clinic.app))
        told.append(clinic.app.session.fault)
        # One that works again after all is not hidden.
        clinic.analyzer.live = live
        clinic.until_finding()

    clinic.use(Camera(), deeds)
    assert "The analysis failed" in told[0].detail
    assert clinic.ending is Command.QUIT
    assert read_installed(models_folder(state)).on_trial


def test_model_that_is_not_on_trial_is_left_alone(tmp_path: Path, clock: ManualClock) -> None:
    period = TrialPeriod(Config(), tmp_path, clock)
    period.watch(FAILING)
    assert period.fault is None


@pytest.mark.parametrize("appliance", [False, True])
def test_instrument_whose_new_model_fails_says_so_or_starts_again(
    clinic: Clinic, state: Path, maker: Maker, appliance: bool
) -> None:
    clinic.options = {
        "trial": TrialPeriod(maker.config, state, clinic.clock),
        "appliance": appliance,
    }
    said = []

    def deeds() -> None:
        clinic.until_live()
        clinic.analyzer.live = fails
        clinic.until(lambda: clinic.app.session.ending or TAKEN_BACK in _notices(clinic.app))
        said.extend(_notices(clinic.app))

    clinic.use(Camera(), deeds)
    written()
    assert TAKEN_BACK in said
    assert clinic.ending is (Command.RESTART if appliance else Command.QUIT)
    assert chosen_folder(maker.config, state).name == NAME


def _notices(app: App) -> list[str]:
    fault = app.session.fault
    return [fault.message] if fault else []


def test_model_is_installed_from_a_stick_on_the_screen(
    clinic: Clinic, tmp_path: Path, maker: Maker
) -> None:
    state, stick = tmp_path / "state", tmp_path / "stick"
    stick.mkdir()
    maker.archive(stick, "9.3.0")
    (stick / "wrong\n.dermascope").write_bytes(pack({"holiday.jpg": b"x"}))
    clinic.options = {
        "installer": Installer(
            lambda: sorted(stick.iterdir()),
            lambda path: install_model(path, maker.config, state, clinic.clock, attempt=sound),
        )
    }

    def outcome() -> str:
        return " ".join(fault.text for fault in getattr(clinic.view(), "outcome", ()))

    def deeds() -> None:
        clinic.until_finding()
        clinic.click(clinic.target("more"))
        clinic.click(clinic.target("about", "settings"))
        clinic.click(clinic.target("models", "about"))
        clinic.until(lambda: len(getattr(clinic.view(), "archives", ())) == 2)
        assert clinic.view().archives == (f"{NAME}-9.3.0.dermascope", "wrong\\n.dermascope")
        clinic.click(clinic.target("third archive", "models"))
        clinic.click(clinic.target("second archive", "models"))
        clinic.until(lambda: "nothing was installed" in outcome())
        assert "holds holiday.jpg, which is no plain file" not in outcome()
        assert "holds no bundle" in outcome()
        assert chosen_folder(maker.config, state).name == NAME
        clinic.click(clinic.target("first archive", "models"))
        clinic.until(lambda: "is used from the next start" in outcome())

    clinic.use(Camera(), deeds)
    assert used(maker, state) == "9.3.0"
