from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import build_host
from build_host.pipeline.ablation import AblationConfig, variant_config
from build_host.training.config import (
    FitConfig,
    PlateauConfig,
    RunConfig,
    SaliencyConfig,
    read_run_config,
)
from device.errors import ConfigError
from device.imaging.preprocessing import InputSpec
from device.platform.toml_file import read_toml

SHIPPED = Path(build_host.__file__).parent / "configs"
TABLES = sorted(SHIPPED.glob("*-ablation.toml"))
RUNS = sorted(
    p for p in SHIPPED.glob("*.toml") if not p.stem.startswith("reproduce") and p not in TABLES
)


def changed(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_a_file_becomes_what_it_says(tmp_path: Path, write_config: Callable[..., Path]) -> None:
    assert read_run_config(write_config(tmp_path, epochs=3, side=20)) == RunConfig(
        name="drawn-28",
        version="0.1.0",
        seed=7,
        input=InputSpec(height=20, width=20, geometry="full-frame"),
        architecture="paper",
        fit=FitConfig(epochs=3, batch=32, learning_rate=1e-3),
        saliency=SaliencyConfig(method="occlusion", patch=14, stride=7),
        representative=20,
    )


def test_what_a_file_leaves_out_has_a_default(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    fit = read_run_config(write_config(tmp_path)).fit
    assert fit.balance == "random-oversample"
    assert fit.keep == "best-balanced-accuracy"
    assert fit.plateau == PlateauConfig(patience=2, factor=0.5, floor=1e-5)


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.stem)
def test_every_shipped_configuration_can_be_read(path: Path) -> None:
    assert read_run_config(path).name == path.stem


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.stem)
def test_every_variant_config_a_shipped_table_is_a_run_of_its_own(path: Path) -> None:
    config = read_toml(path, AblationConfig)
    runs = [variant_config(path.parent / config.base, config, v) for v in config.variants]
    assert len({run.digest for run in runs}) == len(runs)


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.stem)
def test_the_teachers_of_a_shipped_run_are_shipped_too(path: Path) -> None:
    distillation = read_run_config(path).fit.distillation
    for name in distillation.teachers if distillation else ():
        assert path.with_name(name) in RUNS


def test_the_shipped_configuration_is_the_papers() -> None:
    config = read_run_config(SHIPPED / "paper-28.toml")
    assert (config.input.height, config.input.width) == (28, 28)
    assert config.input.geometry == "full-frame"
    assert (config.fit.epochs, config.fit.batch) == (25, 128)
    assert config.fit.balance == "random-oversample"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "drawn-28"', 'name = "Drawn 28"'),
        ('name = "drawn-28"', 'name = "../elsewhere"'),
        ('version = "0.1.0"', 'version = "1"'),
        ("seed = 7", 'seed = "seven"'),
        ("seed = 7", ""),
        ("seed = 7", "seed = -7"),
        ("seed = 7", "seed = 7\nsead = 8"),
        ('architecture = "paper"', 'architecture = "resnet"'),
        ("representative = 20", "representative = 0"),
        ("height = 28", "height = 0"),
        ("height = 28", "height = 4096"),
        ('"full-frame"', '"left-half"'),
        ("epochs = 2", "epochs = 0"),
        ("epochs = 2", "epochs = 1.5"),
        ("epochs = 2", "epochs = 2\nepoch = 2"),
        ("batch = 32", "batch = 0"),
        ("learning_rate = 1e-3", "learning_rate = 0.0"),
        ("learning_rate = 1e-3", "learning_rate = -1e-3"),
        ("learning_rate = 1e-3", "learning_rate = nan"),
        ("learning_rate = 1e-3", "learning_rate = inf"),
        ("learning_rate = 1e-3", 'balance = "smote"'),
        ("learning_rate = 1e-3", 'keep = "first"'),
        ("learning_rate = 1e-3", "plateau.factor = 1.0"),
        ("learning_rate = 1e-3", "plateau.factor = 0.0"),
        ("learning_rate = 1e-3", "plateau.patience = 0"),
        ("learning_rate = 1e-3", "plateau.floor = -1.0"),
        ("learning_rate = 1e-3", "plateau.floor = nan"),
        ("patch = 14", "patch = 0"),
        ("stride = 7", "stride = 0"),
        ("stride = 7", "stride = 7\nmaskes = 40"),
        ('method = "occlusion"', 'method = "guess"'),
        # The paper's network has no map to give, and halves its input four times.
        ('method = "occlusion"', 'method = "class-activation-map"'),
        ("height = 28", "height = 15"),
        # Nor a head.
        ("seed = 7", "seed = 7\nhead = 640"),
        ("seed = 7", "seed = 7\nhead_sparsity = 0.5"),
        ("seed = 7", "seed = 7\nsources = []"),
        ("seed = 7", 'seed = 7\nsources = "ham10000"'),
        ("seed = 7", 'seed = 7\nsources = ["ham10000", "padufes"]'),
        ("seed = 7", 'seed = 7\nsources = ["clinic", "ham10000", "clinic"]'),
        # It has no part that could calibrate.
        ("seed = 7", 'seed = 7\nsources = ["isic-2017"]'),
        ("batch = 32", "batch = 32\naugmentation.softness = 1.1"),
        ("batch = 32", "batch = 32\naugmentation.gamma = -0.1"),
        ("batch = 32", "batch = 32\naugmentation.ruler = 2"),
        ("batch = 32", "batch = 32\naugmentation.bubbles = -0.5"),
        ("[fit]", "[fit"),
    ],
)
def test_an_unknown_or_impossible_setting_is_refused_in_one_line(
    tmp_path: Path, write_config: Callable[..., Path], old: str, new: str
) -> None:
    path = changed(write_config(tmp_path), old, new)
    with pytest.raises(ConfigError) as caught:
        read_run_config(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message


def test_a_run_is_of_ham10000_unless_it_names_its_sources(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    path = write_config(tmp_path)
    before = read_run_config(path)
    assert before.sources == ("ham10000",)
    changed(path, "seed = 7", 'seed = 7\nsources = ["ham10000"]')
    assert read_run_config(path).digest == before.digest
    several = ("milk10k", "isic-2017", "clinic", "isic-2019", "bcn20000", "ham10000")
    changed(path, '["ham10000"]', msgspec.json.encode(several).decode())
    assert read_run_config(path).sources == several


def test_runs_with_isic_2017_keep_the_digests_that_they_had_before_others_could_be_named(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    path = changed(
        write_config(tmp_path), "seed = 7", 'seed = 7\nsources = ["ham10000", "isic-2017"]'
    )
    # That of the same file with `extra_data = "isic-2017"`, on record.
    assert read_run_config(path).digest == (
        "fcc50204e65e08c15efea0bb654b0e90ee5682b606c1b6d2f50e5b739dd3e8e0"
    )


@pytest.mark.parametrize(
    "architecture",
    [
        "mobilenet", "slim-mobilenet", "efficientnet-lite-0", "efficientnet-lite-1",
        "efficientnet-lite-2",
    ],
)  # fmt: skip
def test_every_network_but_the_papers_may_give_a_class_activation_map(
    tmp_path: Path, write_config: Callable[..., Path], architecture: str
) -> None:
    path = changed(write_config(tmp_path, side=64), '"paper"', f'"{architecture}"')
    changed(path, 'method = "occlusion"', 'method = "class-activation-map"')
    assert read_run_config(path).saliency.method == "class-activation-map"


def test_a_missing_file_a_folder_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, reason in (
        (tmp_path / "none.toml", "no such settings file"),
        (tmp_path, "cannot be read"),
        (binary, "binary.toml"),
    ):
        with pytest.raises(ConfigError, match=reason) as caught:
            read_run_config(path)
        assert str(caught.value).startswith(f"{path}: ")


def test_the_digest_does_not_depend_on_how_the_file_is_written(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    path = write_config(tmp_path)
    digest = read_run_config(path).digest
    changed(path, 'name = "drawn-28"\nversion = "0.1.0"', 'version="0.1.0"\nname="drawn-28" # ok')
    assert read_run_config(path).digest == digest


@pytest.mark.parametrize(
    "default",
    [
        "plateau.patience = 2",
        "plateau.floor = 1e-5",
        'balance = "random-oversample"',
        "weight_decay = 0.0",
        "balance_power = 0.5",
    ],
)
def test_a_default_that_is_written_out_does_not_count_in_the_digest(
    tmp_path: Path, write_config: Callable[..., Path], default: str
) -> None:
    path = write_config(tmp_path)
    before = read_run_config(path)
    changed(path, "batch = 32", f"batch = 32\n{default}")
    assert read_run_config(path) == before
    assert read_run_config(path).digest == before.digest


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        (None, {"seed": 8}),
        (None, {"version": "0.1.1"}),
        (None, {"representative": 21}),
        (None, {"sources": ("milk10k",)}),
        (None, {"sources": ("ham10000", "milk10k")}),
        (None, {"sources": ("ham10000", "isic-2017")}),
        ("input", {"height": 29}),
        ("input", {"geometry": "center-square"}),
        ("input", {"scale": 0.5}),
        ("fit", {"epochs": 4}),
        ("fit", {"balance": "none"}),
        ("fit", {"plateau": PlateauConfig(patience=3)}),
        ("saliency", {"stride": 8}),
    ],
)
def test_the_digest_changes_with_every_setting(
    tmp_path: Path, write_config: Callable[..., Path], part: str | None, changes: dict[str, object]
) -> None:
    config = read_run_config(write_config(tmp_path))
    if part is None:
        other = msgspec.structs.replace(config, **changes)
    else:
        section = msgspec.structs.replace(getattr(config, part), **changes)
        other = msgspec.structs.replace(config, **{part: section})
    assert other.digest != config.digest
