"""From the maker's desk to the device: archives, key rotation and revocation, by the commands."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from build_host.bundle.sign import KEY_VARIABLE, create_key, public_key, read_key
from device.cli import main as device
from device.config import CONFIG_VARIABLE, PROJECT_KEY, Config, model_folder
from device.errors import BundleError
from device.inference.known_answers import known_answers
from device.installation.trial_period import confirm
from device.models.bundle import Bundle, load_bundle
from device.models.release import RELEASE_FILE
from device.platform.clock import Clock
from tests.build_host.conftest import Done
from tests.device.commands import Capture

Command = Callable[..., Done]


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys" / "signing.key"
    public = create_key(path)
    monkeypatch.setenv(KEY_VARIABLE, str(path))
    # Whoever makes bundles trusts their own.
    settings = tmp_path / "maker.toml"
    settings.write_text(f'trusted_keys = ["{PROJECT_KEY}", "{public}"]\n')
    monkeypatch.setenv(CONFIG_VARIABLE, str(settings))
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The shipped bundle in a folder of one's own."""
    shutil.copytree(model_folder(Config()), tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def instrument(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """A device that trusts the key which the maker has at the beginning."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    settings = tmp_path / "config.toml"
    settings.write_text(f'trusted_keys = ["{PROJECT_KEY}", "{public_key(read_key(key))}"]\n')
    return lambda *words: device(["--config", str(settings), *map(str, words)])


def archived(command: Command, own: Path, out: Path, *options: object) -> Path:
    done = command("sign", own, "--archive", out, *options)
    assert done.status == 0, done.err
    (path,) = out.glob("*.dermascope")
    assert f"Wrote {path}" in done.out
    return path


def test_archive_is_installed_by_a_device_that_trusts_its_maker(
    tmp_path: Path, command: Command, key: Path, own: Path, instrument: Callable[..., int],
    bundle: Bundle, capsys: Capture,
) -> None:  # fmt: skip
    path = archived(command, own, tmp_path / "out")
    model = bundle.manifest.model_id
    assert path.name == f"{model.replace(' ', '-')}.dermascope"
    assert instrument("model", "install", path) == 0
    assert f"{model} works here" in capsys.readouterr().out
    assert instrument("model") == 0
    assert public_key(read_key(key))[:16] in capsys.readouterr().out
    assert instrument("model", "install", path) == 0
    assert "in use already" in capsys.readouterr().out
    assert instrument("model", "rollback") == 0
    assert instrument("model", "rollback") == 2
    assert instrument("model", "history") == 0
    out, err = capsys.readouterr()
    assert f"{model} installed" in out
    assert f"{model} rolled back: by hand" in out
    assert "no model was installed" in err


def test_same_bundle_makes_the_same_archive(
    tmp_path: Path, command: Command, key: Path, own: Path
) -> None:
    first = archived(command, own, tmp_path / "a").read_bytes()
    assert archived(command, own, tmp_path / "b").read_bytes() == first


def test_archive_tells_what_the_network_answers(
    tmp_path: Path, command: Command, key: Path, own: Path
) -> None:
    archived(command, own, tmp_path / "out", "--device-class", "contact-2")
    said = json.loads((own / RELEASE_FILE).read_bytes())
    networks = load_bundle(own, (public_key(read_key(key)),)).manifest.networks
    assert said["known_answers"] == {n.sha256: known_answers()[n.sha256] for n in networks}
    assert said["device_classes"] == ["contact-2"]
    # Who makes the archive anew need not say again for whom it is.
    archived(command, own, tmp_path / "out")
    assert json.loads((own / RELEASE_FILE).read_bytes())["device_classes"] == ["contact-2"]


def test_class_of_device_that_is_no_name_is_refused(
    tmp_path: Path, command: Command, key: Path, own: Path
) -> None:
    done = command("sign", own, "--archive", tmp_path, "--device-class", "Contact 2")
    assert done.status == 2
    assert "device_classes" in done.err


def test_bundle_that_is_signed_again_is_whole_again(
    tmp_path: Path, command: Command, key: Path, own: Path
) -> None:
    archived(command, own, tmp_path / "out")
    before = public_key(read_key(key))
    key.unlink()
    after = create_key(key)
    assert command("sign", own).status == 0
    assert load_bundle(own, (after,)).release
    with pytest.raises(BundleError):
        load_bundle(own, (before,))


def test_key_is_rotated_without_a_hand_on_any_device(
    tmp_path: Path, command: Command, key: Path, own: Path, instrument: Callable[..., int],
    capsys: Capture,
) -> None:  # fmt: skip
    old = public_key(read_key(key))
    done = command("key", "--rotate", "--out", own / "keys.json")
    assert done.status == 0, done.err
    new = public_key(read_key(key))
    assert new != old
    assert f"trusted_keys: {new}" in done.out
    assert public_key(read_key(key.with_name(f"signing.key.{old[:8]}"))) == old
    # The list lies in the bundle, so that the device hears of the key with it.
    assert instrument("model", "install", archived(command, own, tmp_path / "out")) == 0
    capsys.readouterr()
    assert instrument("model") == 0
    assert new[:16] in capsys.readouterr().out
    # Now the old one can go.
    done = command("key", "--revoke", old, "--out", tmp_path / "later.json")
    assert done.status == 0, done.err
    assert confirm(tmp_path / "state", Clock())
    told = json.loads((tmp_path / "later.json").read_text())
    # Two lists of one second have one number; a day later they have not.
    serial = json.loads(told["statement"])["serial"]
    if instrument("model", "trust", tmp_path / "later.json") != 0:
        assert f"number {serial} is followed already" in capsys.readouterr().err
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("time.time", lambda: serial + 86400.0)
            assert command("key", "--revoke", old, "--out", tmp_path / "again.json").status == 0
        assert instrument("model", "trust", tmp_path / "again.json") == 0
    out = capsys.readouterr().out
    assert f"trusted {new}" in out
    assert f"revoked {old}" in out


def test_model_in_use_is_signed_with_the_new_key_and_the_old_one_revoked(
    tmp_path: Path, command: Command, key: Path, own: Path, instrument: Callable[..., int],
    capsys: Capture,
) -> None:  # fmt: skip
    def install(out: str) -> None:
        path = archived(command, own, tmp_path / out)
        assert instrument("model", "install", path) == 0
        assert "works here" in capsys.readouterr().out
        assert confirm(tmp_path / "state", Clock())

    install("first")
    old = public_key(read_key(key))
    assert command("key", "--rotate", "--out", own / "keys.json").status == 0
    install("second")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: 4e9)
        assert command("key", "--revoke", old, "--out", tmp_path / "later.json").status == 0
    assert instrument("model", "trust", tmp_path / "later.json") == 0, capsys.readouterr().err
    assert f"revoked {old}" in capsys.readouterr().out
    assert instrument("model") == 0
    assert public_key(read_key(key))[:16] in capsys.readouterr().out


def test_key_does_not_revoke_itself_nor_overwrite_another(
    tmp_path: Path, command: Command, key: Path
) -> None:
    own = public_key(read_key(key))
    done = command("key", "--revoke", own, "--out", tmp_path / "keys.json")
    assert (done.status, "cannot revoke itself" in done.err) == (2, True)
    key.with_name(f"signing.key.{own[:8]}").touch()
    done = command("key", "--rotate", "--out", tmp_path / "keys.json")
    assert (done.status, "there is a key already" in done.err) == (2, True)
    assert public_key(read_key(key)) == own
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("deed", ["--rotate", "--revoke"])
@pytest.mark.parametrize("name", ["keys.json", "link.json"])
def test_list_that_devices_may_have_missed_is_not_overwritten(
    tmp_path: Path, command: Command, key: Path, monkeypatch: pytest.MonkeyPatch,
    deed: str, name: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    old = public_key(read_key(key))
    assert command("key", "--rotate").status == 0
    first, new = (tmp_path / "keys.json").read_bytes(), public_key(read_key(key))
    (tmp_path / "link.json").symlink_to("keys.json")
    words = [deed, old] if deed == "--revoke" else [deed]
    done = command("key", *words, "--out", name)
    assert done.status == 2
    assert done.err == (
        f"dermascope-build: {name}: there is a list of keys already, and devices that have not "
        "followed it refuse the next; keep it, and name another file with --out\n"
    )
    assert (tmp_path / "keys.json").read_bytes() == first
    assert public_key(read_key(key)) == new
    assert command("key", *words, "--out", "next.json").status == 0


def test_key_wants_to_know_what_to_do(command: Command, key: Path) -> None:
    done = command("key")
    assert (done.status, "say --rotate, or --revoke KEY" in done.err) == (2, True)
