"""A model is installed, refused, interrupted, confirmed and taken back."""

import errno
import hashlib
import os
import shutil
from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path

import pytest

from device.config import Config
from device.errors import BundleError
from device.inference.known_answers import known_answers
from device.inference.trial import Trial
from device.installation import install as installing
from device.installation.install import install_model
from device.installation.sticks import found_archives
from device.models.archive import pack
from device.models.chosen import chosen_folder, open_bundle
from device.models.installed import Event, Installed, models_folder, read_installed
from tests.device.bundles import new_key
from tests.device.installation.models import (
    CLOCK,
    NAME,
    Maker,
    events,
    install,
    kept,
    refusal,
    sound,
    used,
)
from tests.device.installation.power import cut_after


def test_installed_model_is_used_from_then_on(tmp_path: Path, maker: Maker, state: Path) -> None:
    assert chosen_folder(maker.config, state).name == NAME
    outcome = install(maker.archive(tmp_path), maker, state)
    assert (outcome.model, outcome.trial) == (f"{NAME} 9.0.0", Trial(NAME, 1.0, 100))
    assert used(maker, state) == "9.0.0"
    installed = read_installed(models_folder(state))
    assert (installed.on_trial, installed.previous) == (True, "")
    assert events(state) == [(Event.INSTALLED, "9.0.0")]


def test_folder_of_a_bundle_is_installed_too(tmp_path: Path, maker: Maker, state: Path) -> None:
    _write(tmp_path / "bundle", maker.files())
    (tmp_path / "bundle" / "link").symlink_to("/etc/passwd")
    install(tmp_path / "bundle", maker, state)
    assert used(maker, state) == "9.0.0"
    assert "link" not in {p.name for p in chosen_folder(maker.config, state).iterdir()}


def test_folder_of_many_files_is_refused(tmp_path: Path, maker: Maker, state: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.jpg").touch()
    with pytest.raises(BundleError, match="holds more files than a bundle has"):
        install(tmp_path, maker, state)


def test_only_the_model_in_use_and_the_one_before_are_kept(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    for version in ("9.0.0", "9.1.0", "9.2.0"):
        install(maker.archive(tmp_path, version), maker, state)
        folder = models_folder(state)
        installing.write_installed(folder, _confirmed(read_installed(folder)))
    assert kept(state) == [f"{NAME}-9.1.0", f"{NAME}-9.2.0"]


def _confirmed(installed: Installed) -> Installed:
    return Installed(
        current=installed.current, previous=installed.previous, history=installed.history
    )


def test_model_on_trial_is_none_to_go_back_to(tmp_path: Path, maker: Maker, state: Path) -> None:
    install(maker.archive(tmp_path, "9.0.0"), maker, state)
    install(maker.archive(tmp_path, "9.1.0"), maker, state)
    assert read_installed(models_folder(state)).previous == ""


def test_unsigned_and_foreign_bundles_are_refused(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    stranger, _ = new_key()
    assert "is not a signature of manifest.json by a key that this device trusts" in refusal(
        maker.archive(tmp_path, key=stranger), maker, state
    )
    files = maker.files()
    files["manifest.sig"] = b""
    (tmp_path / "b.dermascope").write_bytes(pack(files))
    assert "is not a signature" in refusal(tmp_path / "b.dermascope", maker, state)


def test_altered_model_is_refused(tmp_path: Path, maker: Maker, state: Path) -> None:
    files = maker.files()
    files["model.tflite"] = files["model.tflite"][:-1] + b"\xff"
    (tmp_path / "a.dermascope").write_bytes(pack(files))
    assert "SHA-256 differs" in refusal(tmp_path / "a.dermascope", maker, state)


def test_bundle_for_other_devices_is_refused(tmp_path: Path, maker: Maker, state: Path) -> None:
    archive = maker.archive(tmp_path, device_classes=["contact-2"])
    said = refusal(archive, maker, state)
    assert "is for devices of the class contact-2, and the setting device_class says none" in said
    config = Config(trusted_keys=maker.config.trusted_keys, device_class="contact-2")
    assert install_model(archive, config, state, CLOCK, attempt=sound).trial
    assert open_bundle(config, state=state).manifest.version == "9.0.0"


@pytest.mark.parametrize("device_class", ["", "contact-2", "contact-3"])
@pytest.mark.parametrize("archived", [True, False])
def test_bundle_that_says_no_more_for_which_devices_it_is_is_refused(
    tmp_path: Path, maker: Maker, state: Path, archived: bool, device_class: str
) -> None:
    config = Config(trusted_keys=maker.config.trusted_keys, device_class=device_class)
    files = maker.files(device_classes=["contact-2"])
    del files["release.json"], files["release.sig"]
    source = tmp_path / "a"
    if archived:
        source.write_bytes(pack(files))
    else:
        _write(source, files)
    if archived or device_class:
        with pytest.raises(BundleError) as caught:
            install_model(source, config, state, CLOCK, attempt=sound)
        assert str(caught.value) == (
            f"{source}: the bundle does not say for which devices it is (release.json is missing); "
            "take the archive as dermascope-build wrote it"
        )
        assert read_installed(models_folder(state)) == Installed()
    else:
        # As the folders of bundles that ship are.
        assert install_model(source, config, state, CLOCK, attempt=sound).trial
    # What a setting names needs none.
    _write(tmp_path / "named", files)
    assert open_bundle(config, tmp_path / "named", state).release is None


def _write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("what", ["altered", "unsigned", "of another manifest"])
def test_what_is_said_beside_the_manifest_is_signed_too(
    tmp_path: Path, maker: Maker, state: Path, what: str
) -> None:
    files = maker.files(device_classes=["a"])
    if what == "altered":
        files["release.json"] = files["release.json"].replace(b'["a"]', b'["b"]')
    elif what == "unsigned":
        del files["release.sig"]
    else:
        other = maker.files("9.1.0", device_classes=["a"])
        files |= {name: other[name] for name in ("release.json", "release.sig")}
    (tmp_path / "a.dermascope").write_bytes(pack(files))
    assert "release" in refusal(tmp_path / "a.dermascope", maker, state)


def test_older_version_is_refused_unless_asked_for(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    install(maker.archive(tmp_path, "10.0.0"), maker, state)
    older = maker.archive(tmp_path, "9.9.9")
    assert f"{NAME} 9.9.9 is older than {NAME} 10.0.0" in refusal(older, maker, state)
    install(older, maker, state, downgrade=True)
    assert used(maker, state) == "9.9.9"


def test_older_than_the_one_that_ships_is_refused(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    assert "is older than" in refusal(maker.archive(tmp_path, "0.0.1"), maker, state)
    install(maker.archive(tmp_path, "0.0.1", name="another"), maker, state)
    assert used(maker, state) == "0.0.1"


def test_trial_that_fails_leaves_the_model_in_use(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    def fails(folder: Path, keys: Sequence[str], threads: int) -> Trial:
        raise BundleError("the trial took 900 MiB")

    install(maker.archive(tmp_path, "9.0.0"), maker, state)
    said = refusal(maker.archive(tmp_path, "9.1.0"), maker, state, attempt=fails)
    assert said == "the trial took 900 MiB"
    assert used(maker, state) == "9.0.0"
    assert events(state) == [(Event.INSTALLED, "9.0.0"), (Event.REFUSED, "9.1.0")]
    assert kept(state) == [f"{NAME}-9.0.0"]


def test_trial_on_this_device_is_passed_by_a_sound_model_alone(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    right = known_answers()[maker.bundle.manifest.live.sha256]
    padded = maker.bundle.live_model + b"\0"
    sha256 = hashlib.sha256(padded).hexdigest()
    wrong = [[-100] * 7, *right[1:]]
    bad = maker.archive(tmp_path, model=padded, known_answers={sha256: wrong})
    said = refusal(bad, maker, state, attempt=installing.try_bundle)
    assert "the trial on this device failed" in said
    assert "computes it wrongly (picture 0)" in said
    good = maker.archive(tmp_path, model=padded, known_answers={sha256: right})
    trial = install(good, maker, state, attempt=installing.try_bundle).trial
    assert trial
    assert trial.milliseconds > 0
    assert 50 < trial.mebibytes < 640


def test_trial_of_a_file_that_is_no_network_fails(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    bad = maker.archive(tmp_path, model=maker.bundle.live_model[:5000])
    assert "does not load" in refusal(bad, maker, state, attempt=installing.try_bundle)


@pytest.mark.parametrize(("limit", "told"), [("MOST_MS", "ms a frame"), ("MOST_MIB", "of memory")])
def test_trial_that_takes_too_much_fails(
    tmp_path: Path, maker: Maker, state: Path, monkeypatch: pytest.MonkeyPatch,
    limit: str, told: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(f"device.inference.trial.{limit}", 0)
    said = refusal(maker.archive(tmp_path), maker, state, attempt=installing.try_bundle)
    assert told in said


def test_disk_without_room_is_told_before_anything_is_written(
    tmp_path: Path, maker: Maker, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 99, 1 << 20))
    said = refusal(maker.archive(tmp_path), maker, state)
    assert "MiB, and 1 MiB are free on the disk; free space on it" in said


def test_file_larger_than_any_bundle_is_told_as_such(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    archive = maker.archive(tmp_path)
    os.truncate(archive, 1 << 40)
    assert "larger than the limit of 160 MiB" in refusal(archive, maker, state)


def test_disk_that_fills_up_meanwhile_is_told(
    tmp_path: Path, maker: Maker, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(installing, "unpack", full)
    assert "the disk is full" in refusal(maker.archive(tmp_path), maker, state)


def test_folder_that_cannot_be_written_is_told(tmp_path: Path, maker: Maker) -> None:
    with pytest.raises(BundleError, match="cannot be read or written"):
        install(maker.archive(tmp_path), maker, Path("/proc/self"))


def test_file_that_is_not_there_is_told(tmp_path: Path, maker: Maker, state: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "none.dermascope", maker, state)


def test_setting_that_names_a_model_goes_before(tmp_path: Path, maker: Maker, state: Path) -> None:
    config = Config(trusted_keys=maker.config.trusted_keys, model="/models/own")
    with pytest.raises(BundleError, match="the setting model names /models/own"):
        install_model(maker.archive(tmp_path), config, state, CLOCK, attempt=sound)


def test_two_installations_at_once_are_refused(tmp_path: Path, maker: Maker, state: Path) -> None:
    def meanwhile(folder: Path, keys: Sequence[str], threads: int) -> Trial:
        with pytest.raises(BundleError, match="another model is being installed"):
            install(maker.archive(tmp_path, "9.5.0"), maker, state)
        return sound(folder, keys, threads)

    assert install(maker.archive(tmp_path), maker, state, attempt=meanwhile).trial


@pytest.mark.filterwarnings("ignore:This process")
def test_power_that_fails_at_any_moment_leaves_the_old_model_or_the_new(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    install(maker.archive(tmp_path, "9.0.0"), maker, state)
    source = maker.archive(tmp_path, "9.1.0")
    seen = set()
    for calls in range(1000):
        shutil.rmtree(tmp_path / "now", ignore_errors=True)
        shutil.copytree(state, tmp_path / "now")
        was_cut = cut_after(calls, source, maker, tmp_path / "now")
        seen.add(used(maker, tmp_path / "now"))
        if not was_cut:
            break
        # The next attempt finishes what was begun, and nothing of it is left over.
        install(source, maker, tmp_path / "now")
        assert used(maker, tmp_path / "now") == "9.1.0"
        assert not (models_folder(tmp_path / "now") / ".incoming").exists()
        assert set(kept(tmp_path / "now")) <= {f"{NAME}-9.0.0", f"{NAME}-9.1.0"}
    assert calls > 10
    assert seen == {"9.0.0", "9.1.0"}


def test_switch_that_is_damaged_leaves_the_model_that_ships(
    tmp_path: Path, maker: Maker, state: Path
) -> None:
    install(maker.archive(tmp_path), maker, state)
    (models_folder(state) / "installed.json").write_bytes(b"{")
    assert chosen_folder(maker.config, state).name == NAME


def test_name_in_a_damaged_switch_leads_nowhere(tmp_path: Path, state: Path) -> None:
    models_folder(state).mkdir(parents=True)
    (models_folder(state) / "installed.json").write_text('{"current": "../../../etc"}')
    assert read_installed(models_folder(state)) == Installed()


def test_archives_are_found_on_sticks(tmp_path: Path) -> None:
    for name in ("a.dermascope", "stick/b.dermascope", "user/stick/c.dermascope",
                 "a/b/c/deep.dermascope", "stick/photo.jpg"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = found_archives([tmp_path, tmp_path / "none"])
    assert [path.name for path in found] == ["a.dermascope", "b.dermascope", "c.dermascope"]
