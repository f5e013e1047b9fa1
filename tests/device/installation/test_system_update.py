"""An update of the system on a stick: what the screen tells of it, and who may ask for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from device.installation.permission import may_install
from device.installation.system_update import ASKED, Offer, OfferState, SystemUpdate, read_offer
from device.records.access import Access, Holder, Protection
from device.records.encrypted_archive import EncryptedArchive
from device.records.patients import Role
from tests.device.clinic import Camera, Clinic
from tests.device.clocks import ManualClock
from tests.device.records.conftest import CHEAP


@pytest.fixture
def offer(tmp_path: Path) -> Path:
    path = tmp_path / "offer"
    path.write_text("offered 1.3.0 sda1\n")
    return path


@pytest.mark.parametrize("state", OfferState)
def test_what_the_scripts_tell_is_understood_and_said(tmp_path: Path, state: OfferState) -> None:
    path = tmp_path / "offer"
    path.write_text(f"{state} 1.3.0 sda1\n")
    told = read_offer(path)
    assert told == Offer(state, "1.3.0")
    assert told.fault.text[-1] != ";"


def test_the_words_of_the_scripts_are_those_that_are_understood() -> None:
    overlay = Path(__file__).parents[3] / "build_host/image/overlay/usr/lib/dermascope"
    script = (overlay / "update").read_text()
    for state in OfferState:
        assert f"tell {state} " in script


@pytest.mark.parametrize("content", ["", "offered", "sold 1.3.0 sda1", "\0" * 2000])
def test_what_is_not_understood_is_no_offer(tmp_path: Path, content: str) -> None:
    (tmp_path / "offer").write_text(content)
    assert read_offer(tmp_path / "offer") is None
    assert read_offer(tmp_path / "none") is None


def test_an_offer_is_told_once_and_forgotten_with_the_stick(offer: Path) -> None:
    clock = ManualClock()
    update = SystemUpdate(clock, offer.parent, offer)
    told = update.look()
    clock.seconds += 60.0
    assert told is not None
    assert update.look() is told
    offer.unlink()
    clock.seconds += 60.0
    assert update.look() is None


@pytest.mark.parametrize("state", [s for s in OfferState if s is not OfferState.OFFERED])
def test_only_what_is_offered_is_asked_for(offer: Path, state: OfferState) -> None:
    offer.write_text(f"{state} 1.3.0 sda1\n")
    update = SystemUpdate(ManualClock(), offer.parent, offer)
    update.look()
    update.install()
    assert not (offer.parent / ASKED).exists()


def with_pin(role: Role) -> Access:
    return Access(Protection.PIN, Holder("someone", role))


def test_where_there_are_pins_only_service_installs() -> None:
    assert may_install(None)
    assert may_install(Access(Protection.NOTHING, None))
    assert may_install(with_pin(Role.SERVICE))
    assert not may_install(with_pin(Role.CLINICIAN))
    assert not may_install(with_pin(Role.FIELD))
    assert not may_install(Access(Protection.PIN, None))
    # Nobody knows whether there are any.
    assert not may_install(Access(Protection.UNKNOWN, None))


def open_models(clinic: Clinic) -> None:
    clinic.until_finding()
    clinic.click(clinic.target("more"))
    clinic.click(clinic.target("about", "settings"))
    clinic.click(clinic.target("models", "about"))
    clinic.until(lambda: clinic.app.session.state.page == "models")


def test_an_update_is_asked_for_on_the_screen(clinic: Clinic, offer: Path) -> None:
    clinic.options = {"update": SystemUpdate(clinic.clock, offer.parent, offer)}
    told: list[str] = []

    def deeds() -> None:
        clinic.until(lambda: "update {version}" in clinic.fault())
        told.append(clinic.fault())
        open_models(clinic)
        clinic.click(clinic.target("update", "models"))
        clinic.until((offer.parent / ASKED).exists)

    clinic.use(Camera(), deeds)
    assert told


@pytest.mark.parametrize(("pin", "allowed"), [("111111", False), ("222222", True)])
def test_a_clinicians_pin_installs_nothing(
    clinic: Clinic, offer: Path, pin: str, allowed: bool
) -> None:
    archive = EncryptedArchive(offer.parent / "records", clinic.clock, pin_cost=CHEAP)
    archive.set_pin(Holder("Ana", Role.CLINICIAN), "111111")
    archive.set_pin(Holder("Luis", Role.SERVICE), "222222")
    archive.lock()
    archive.unlock(pin)
    update = SystemUpdate(clinic.clock, offer.parent, offer)
    clinic.options = {"update": update, "archive": archive, "patients": archive}

    def outcome() -> str:
        return " ".join(fault.text for fault in getattr(clinic.view(), "outcome", ()))

    def refused() -> bool:
        return "for service" in outcome()

    def asked() -> bool:
        return (offer.parent / ASKED).exists()

    def deeds() -> None:
        open_models(clinic)
        clinic.until(lambda: getattr(clinic.view(), "update", None))
        clinic.click(clinic.target("update", "models"))
        condition: Callable[[], object] = asked if allowed else refused
        clinic.until(condition)

    clinic.use(Camera(), deeds)
    archive.close()
    assert asked() == allowed
