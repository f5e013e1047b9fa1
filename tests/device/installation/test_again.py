"""A model is installed again: the same, signed with another key, or because it is damaged."""

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.config import Config
from device.errors import BundleError
from device.installation.install import Outcome, install_model
from device.installation.keys import follow_key_list
from device.installation.trial_period import confirm, roll_back
from device.models.archive import pack
from device.models.chosen import chosen_folder, open_bundle
from device.models.installed import models_folder, read_installed
from device.models.trust import KEY_LIST_FILE, KeyList, sign_key_list
from tests.device.bundles import new_key
from tests.device.installation.models import CLOCK, NAME, Maker, install, kept, sound, used
from tests.device.installation.power import cut_after


def test_same_model_again_changes_nothing(tmp_path: Path, maker: Maker, state: Path) -> None:
    install(maker.archive(tmp_path), maker, state)
    before = read_installed(models_folder(state))
    assert install(maker.archive(tmp_path), maker, state).trial is None
    assert read_installed(models_folder(state)) == before


def test_model_that_another_key_signed_again_is_another(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    other = Maker(maker.bundle)
    config = Config(trusted_keys=(maker.public, other.public))

    def signed_by(key: Ed25519PrivateKey) -> Outcome:
        source = maker.archive(tmp_path, key=key)
        return install_model(source, config, state, CLOCK, attempt=sound)

    signed_by(maker.key)
    confirm(state, CLOCK)
    assert signed_by(other.key).trial
    assert open_bundle(config, state=state).signed_by == other.public
    assert signed_by(other.key).trial is None
    confirm(state, CLOCK)
    # Now the first key can go; and what it signed is not taken for the same.
    keys = tmp_path / "keys.json"
    keys.write_bytes(sign_key_list(KeyList(serial=1, revoke=(maker.public,)), other.key))
    assert follow_key_list(keys, config, state).keys == (other.public,)
    with pytest.raises(BundleError, match="1 keys were revoked"):
        signed_by(maker.key)


def damage(folder: Path) -> None:
    """Flip a bit of a bundle's network."""
    content = bytearray((folder / "model.tflite").read_bytes())
    content[-1] ^= 1
    (folder / "model.tflite").write_bytes(content)


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("with_list", [False, True])
def test_model_that_is_damaged_is_mended_by_installing_it_again(
    tmp_path: Path, maker: Maker, state: Path, times: int, with_list: bool
) -> None:
    install(maker.archive(tmp_path, "8.0.0"), maker, state)
    confirm(state, CLOCK)
    before = read_installed(models_folder(state)).current
    files = maker.files("9.0.0")
    (tmp_path / "a.dermascope").write_bytes(pack(files))
    install(tmp_path / "a.dermascope", maker, state)
    confirm(state, CLOCK)
    for serial in range(1, times + 1):
        damage(chosen_folder(maker.config, state))
        with pytest.raises(BundleError, match="install the bundle again"):
            used(maker, state)
        if with_list:
            keys = KeyList(serial=serial, add=(new_key()[1],))
            files |= {KEY_LIST_FILE: sign_key_list(keys, maker.key)}
        (tmp_path / "a.dermascope").write_bytes(pack(files))
        assert install(tmp_path / "a.dermascope", maker, state).trial
        assert used(maker, state) == "9.0.0"
        installed = read_installed(models_folder(state))
        # The damaged one is none to go back to.
        assert (installed.on_trial, installed.previous) == (True, before)
        assert set(kept(state)) - {"keys"} == {f"{NAME}-8.0.0", f"{NAME}-9.0.0"}
        confirm(state, CLOCK)


def test_model_before_is_not_touched_by_installing_it_again(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    first = maker.archive(tmp_path, "9.0.0")
    for source in (first, maker.archive(tmp_path, "9.1.0")):
        install(source, maker, state)
        confirm(state, CLOCK)
    before = read_installed(models_folder(state))
    install(first, maker, state, downgrade=True)
    after = read_installed(models_folder(state))
    assert after.previous == before.current
    assert after.current not in {before.current, before.previous}
    assert used(maker, state) == "9.0.0"


@pytest.mark.filterwarnings("ignore:This process")
def test_power_that_fails_while_a_damaged_model_is_mended_takes_none_away(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    for version in ("9.0.0", "9.1.0"):
        source = maker.archive(tmp_path, version)
        install(source, maker, state)
        confirm(state, CLOCK)
    damage(chosen_folder(maker.config, state))
    before = chosen_folder(maker.config, state).parent
    now = tmp_path / "now"
    mended = set()
    for calls in range(1000):
        shutil.rmtree(now, ignore_errors=True)
        shutil.copytree(state, now)
        was_cut = cut_after(calls, source, maker, now)
        chosen = chosen_folder(maker.config, now)
        if chosen.name in {path.name for path in before.iterdir()}:
            assert (chosen / "model.tflite").read_bytes() == (
                before / chosen.name / "model.tflite"
            ).read_bytes()
        else:
            assert used(maker, now) == "9.1.0"
        mended.add(chosen.name)
        shutil.copytree(now, tmp_path / "back", dirs_exist_ok=True)
        assert roll_back(maker.config, tmp_path / "back", CLOCK, "") == f"{NAME} 9.0.0"
        shutil.rmtree(tmp_path / "back")
        if not was_cut:
            break
        install(source, maker, now)
        assert used(maker, now) == "9.1.0"
    assert calls > 10
    assert len(mended) == 2
