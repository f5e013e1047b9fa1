import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from build_host.errors import DataError
from build_host.evaluation.assessment import AVERAGED, CAPTURED, SHIPPED, Assessment
from build_host.pipeline.release import join, make_bundle
from build_host.pipeline.workspace import open_draft, write_draft
from build_host.results import write_result
from build_host.run_folder import RunFolder
from device.errors import ConfigError, DermascopeError
from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.models.bundle import Bundle, load_bundle
from device.models.manifest import CAPTURED_FILE, MODEL_FILE, Manifest
from tests.device.bundles import one_network, plain_manifest
from tests.device.models.case_mixes import with_case_mixes, without_case_mixes
from tests.device.models.two_networks import shipped_bundle

Runs = tuple[RunFolder, RunFolder]


def mixed(name: str) -> Bundle:
    """Return a shipped bundle as if it had been calibrated for two practices."""
    bundle = one_network(shipped_bundle(name))
    manifest = msgspec.convert(with_case_mixes(plain_manifest(bundle)), Manifest)
    return replace(bundle, manifest=manifest)


def for_captures(bundle: Bundle) -> Bundle:
    """Return a bundle as if its network had been calibrated for captured pictures."""
    plain = msgspec.to_builtins(bundle.manifest)
    for spec in (plain["live"], *plain["live"]["case_mixes"]):
        spec["conformal"]["fitted_on"] += ", the mean of eight flips and rotations"
    return replace(bundle, manifest=msgspec.convert(plain, Manifest))


def with_live(bundle: Bundle, **changes: object) -> Bundle:
    live = msgspec.structs.replace(bundle.manifest.live, **changes)
    return replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, live=live))


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Two compressed runs, the second for captured pictures."""
    live, captured = RunFolder(tmp_path / "live-1"), RunFolder(tmp_path / "captured-1")
    first = with_live(mixed("paper-28"), test_time_augmentation="none")
    origin = msgspec.structs.replace(first.manifest.provenance, further=("a start from drawings",))
    manifest = msgspec.structs.replace(first.manifest, provenance=origin)
    write_draft(live, replace(first, manifest=manifest))
    write_draft(captured, for_captures(mixed("multicentre")))
    return live, captured


@pytest.fixture
def joined(runs: Runs, tmp_path: Path) -> RunFolder:
    return join(*runs, tmp_path / "out", "two-eyes", "2.0.0")


def test_joined_run_has_both_networks(runs: Runs, joined: RunFolder, tmp_path: Path) -> None:
    first, second = (open_draft(run) for run in runs)
    both = open_draft(joined)
    assert joined.path == tmp_path / "out" / "two-eyes-2.0.0"
    assert both.models == {MODEL_FILE: first.live_model, CAPTURED_FILE: second.live_model}
    manifest = both.manifest
    assert manifest.model_id == "two-eyes 2.0.0"
    assert manifest.live == first.manifest.live
    assert manifest.captured == msgspec.structs.replace(second.manifest.live, file=CAPTURED_FILE)
    assert manifest.quality == first.manifest.quality
    assert (manifest.case_mix, manifest.case_mixes) == ("screening", ("screening", "referral"))
    # The runs that it is made of stay as they were.
    assert [open_draft(run).manifest for run in runs] == [first.manifest, second.manifest]


def test_joined_run_tells_where_both_come_from(runs: Runs, joined: RunFolder) -> None:
    first, second = (open_draft(run).manifest.provenance for run in runs)
    found = open_draft(joined).manifest.provenance
    assert found.further[: len(first.further)] == first.further
    (told,) = found.further[len(first.further) :]
    assert "for captured pictures, multicentre" in told
    assert second.run_digest[:16] in told
    assert msgspec.structs.replace(found, further=first.further) == first


def test_joined_networks_answer_each_for_its_own_pictures(
    runs: Runs, joined: RunFolder, frames: tuple[Frame, ...]
) -> None:
    both = open_draft(joined)
    for name in both.manifest.case_mixes:
        analyzer = Analyzer(both.with_case_mix(name))
        live, captured = (Analyzer(open_draft(run).with_case_mix(name)) for run in runs)
        frame = frames[3]
        expected = live.analyze(frame), captured.analyze_burst([frame])[1]
        found = analyzer.analyze(frame), analyzer.analyze_burst([frame])[1]
        for one, other in zip(found, expected, strict=True):
            assert one.probabilities == other.probabilities
            assert one.case_mix == name
        assert found[0].probabilities != found[1].probabilities


@pytest.mark.parametrize("kept", [True, False])
def test_network_before_quantization_is_the_live_runs(
    runs: Runs, tmp_path: Path, kept: bool
) -> None:
    live, captured = runs
    captured.float_model.write_bytes(b"of captured pictures")
    if kept:
        live.float_model.write_bytes(b"of the live view")
    run = join(live, captured, tmp_path / "out", "two-eyes", "2.0.0")
    assert run.float_model.is_file() == kept
    if kept:
        assert run.float_model.read_bytes() == b"of the live view"


def test_joining_again_forgets_what_was_measured_before(
    runs: Runs, joined: RunFolder, tmp_path: Path
) -> None:
    live, captured = runs
    live.float_model.write_bytes(b"of the live view")
    join(live, captured, tmp_path / "out", "two-eyes", "2.0.0")
    for path in (joined.metrics, joined.peers, joined.ablation):
        path.write_text("{}")
    # The weights stay, the thresholds do not: the digests of the files tell no difference.
    before = open_draft(live)
    network = before.manifest.live
    point = msgspec.structs.replace(network.operating_points[0], threshold=0.123)
    write_draft(live, with_live(before, operating_points=(point, *network.operating_points[1:])))
    live.float_model.unlink()
    again = join(live, captured, tmp_path / "out", "two-eyes", "2.0.0")
    assert again.path == joined.path
    assert not again.metrics.exists()
    assert not again.peers.exists()
    assert not again.float_model.exists()
    # A table of the recipe's variants is of no thresholds.
    assert again.ablation.exists()


@pytest.mark.parametrize("averaging", ["none", "dihedral"])
def test_run_that_is_not_calibrated_for_captured_pictures_is_refused(
    runs: Runs, tmp_path: Path, averaging: str
) -> None:
    live, captured = runs
    # One whose mean was found to be better is fitted in one pass all the same.
    write_draft(live, with_live(open_draft(live), test_time_augmentation=averaging))
    with pytest.raises(DataError) as caught:
        join(captured, live, tmp_path / "out", "two-eyes", "2.0.0")
    assert str(caught.value) == (
        f"{live.path}: is not calibrated for captured pictures; run: dermascope-build calibrate "
        f"{live.path} --captured"
    )
    assert not (tmp_path / "out").exists()


def without_mixes(bundle: Bundle) -> Bundle:
    manifest = msgspec.convert(without_case_mixes(plain_manifest(bundle)), Manifest)
    return replace(bundle, manifest=manifest)


def with_others(bundle: Bundle) -> Bundle:
    mixes = bundle.manifest.live.case_mixes
    renamed = (mixes[0], msgspec.structs.replace(mixes[1], name="hospital"))
    return with_live_mixes(bundle, renamed)


def with_live_mixes(bundle: Bundle, mixes: tuple) -> Bundle:
    plain = msgspec.to_builtins(bundle.manifest)
    plain["live"]["case_mixes"] = msgspec.to_builtins(mixes)
    return replace(bundle, manifest=msgspec.convert(plain, Manifest))


@pytest.mark.parametrize("change", [without_mixes, with_others])
def test_runs_of_other_practices_are_not_joined(
    runs: Runs, tmp_path: Path, change: Callable[[Bundle], Bundle]
) -> None:
    live, captured = runs
    write_draft(captured, change(open_draft(captured)))
    with pytest.raises(DermascopeError, match="not calibrated for the same case mixes") as caught:
        join(live, captured, tmp_path / "out", "two-eyes", "2.0.0")
    assert str(live.path) in str(caught.value)
    assert str(captured.path) in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "version"), [("Two Eyes", "2.0.0"), ("../two", "2.0.0"), ("two-eyes", "2")]
)
def test_impossible_name_or_version_is_refused(
    runs: Runs, tmp_path: Path, name: str, version: str
) -> None:
    with pytest.raises(ConfigError):
        join(*runs, tmp_path / "out", name, version)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", [0, 1])
def test_run_that_is_not_compressed_is_named(runs: Runs, tmp_path: Path, place: int) -> None:
    runs[place].draft.unlink()
    with pytest.raises(DataError, match="not compressed yet") as caught:
        join(*runs, tmp_path / "out", "two-eyes", "2.0.0")
    assert str(runs[place].path) in str(caught.value)


@pytest.mark.parametrize("name", [MODEL_FILE, CAPTURED_FILE])
def test_either_file_that_is_not_the_drafts_is_told(joined: RunFolder, name: str) -> None:
    with (joined.path / name).open("ab") as file:
        file.write(bytes(16))
    with pytest.raises(DataError, match=f"{name} is not what draft.json describes"):
        open_draft(joined)


def test_bundle_of_a_joined_run_has_both_networks(
    joined: RunFolder, made_assessment: Assessment, key_file: Path, trusted_key: str, tmp_path: Path
) -> None:
    draft = open_draft(joined)
    (evaluation,) = made_assessment.evaluations
    figure = evaluation.figures["accuracy"]
    both = [
        msgspec.structs.replace(
            evaluation,
            model_sha256=network.sha256,
            protocol=protocol,
            figures=evaluation.figures | {"accuracy": msgspec.structs.replace(figure, value=value)},
        )
        for network, value, protocol in zip(
            draft.manifest.networks, (0.5, 0.6), (SHIPPED, CAPTURED), strict=True
        )
    ]
    write_result(joined.metrics, msgspec.structs.replace(made_assessment, evaluations=both[:1]))
    with pytest.raises(DataError, match=f"{CAPTURED_FILE} is newer than its evaluation"):
        make_bundle(joined, tmp_path / "models", key_file, ())
    write_result(joined.metrics, msgspec.structs.replace(made_assessment, evaluations=both))
    folder = make_bundle(joined, tmp_path / "models", key_file, ())
    shutil.rmtree(joined.path)
    bundle = load_bundle(folder, (trusted_key,))
    assert bundle.models == draft.models
    assert bundle.manifest.networks == draft.manifest.networks
    # A picture is acted upon by what the second says of it.
    assert bundle.manifest.metrics["accuracy"].value == 0.6
    assert bundle.manifest.case_mixes == ("screening", "referral")
    Analyzer(bundle.with_case_mix("referral"))


@pytest.mark.parametrize("averaged", [True, False])
def test_bundle_that_averages_captures_tells_the_figures_of_the_mean(
    made_assessment: Assessment, key_file: Path, trusted_key: str, tmp_path: Path, averaged: bool
) -> None:
    shipped = one_network(shipped_bundle("paper-28"))
    run = RunFolder(tmp_path / "paper-1")
    write_draft(run, shipped)
    (evaluation,) = made_assessment.evaluations
    one = msgspec.structs.replace(
        evaluation, protocol=SHIPPED, model_sha256=shipped.manifest.live.sha256
    )
    mean = msgspec.structs.replace(
        one,
        protocol=AVERAGED,
        figures={name: msgspec.structs.replace(f, value=0.42) for name, f in one.figures.items()},
        selective=msgspec.structs.replace(one.selective, coverage=0.321),
    )
    assessment = Assessment(evaluations=[one, mean], surest=[], averaged=averaged)
    assert assessment.acted_upon is (assessment.evaluations[1] if averaged else one)
    write_result(run.metrics, assessment)
    folder = make_bundle(run, tmp_path / "models", key_file, ())
    manifest = load_bundle(folder, (trusted_key,)).manifest
    assert (manifest.metrics["accuracy"].value == 0.42) == averaged
    card = (folder / "MODEL_CARD.md").read_text()
    told = "Captured pictures, the mean of eight flips and rotations: a call is made on 32.1%"
    assert (told in card) == averaged
