import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from build_host.datasets.sources import SOURCES, DataFolders, SourceName, read_sources
from build_host.datasets.split import TEST_FOLD, fold_of
from build_host.evaluation.comparison import LeaveOneOut
from build_host.training.config import RunConfig
from tests.build_host.conftest import CONFIG, Done, Stage

pytestmark = pytest.mark.tensorflow

TESTED: tuple[SourceName, ...] = ("ham10000", "clinic")
FIGURES = (
    "malignant_auc", "melanoma_auc", "macro_auc", "balanced_accuracy_as_if_equally_common",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A run whose sources were left out in turn, the command that did it and what it printed."""

    run: Path
    runs: Path
    arguments: tuple[object, ...]
    printed: str
    table: LeaveOneOut
    places: DataFolders


def written_config(folder: Path, *sources: str, epochs: int = 3) -> Path:
    text = CONFIG.format(epochs=epochs, side=28)
    named = ", ".join(f'"{name}"' for name in sources)
    path = folder / "several.toml"
    path.write_text(
        text.replace("representative = 20", f"representative = 20\nsources = [{named}]")
    )
    return path


@pytest.fixture(scope="module")
def made(
    evaluated: Stage,
    ham10000: Path,
    clinic_folder: Path,
    command: Callable[..., Done],
    tmp_path_factory: pytest.TempPathFactory,
) -> Made:
    folder = tmp_path_factory.mktemp("leave-one-out")
    run, runs = folder / "evaluated", folder / "runs"
    shutil.copytree(evaluated.folder, run, ignore=shutil.ignore_patterns("checkpoint"))
    arguments = (
        "leave-one-out", written_config(folder, *TESTED), "--epochs", "1", "--ham10000", ham10000,
        "--clinic", clinic_folder, "--out", runs,
    )  # fmt: skip
    done = command(*arguments, "--attach-to", run)
    assert done.status == 0, done.err
    table = msgspec.json.decode((run / "leave_one_out.json").read_bytes(), type=LeaveOneOut)
    places = DataFolders({"ham10000": ham10000, "clinic": clinic_folder})
    return Made(run, runs, arguments, done.out, table, places)


def variants(made: Made) -> dict[tuple[SourceName, ...], RunConfig]:
    """Return the settings of what was trained, by its sources."""
    found = [
        msgspec.json.decode(path.read_bytes(), type=RunConfig)
        for path in made.runs.glob("*/variant.json")
    ]
    return {config.sources: config for config in found}


def test_table_has_a_row_for_each_source_of_its_own_test_fold(made: Made) -> None:
    table = made.table
    assert (table.base, table.epochs, table.full_epochs) == ("drawn-28", 1, 3)
    # A clinic's own pictures have no other title, whatever their folder is called.
    assert [row.source for row in table.rows] == [SOURCES[name].title for name in TESTED]
    for name, row in zip(TESTED, table.rows, strict=True):
        records = read_sources((name,), made.places).records
        assert row.images == sum(fold_of(r.lesion_id) == TEST_FOLD for r in records)
        assert tuple(row.figures) == FIGURES
        assert all(0.0 <= f.low <= f.value <= f.high <= 1.0 for f in row.figures.values())
        assert 0.0 <= row.coverage <= 1.0
    assert table.rows[0].figures != table.rows[1].figures


def test_what_each_source_gives_is_told_for_every_validation_fold(made: Made) -> None:
    titles = [SOURCES[name].title for name in TESTED]
    records = read_sources(TESTED, made.places)
    contributions = made.table.contributions
    assert [row.source for row in contributions] == ["", *titles]
    for row in contributions:
        assert list(row.figures) == list(records.sources)
        for figures in row.figures.values():
            assert tuple(figures) == ("malignant_auc", "balanced_accuracy_as_if_equally_common")
            assert all(0.0 <= f.low <= f.value <= f.high <= 1.0 for f in figures.values())
    assert "on all: malignant AUC" in made.printed
    assert f"without {titles[1]}: malignant AUC" in made.printed


def test_every_network_was_trained_on_the_others_alone_and_for_as_long_as_was_said(
    made: Made,
) -> None:
    found = variants(made)
    assert set(found) == {("clinic",), ("ham10000",), TESTED}
    for config in found.values():
        assert config.fit.epochs == 1
        assert config.fit.distillation is None
    folders = [path for path in made.runs.iterdir() if path.name.startswith("drawn-28-")]
    assert len(folders) == 3
    for folder in folders:
        config = msgspec.json.decode((folder / "variant.json").read_bytes(), type=RunConfig)
        assert folder.name == f"drawn-28-{config.digest[:8]}"
        assert len(msgspec.json.decode((folder / "history.json").read_bytes())) == 1
        assert (folder / "weights.h5").is_file()


def test_table_is_printed_under_a_heading_for_each_source(made: Made) -> None:
    places = [made.printed.index(f"Without {SOURCES[name].title} ") for name in TESTED]
    assert places == sorted(places)
    assert "trained 1 epochs without the source it is tested on" in made.printed
    for row in made.table.rows:
        figure = row.figures["macro_auc"]
        assert f"{figure.value:.3f}" in made.printed
        assert f"│ {row.images} " in made.printed
    assert "sets hold the truth" in made.printed


def test_same_command_trains_nothing_again_and_finds_the_same(
    made: Made, command: Callable[..., Done]
) -> None:
    before = {p: p.stat().st_mtime_ns for p in made.runs.rglob("weights.h5")}
    assert len(before) == 3
    kept = (made.run / "leave_one_out.json").read_bytes()
    (made.run / "leave_one_out.json").unlink()
    done = command(*made.arguments, "--attach-to", made.run)
    assert done.status == 0, done.err
    assert "Epoch" not in done.out
    assert {p: p.stat().st_mtime_ns for p in made.runs.rglob("weights.h5")} == before
    assert (made.run / "leave_one_out.json").read_bytes() == kept


def test_section_stands_first_in_the_card_and_the_bundle_keeps_the_table(
    made: Made,
    trusted_key: str,
    command: Callable[..., Done],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = command("bundle", made.run, "--models", tmp_path)
    assert done.status == 0, done.err
    bundle = tmp_path / "drawn-28"
    headings = [
        line[3:]
        for line in (bundle / "MODEL_CARD.md").read_text().splitlines()
        if line.startswith("## ")
    ]
    assert headings[0] == "In a clinic that it has never seen"
    assert headings.count("In a clinic that it has never seen") == 1
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "trained 1 epochs instead of 3, without teachers and without one source" in card
    assert f"|  | {made.table.rows[0].source} | {made.table.rows[1].source} |" in card
    for row in made.table.rows:
        assert f" {row.coverage:.3f} |" in card
        assert f"| without {row.source}: malignant AUC |" in card
    assert "| on all: malignant AUC |" in card
    kept = (bundle / "leave_one_out.json").read_bytes()
    assert kept == (made.run / "leave_one_out.json").read_bytes()
    # A bundle that becomes a run again has it still.
    settings = tmp_path / "config.toml"
    settings.write_text(f'trusted_keys = ["{trusted_key}"]\n')
    monkeypatch.setenv("DERMASCOPE_CONFIG", str(settings))
    done = command("reopen", bundle, "--out", tmp_path / "runs")
    assert done.status == 0, done.err
    (again,) = (tmp_path / "runs").iterdir()
    assert (again / "leave_one_out.json").read_bytes() == kept


@pytest.mark.parametrize("sources", [("ham10000",), ("ham10000", "isic-2017")])
def test_run_with_fewer_than_two_sources_that_test_is_refused(
    tmp_path: Path, ham10000: Path, command: Callable[..., Done], sources: tuple[str, ...]
) -> None:
    config = written_config(tmp_path, *sources)
    out = tmp_path / "runs"
    done = command("leave-one-out", config, "--ham10000", ham10000, "--out", out)
    assert done.status == 2
    assert done.err == (
        f"dermascope-build: {config}: has no two sources of which one could be left out\n"
    )
    assert not out.exists()


def test_folder_of_a_source_that_is_not_named_is_told_with_its_option(
    tmp_path: Path, ham10000: Path, command: Callable[..., Done]
) -> None:
    config = written_config(tmp_path, *TESTED)
    out = tmp_path / "runs"
    done = command("leave-one-out", config, "--ham10000", ham10000, "--out", out)
    assert done.status == 2
    assert "--clinic DIR or $DERMASCOPE_CLINIC" in done.err
    assert done.err.count("\n") == 1
