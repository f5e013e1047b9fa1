"""Lists of keys on a device: that come alone or with a bundle, and what they may not take away."""

from pathlib import Path

import pytest

from device.config import Config
from device.errors import BundleError
from device.installation.install import install_model
from device.installation.keys import follow_key_list
from device.installation.trial_period import confirm, roll_back
from device.models.archive import pack
from device.models.chosen import open_bundle
from device.models.installed import models_folder
from device.models.trust import KEY_LIST_FILE, KeyList, sign_key_list, trust_of
from tests.device.bundles import new_key
from tests.device.installation.models import CLOCK, NAME, Maker, install, refusal, sound, used


def test_list_of_keys_that_comes_along_is_followed(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    new, public = new_key()
    keys = sign_key_list(KeyList(serial=1, add=(public,)), maker.key)
    files = maker.files(key=new)
    (tmp_path / "without.dermascope").write_bytes(pack(files))
    assert "is not a signature" in refusal(tmp_path / "without.dermascope", maker, state)
    (tmp_path / "with.dermascope").write_bytes(pack(files | {KEY_LIST_FILE: keys}))
    install(tmp_path / "with.dermascope", maker, state)
    assert open_bundle(maker.config, state=state).signed_by == public
    # Once is enough.
    (tmp_path / "later.dermascope").write_bytes(pack(maker.files("9.1.0", key=new)))
    install(tmp_path / "later.dermascope", maker, state)


def test_model_of_a_revoked_key_is_refused(tmp_path: Path, maker: Maker, state: Path) -> None:
    project = Maker(maker.bundle)
    keys = tmp_path / "keys.json"
    config = Config(trusted_keys=(*maker.config.trusted_keys, project.public))
    keys.write_bytes(sign_key_list(KeyList(serial=1, revoke=(maker.public,)), project.key))
    assert maker.public in follow_key_list(keys, config, state).revoked
    with pytest.raises(BundleError, match="1 keys were revoked"):
        install_model(maker.archive(tmp_path), config, state, CLOCK, attempt=sound)


def test_list_that_revokes_the_key_of_the_model_in_use_is_refused(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    keys = tmp_path / "keys.json"
    keys.write_bytes(sign_key_list(KeyList(serial=1, revoke=Config().trusted_keys), maker.key))
    with pytest.raises(BundleError, match="which is in use; install a model that another key"):
        follow_key_list(keys, maker.config, state)
    assert open_bundle(maker.config, state=state)
    install(maker.archive(tmp_path), maker, state)
    assert confirm(state, CLOCK)
    assert follow_key_list(keys, maker.config, state).keys == (maker.public,)
    assert used(maker, state) == "9.0.0"


@pytest.mark.parametrize("comes", ["alone", "with a bundle"])
def test_list_that_revokes_is_refused_while_a_model_is_on_trial(
    tmp_path: Path, maker: Maker, state: Path, comes: str
) -> None:
    other = Maker(maker.bundle)
    config = Config(trusted_keys=(maker.public, other.public))
    first, second = maker.archive(tmp_path, "9.0.0"), other.archive(tmp_path, "9.1.0")
    install_model(first, config, state, CLOCK, attempt=sound)
    confirm(state, CLOCK)
    install_model(second, config, state, CLOCK, attempt=sound)
    content = sign_key_list(KeyList(serial=1, revoke=(maker.public,)), other.key)
    keys = tmp_path / KEY_LIST_FILE
    keys.write_bytes(content)
    third = tmp_path / "third.dermascope"
    third.write_bytes(pack(other.files("9.2.0") | {KEY_LIST_FILE: content}))

    def follow() -> None:
        if comes == "alone":
            follow_key_list(keys, config, state)
        else:
            install_model(third, config, state, CLOCK, attempt=sound)

    with pytest.raises(BundleError) as caught:
        follow()
    assert str(caught.value) == (
        "the list of keys revokes a key while a new model is on trial; try again when the "
        "instrument has worked with it for 5 minutes, or take it back"
    )
    # So the one before opens where the new one fails.
    assert trust_of(config.trusted_keys, models_folder(state)).revoked == frozenset()
    assert roll_back(config, state, CLOCK, "by hand") == f"{NAME} 9.0.0"
    install_model(second, config, state, CLOCK, attempt=sound)
    confirm(state, CLOCK)
    follow()
    assert trust_of(config.trusted_keys, models_folder(state)).revoked == {maker.public}
    assert open_bundle(config, state=state).signed_by == other.public


def test_list_that_only_adds_a_key_is_followed_while_a_model_is_on_trial(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    install(maker.archive(tmp_path), maker, state)
    _, public = new_key()
    keys = tmp_path / "keys.json"
    keys.write_bytes(sign_key_list(KeyList(serial=1, add=(public,)), maker.key))
    assert public in follow_key_list(keys, maker.config, state).keys
