import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from build_host.evaluation.comparison import Ablation, Peer
from build_host.pipeline.ablation import AblationConfig, Variant, variant_config
from device.errors import ConfigError
from tests.build_host.conftest import Done, Stage

TABLE = """
base = "{base}"

[common]
"fit.epochs" = 1

[[variants]]
name = "as it is"

[[variants]]
name = "smoothed"
set = {{ "fit.label_smoothing" = 0.1 }}
"""


def test_a_variant_is_the_base_with_its_own_settings(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    base = write_config(tmp_path)
    config = AblationConfig(base=base.name, variants=(), common={"fit.epochs": 5, "fit.batch": 8})
    variant = Variant("x", {"fit.batch": 16, "fit.augmentation.blur": 0.5}, ("representative",))
    run = variant_config(base, config, variant)
    assert (run.fit.epochs, run.fit.batch) == (5, 16)
    assert run.fit.augmentation is not None
    assert run.fit.augmentation.blur == 0.5
    assert run.representative == 500


@pytest.mark.parametrize(
    ("variant", "told"),
    [
        (Variant("typo", unset=("fit.distilation",)), "the base has no 'distilation'"),
        (Variant("deep", {"seed.x": 1}), "inside another"),
        (Variant("deeper", {"seed.x.y": 1}), "inside another"),
        (Variant("unknown", {"fit.warm": 1}), "warm"),
    ],
)
def test_a_slip_in_a_variant_is_told(
    tmp_path: Path, write_config: Callable[..., Path], variant: Variant, told: str
) -> None:
    base = write_config(tmp_path)
    config = AblationConfig(base=base.name, variants=(variant,))
    with pytest.raises(ConfigError, match=told):
        variant_config(base, config, variant)


def test_an_impossible_variant_is_told_by_its_name(
    tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    base = write_config(tmp_path)
    config = AblationConfig(base=base.name, variants=())
    with pytest.raises(ConfigError, match="variant 'too bold'"):
        variant_config(base, config, Variant("too bold", {"fit.label_smoothing": 7.0}))


@pytest.mark.tensorflow
def test_variants_and_peers_are_measured_and_the_bundle_keeps_the_tables(
    evaluated: Stage,
    ham10000: Path,
    key_file: Path,
    trusted_key: str,
    tmp_path: Path,
    write_config: Callable[..., Path],
    command: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "evaluated"
    shutil.copytree(evaluated.folder, run, ignore=shutil.ignore_patterns("checkpoint"))
    base = write_config(tmp_path)
    path = tmp_path / "table.toml"
    path.write_text(TABLE.format(base=base.name))
    arguments = ("ablate", path, "--ham10000", ham10000, "--out", tmp_path / "runs")
    done = command(*arguments, "--attach-to", run)
    assert done.status == 0, done.err
    kept = (run / "ablation.json").read_bytes()
    table = msgspec.json.decode(kept, type=Ablation)
    assert [r.name for r in table.rows] == ["as it is", "smoothed"]
    assert [r.epochs for r in table.rows] == [1, 1]
    assert table.rows[0].run != table.rows[1].run
    # What is trained already is not trained again.
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("weights.h5")}
    assert len(before) == 2
    assert command(*arguments).status == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("weights.h5")} == before

    done = command("bundle", run, "--models", tmp_path)
    assert done.status == 0, done.err
    other = tmp_path / "drawn-28"
    settings = tmp_path / "config.toml"
    settings.write_text(f'trusted_keys = ["{trusted_key}"]\n')
    monkeypatch.setenv("DERMASCOPE_CONFIG", str(settings))
    done = command("compare", run, evaluated.folder, other, "--ham10000", ham10000)
    assert done.status == 0, done.err
    kept = (run / "peers.json").read_bytes()
    peers = msgspec.json.decode(kept, type=list[Peer])
    assert len(peers) == 3
    assert peers[0].figures == peers[1].figures == peers[2].figures

    done = command("bundle", run, "--models", tmp_path)
    assert done.status == 0, done.err
    card = (tmp_path / "drawn-28" / "MODEL_CARD.md").read_text()
    assert "## What each part gives" in card
    assert "| smoothed | 1 |" in card
    assert "## Peers" in card
    for name in ("ablation.json", "peers.json"):
        assert (tmp_path / "drawn-28" / name).read_bytes() == (run / name).read_bytes()
