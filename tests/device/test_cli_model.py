"""Which model the command line uses, and what it says of one that it does not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from device.cli import main
from device.exit_status import ExitStatus
from device.models.bundle import Bundle
from tests.device.bundles import plain_manifest, write_bundle
from tests.device.commands import Capture, complaint, records, run
from tests.device.models.case_mixes import with_case_mixes, without_case_mixes
from tests.device.models.two_networks import (
    shipped_bundle,
    sign_two_networks,
    two_networks,
)

OfOurOwn = Callable[..., list[str]]


@pytest.fixture
def of_our_own(tmp_path: Path) -> OfOurOwn:
    """Return what names settings that name a bundle of the clinic's own."""

    def write(key: str, more: str = "") -> list[str]:
        path = tmp_path / "config.toml"
        path.write_text(f'trusted_keys = ["{key}"]\nmodel = "{tmp_path / "bundle"}"\n{more}')
        return ["--config", str(path)]

    return write


def refusals(
    capsys: Capture, photo: Path, folder: Path, *settings: str, model: Path | None = None
) -> Iterator[str]:
    """Yield what every command that needs a model says where it is refused."""
    for command in (["model"], ["analyze", str(photo)], ["run"], ["demo", "--out", str(folder)]):
        status = ExitStatus.CANNOT_START if command == ["run"] else ExitStatus.BAD_INPUT
        named = ["--model", str(model)] if model else []
        assert main([*settings, *command, *named]) == status
        yield complaint(capsys)


def test_model_is_verified_and_described(bundle: Bundle, capsys: Capture) -> None:
    assert main(["model"]) == 0
    out, err = capsys.readouterr()
    assert bundle.manifest.model_id in out
    assert "Signature and hash hold" in out
    assert bundle.signed_by[:16] in out
    assert bundle.manifest.provenance.licence in out
    assert f"model.tflite: input 96 x 96, center-square; {len(bundle.live_model):,} bytes" in out
    assert out.count(".tflite: ") == len(bundle.manifest.networks)
    assert err == ""


def test_each_of_two_networks_is_described(
    tmp_path: Path, bundle: Bundle, of_our_own: OfOurOwn, capsys: Capture
) -> None:
    other = shipped_bundle("paper-28")
    key = sign_two_networks(tmp_path / "bundle", two_networks(bundle, other), bundle, other)
    assert main([*of_our_own(key), "model"]) == 0
    out, err = capsys.readouterr()
    lines = [line for line in out.splitlines() if ".tflite: " in line]
    assert lines == [
        f"model.tflite: input 96 x 96, center-square; {len(bundle.live_model):,} bytes; saliency "
        "by class-activation-map, of a captured picture by class-activation-map",
        f"captured.tflite: input 28 x 28, full-frame; {len(other.live_model):,} bytes; saliency "
        "by occlusion, of a captured picture by occlusion",
    ]
    assert err == ""


def test_altered_model_is_refused_by_every_command(
    tmp_path: Path, bundle: Bundle, photo: Path, capsys: Capture
) -> None:
    for path in bundle.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "model.tflite").open("r+b") as file:
        file.write(b"\xff")
    for told in refusals(capsys, photo, tmp_path, model=tmp_path):
        assert "SHA-256 differs" in told


def test_truncated_model_gets_one_line(
    tmp_path: Path, bundle: Bundle, photo: Path, of_our_own: OfOurOwn
) -> None:
    manifest = plain_manifest(bundle)
    key = write_bundle(tmp_path / "bundle", manifest, bundle.live_model[:5000])
    done = run(*of_our_own(key), "analyze", photo)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "does not load" in line


def test_missing_model_is_named(tmp_path: Path, capsys: Capture) -> None:
    assert main(["model", "--model", str(tmp_path / "missing")]) == 2
    assert str(tmp_path / "missing") in complaint(capsys)


def test_settings_name_model_and_key(
    tmp_path: Path, bundle: Bundle, photo: Path, of_our_own: OfOurOwn, capsys: Capture
) -> None:
    manifest = plain_manifest(bundle) | {"name": "of-our-own"}
    key = write_bundle(tmp_path / "bundle", manifest, bundle.live_model)
    assert main([*of_our_own(key), "analyze", "--json", str(photo)]) == 0
    (record,) = records(capsys.readouterr().out)
    assert record.model.startswith("of-our-own ")


def test_settings_name_the_practice(
    tmp_path: Path, bundle: Bundle, photo: Path, of_our_own: OfOurOwn, capsys: Capture
) -> None:
    key = write_bundle(
        tmp_path / "bundle", with_case_mixes(plain_manifest(bundle)), bundle.live_model
    )
    found = {}
    for name in ("", "screening", "referral"):
        named = of_our_own(key, f'case_mix = "{name}"\n')
        assert main([*named, "analyze", "--json", str(photo)]) == 0
        (found[name],) = records(capsys.readouterr().out)
    assert found[""].case_mix == found["screening"].case_mix == "screening"
    assert found["referral"].case_mix == "referral"
    assert found[""].probabilities == found["screening"].probabilities
    assert found["referral"].malignancy > found["screening"].malignancy


@pytest.mark.parametrize("named", [True, False])
def test_practice_that_the_model_does_not_know_is_refused_by_every_command(
    tmp_path: Path, bundle: Bundle, photo: Path, of_our_own: OfOurOwn, capsys: Capture, named: bool
) -> None:
    read_for = with_case_mixes if named else without_case_mixes
    manifest = read_for(plain_manifest(bundle))
    key = write_bundle(tmp_path / "bundle", manifest, bundle.live_model)
    practice = of_our_own(key, 'case_mix = "hospital"\n')
    for told in refusals(capsys, photo, tmp_path, *practice):
        assert "not calibrated for the case mix 'hospital'" in told
        assert ("screening, referral" if named else "none by name") in told
        assert "change the setting case_mix" in told
