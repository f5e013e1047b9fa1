import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from build_host.evaluation.assessment import Assessment
from device.capture.demo import SCENES, demo_frame
from device.diagnoses import CODES
from device.errors import BundleError
from device.inference.analyzer import Analyzer
from device.models.bundle import load_bundle
from tests.build_host import drawn
from tests.build_host.conftest import Done, Stage
from tests.build_host.datasets.test_isic2017 import made as isic2017

COMMANDS = (
    "data", "reproduce", "train", "ablate", "compress", "calibrate", "evaluate", "compare",
    "quality-limits", "examples", "bundle", "reopen", "keygen",
)  # fmt: skip


def assert_complaint(done: Done, *parts: str) -> None:
    assert done.status == 2, done.out
    assert done.err.startswith("dermascope-build: ")
    assert done.err.count("\n") == 1
    for part in parts:
        assert part in done.err


def printed_figures(text: str) -> dict[str, tuple[str, str, str]]:
    # The first table is the shipped file's; its caption ends it.
    first = text.partition("Lesion-disjoint")[0]
    rows = re.findall(r"│\s*(\S.*?)\s*│\s*([\d.]+)\s*│\s*([\d.]+) to ([\d.]+)\s*│", first)
    return {name.lower().replace(" ", "_"): (value, low, high) for name, value, low, high in rows}


def as_printed(figures: dict) -> dict[str, tuple[str, str, str]]:
    return {
        name: (f"{f.value:.3f}", f"{f.low:.3f}", f"{f.high:.3f}") for name, f in figures.items()
    }


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory, write_config: Callable[..., Path]) -> Path:
    return write_config(tmp_path_factory.mktemp("config"))


def test_help_names_every_command(command: Callable[..., Done]) -> None:
    done = command("--help")
    assert done.status == 0
    for name in COMMANDS:
        assert re.search(rf"^\s+{name}\s", done.out, re.MULTILINE)
        assert command(name, "--help").status == 0
    for status in ("0", "2", "130"):
        assert re.search(rf"^  {status} +\w", done.out, re.MULTILINE)


@pytest.mark.parametrize("arguments", [(), ("fly",), ("compress",), ("train", "--epochs", "3")])
def test_a_command_line_that_is_not_understood_shows_how_it_is_used(
    command: Callable[..., Done], arguments: tuple[str, ...]
) -> None:
    done = command(*arguments)
    assert done.status == 2
    assert "usage: dermascope-build" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("value", [None, ""])
def test_without_data_it_asks_for_them(
    command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, config: Path, value: str | None
) -> None:
    monkeypatch.delenv("DERMASCOPE_HAM10000", raising=False)
    if value is not None:
        monkeypatch.setenv("DERMASCOPE_HAM10000", value)
    done = command("train", "--config", config)
    assert done.status == 2
    assert "--ham10000" in done.err


def test_the_data_may_be_named_by_the_environment(
    command: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, config: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("DERMASCOPE_HAM10000", str(tmp_path / "named-by-variable"))
    done = command("train", "--config", config, "--out", tmp_path / "runs")
    assert_complaint(done, "named-by-variable: no such folder")


def test_a_configuration_that_is_missing_or_wrong_is_told(
    command: Callable[..., Done], ham10000: Path, tmp_path: Path, config: Path
) -> None:
    arguments = ("train", "--ham10000", ham10000, "--out", tmp_path / "runs", "--config")
    assert_complaint(
        command(*arguments, tmp_path / "none.toml"), "none.toml", "no such settings file"
    )
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(config.read_text().replace("epochs", "epoch"))
    assert_complaint(command(*arguments, wrong), "wrong.toml", "epoch")
    assert not (tmp_path / "runs").exists()


def test_examples_of_a_run_are_drawn(
    command: Callable[..., Done], compressed: Stage, ham10000: Path, tmp_path: Path
) -> None:
    page = tmp_path / "new" / "page.png"
    done = command("examples", compressed.folder, "--ham10000", ham10000, "--out", page)
    assert done.status == 0, done.err
    assert str(page) in done.out.replace("\n", "")
    with Image.open(page) as picture:
        assert picture.width > picture.height > 500
    missing = command("examples", tmp_path, "--ham10000", ham10000, "--out", page)
    assert_complaint(missing, str(tmp_path), "holds no run")


def unlink_image(folder: Path) -> tuple[str, ...]:
    name = drawn.rows()[9]["image_id"]
    next(folder.glob(f"*/{name}.jpg")).unlink()
    return (str(folder), name, "1 of 176 images are missing")


def corrupt_image(folder: Path) -> tuple[str, ...]:
    path = next(folder.glob(f"*/{drawn.rows()[9]['image_id']}.jpg"))
    path.write_bytes(path.read_bytes()[:700])
    return (str(path), "damaged or cut short")


def change_row(**changes: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        content = drawn.rows()
        content[3] |= changes
        drawn.write_metadata(folder / "HAM10000_metadata.csv", content)

    return spoil


def unknown_diagnosis(folder: Path) -> tuple[str, ...]:
    change_row(dx="scc")(folder)
    return ("HAM10000_metadata.csv", "line 5", "'scc'")


def duplicate_image(folder: Path) -> tuple[str, ...]:
    name = drawn.rows()[0]["image_id"]
    change_row(image_id=name)(folder)
    return ("HAM10000_metadata.csv", "line 5", name, "line 2")


def bad_age(folder: Path) -> tuple[str, ...]:
    change_row(age="old")(folder)
    return ("HAM10000_metadata.csv", "line 5", "'old'")


def missing_column(folder: Path) -> tuple[str, ...]:
    columns = tuple(c for c in drawn.COLUMNS if c != "lesion_id")
    drawn.write_metadata(folder / "HAM10000_metadata.csv", drawn.rows(), columns)
    return ("HAM10000_metadata.csv", "lesion_id")


def no_rows(folder: Path) -> tuple[str, ...]:
    drawn.write_metadata(folder / "HAM10000_metadata.csv", [])
    return ("HAM10000_metadata.csv", "has no rows")


def no_metadata(folder: Path) -> tuple[str, ...]:
    (folder / "HAM10000_metadata.csv").unlink()
    return (str(folder), "HAM10000_metadata.csv is missing")


def no_folder(folder: Path) -> tuple[str, ...]:
    shutil.rmtree(folder)
    return (str(folder), "no such folder")


def class_missing_from_a_fold(folder: Path) -> tuple[str, ...]:
    content = [r for r in drawn.rows() if r["dx"] != "df" or drawn.fold_of(r["lesion_id"]) != 4]
    drawn.write_metadata(folder / "HAM10000_metadata.csv", content)
    return ("no image of df", "validation")


@pytest.mark.parametrize(
    "spoil",
    [
        unlink_image,
        corrupt_image,
        unknown_diagnosis,
        duplicate_image,
        bad_age,
        missing_column,
        no_rows,
        no_metadata,
        no_folder,
        class_missing_from_a_fold,
    ],
    ids=lambda f: f.__name__,
)
def test_bad_data_are_told_before_any_training(
    command: Callable[..., Done],
    spoilable: Path,
    config: Path,
    tmp_path: Path,
    spoil: Callable[[Path], tuple[str, ...]],
) -> None:
    parts = spoil(spoilable)
    out = tmp_path / "runs"
    done = command("train", "--ham10000", spoilable, "--config", config, "--out", out)
    assert_complaint(done, *parts)
    assert not list(out.glob("*/weights.h5"))
    assert not list(out.glob("*/history.json"))
    assert not list(out.glob("*/checkpoint"))


def test_bad_data_are_told_without_waiting_for_tensorflow(
    ham10000: Path, config: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from build_host.cli import main; "
        "print(main(sys.argv[1:]), 'tensorflow' in sys.modules)"
    )
    arguments = [
        "train",
        "--ham10000",
        tmp_path / "none",
        "--config",
        config,
        "--out",
        tmp_path / "r",
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "2 False"


def test_rows_of_the_table_that_do_not_agree_are_told(
    command: Callable[..., Done], spoilable_table: Path, config: Path, tmp_path: Path
) -> None:
    path = spoilable_table / "hmnist_28_28_RGB.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[2:], lines[1]]) + "\n")
    out = tmp_path / "runs"
    done = command("train", "--ham10000", spoilable_table, "--config", config, "--out", out)
    assert_complaint(done, str(path), "row ", "not in the same order")


@pytest.mark.parametrize("name", ["compress", "bundle"])
def test_a_folder_without_a_run_is_told(
    command: Callable[..., Done], ham10000: Path, tmp_path: Path, name: str
) -> None:
    data = ("--ham10000", ham10000) if name == "compress" else ()
    done = command(name, *data, tmp_path)
    assert_complaint(done, str(tmp_path), "holds no run")


def test_what_is_neither_a_run_nor_a_bundle_cannot_be_evaluated(
    command: Callable[..., Done], ham10000: Path, tmp_path: Path
) -> None:
    assert_complaint(command("evaluate", "--ham10000", ham10000, tmp_path), str(tmp_path))


def test_stages_out_of_turn_are_told(
    command: Callable[..., Done], ham10000: Path, tmp_path: Path, config: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(config, run / "run.toml")
    data = ("--ham10000", ham10000)
    assert_complaint(command("compress", *data, run), "not trained yet")
    assert_complaint(command("evaluate", *data, run), "not compressed yet")
    assert_complaint(command("bundle", run), "not compressed yet")


def test_a_key_is_made_once(
    command: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "signing.key"
    monkeypatch.setenv("DERMASCOPE_SIGNING_KEY", str(path))
    done = command("keygen")
    assert done.status == 0
    assert re.search(r"\b[0-9a-f]{64}\b", done.out)
    assert str(path) in done.out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = path.read_bytes()
    assert secret.hex() not in done.out
    assert_complaint(command("keygen"), str(path), "there is a signing key already")
    assert path.read_bytes() == secret


def test_a_key_that_cannot_be_written_is_told(
    command: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DERMASCOPE_SIGNING_KEY", str(tmp_path / "file" / "signing.key"))
    assert_complaint(command("keygen"), str(tmp_path / "file"))


@pytest.mark.tensorflow
def test_each_stage_says_what_comes_next(
    trained: Stage, compressed: Stage, evaluated: Stage, bundled: Stage
) -> None:
    assert f"Next: dermascope-build compress {trained.folder}" in trained.printed
    assert f"Next: dermascope-build quality-limits {compressed.folder}" in compressed.printed
    assert f"Next: dermascope-build bundle {evaluated.folder}" in evaluated.printed
    assert f"Wrote {bundled.folder}" in bundled.printed


@pytest.mark.tensorflow
@pytest.mark.parametrize("stage", ["trained", "compressed", "evaluated", "bundled"])
def test_no_stage_shows_a_warning(request: pytest.FixtureRequest, stage: str) -> None:
    # TensorFlow's converter warns of every network that has integer inputs.
    known = "Statistics for quantized inputs were expected"
    shown = request.getfixturevalue(stage).warnings
    assert [w for w in shown if known not in w] == []


@pytest.mark.tensorflow
def test_a_missing_key_is_told_and_nothing_is_written(
    command: Callable[..., Done],
    evaluated: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "none.key"
    monkeypatch.setenv("DERMASCOPE_SIGNING_KEY", str(path))
    done = command("bundle", evaluated.folder, "--models", tmp_path / "models")
    assert_complaint(done, str(path), "there is no signing key", "dermascope-build keygen")
    assert not (tmp_path / "models").exists()


@pytest.mark.tensorflow
def test_the_device_loads_the_bundle_and_reads_a_frame_with_it(
    bundled: Stage, trusted_key: str
) -> None:
    bundle = load_bundle(bundled.folder, [trusted_key])
    assert bundle.signed_by == trusted_key
    finding = Analyzer(bundle).analyze(demo_frame(SCENES[0]))
    assert finding.model == "drawn-28 0.1.0"
    assert sum(finding.probabilities) == pytest.approx(1.0)
    assert finding.leading in CODES
    assert finding.prediction_set
    explained = Analyzer(bundle).explain(demo_frame(SCENES[0]), "mel")
    assert explained.values.shape == (28, 28)


@pytest.mark.tensorflow
def test_bundle_of_whole_numbers_tells_whether_an_edge_tpu_could_run_it(bundled: Stage) -> None:
    (told,) = json.loads((bundled.folder / "edgetpu.json").read_bytes())
    assert told["file"] == "model.tflite"
    assert told["floating_point"] == []
    assert sum(told["operations"].values()) == told["of"] >= told["mapped"] > 0


def test_another_devices_key_does_not_open_the_bundle(bundled: Stage) -> None:
    with pytest.raises(BundleError, match="by a key that this device trusts"):
        load_bundle(bundled.folder, ["0" * 63 + "1"])


@pytest.mark.tensorflow
def test_the_bundles_figures_are_those_that_evaluate_printed(
    evaluated: Stage, bundled: Stage, trusted_key: str
) -> None:
    printed = printed_figures(evaluated.printed)
    assert len(printed) >= 13
    bundle = load_bundle(bundled.folder, [trusted_key])
    assert as_printed(bundle.manifest.metrics) == printed
    content = (bundled.folder / "metrics.json").read_bytes()
    metrics = msgspec.json.decode(content, type=Assessment).evaluations[0]
    assert as_printed(metrics.figures) == printed
    card = (bundled.folder / "MODEL_CARD.md").read_text()
    for value, low, high in printed.values():
        assert f"| {value} | {low} to {high} |" in card
    assert "drawn-28 0.1.0: 98 images of 84 lesions" in evaluated.printed


@pytest.mark.tensorflow
def test_a_bundle_is_evaluated_to_the_figures_of_its_run(
    command: Callable[..., Done],
    evaluated: Stage,
    bundled: Stage,
    ham10000: Path,
    trusted_key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text(f'trusted_keys = ["{trusted_key}"]\n')
    rows = ("image_id,split,diagnosis", "ISIC_0000000,test,nevus", "ISIC_0000001,test,mel")
    elsewhere = tmp_path / "isic2017"
    elsewhere.mkdir()
    arguments = ("evaluate", "--ham10000", ham10000, bundled.folder, "--isic2017")
    arguments += (isic2017(elsewhere, rows),)
    # With the settings that a device has of its own, it is a stranger's.
    assert_complaint(command(*arguments), str(bundled.folder), "trust")
    monkeypatch.setenv("DERMASCOPE_CONFIG", str(settings))
    done = command(*arguments)
    assert done.status == 0, done.err
    assert printed_figures(done.out) == printed_figures(evaluated.printed)
    assert "ISIC 2017 test" not in evaluated.printed
    assert "External: ISIC 2017 test, other clinics" in done.out


@pytest.mark.tensorflow
def test_the_provenance_says_how_the_model_was_made(
    bundled: Stage, trained: Stage, trusted_key: str
) -> None:
    provenance = load_bundle(bundled.folder, [trusted_key]).manifest.provenance
    assert provenance.seed == 7
    assert trained.folder.name == f"drawn-28-{provenance.run_digest[:8]}"
    assert provenance.dataset == "HAM10000"
    assert "CC BY-NC" in provenance.licence
    assert "lesion-disjoint" in provenance.split
    assert provenance.libraries["tensorflow"]
    assert json.loads((bundled.folder / "manifest.json").read_bytes())["provenance"]


@pytest.mark.tensorflow
def test_a_run_is_calibrated_again_to_the_same_draft(
    command: Callable[..., Done], compressed: Stage, ham10000: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(compressed.folder, run, ignore=shutil.ignore_patterns("checkpoint"))
    fitted = json.loads((run / "draft.json").read_bytes())
    calibration = fitted["live"]["calibration"] | {"temperature": 99.0}
    lost = fitted | {"live": fitted["live"] | {"calibration": calibration}}
    (run / "draft.json").write_text(json.dumps(lost))
    # What was measured with other thresholds is signed with none.
    for name in ("metrics.json", "peers.json"):
        (run / name).write_text("{}")
    done = command("calibrate", run, "--ham10000", ham10000)
    assert not list(run.glob("metrics.json")) + list(run.glob("peers.json"))
    assert done.status == 0, done.err
    assert f"Next: dermascope-build quality-limits {run}" in done.out
    assert json.loads((run / "draft.json").read_bytes()) == fitted


@pytest.mark.tensorflow
def test_quality_limits_of_a_run_lead_to_its_evaluation(
    command: Callable[..., Done], compressed: Stage, ham10000: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(compressed.folder, run, ignore=shutil.ignore_patterns("checkpoint"))
    arguments = ("--ham10000", ham10000, "--images", 7, "--levels", 1)
    (run / "metrics.json").write_text("{}")
    done = command("quality-limits", run, *arguments)
    assert not (run / "metrics.json").exists()
    assert done.status == 0, done.err
    assert f"Next: dermascope-build evaluate {run}" in done.out


@pytest.mark.tensorflow
def test_a_bundle_is_reopened_by_whoever_trusts_its_key(
    command: Callable[..., Done],
    bundled: Stage,
    trusted_key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ("reopen", bundled.folder, "--out", tmp_path / "runs", "--version", "0.3.0")
    assert_complaint(command(*arguments), "trust")
    settings = tmp_path / "config.toml"
    settings.write_text(f'trusted_keys = ["{trusted_key}"]\n')
    monkeypatch.setenv("DERMASCOPE_CONFIG", str(settings))
    done = command(*arguments)
    assert done.status == 0, done.err
    (run,) = (tmp_path / "runs").iterdir()
    assert f"Run: {run}" in done.out
    assert f"Next: dermascope-build evaluate {run}" in done.out
    assert json.loads((run / "draft.json").read_bytes())["version"] == "0.3.0"
