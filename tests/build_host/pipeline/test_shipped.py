"""The shipped bundles are what this code makes of what was measured."""

from pathlib import Path

import msgspec
import pytest

import build_host
from build_host.evaluation.assessment import Assessment
from build_host.evaluation.comparison import Ablation
from build_host.pipeline.ablation import AblationConfig, variant_config
from build_host.pipeline.release import ABLATION, PEERS
from build_host.reporting.model_card import render_card
from build_host.reproduction.tables import REPRODUCTION
from build_host.results import read_result
from build_host.run_folder import RunFolder
from build_host.training.config import read_run_config
from device.config import PROJECT_KEY
from device.models.bundle import load_bundle
from device.platform.toml_file import read_toml

MODELS = Path(__file__).parents[3] / "models"
CONFIGS = Path(build_host.__file__).parent / "configs"


@pytest.mark.parametrize("name", ["multicentre", "slim-96", "paper-28"])
def test_a_shipped_card_comes_out_again_to_the_byte(name: str) -> None:
    folder = RunFolder(MODELS / name)
    sections = [
        attachment.section(read_result(attachment.file(folder), attachment.kind))
        for attachment in (REPRODUCTION, ABLATION, PEERS)
        if attachment.file(folder).is_file()
    ]
    manifest = load_bundle(folder.path, [PROJECT_KEY]).manifest
    card = render_card(manifest, read_result(folder.metrics, Assessment), sections)
    assert card.encode() == (folder.path / "MODEL_CARD.md").read_bytes()


@pytest.mark.parametrize(("name", "settings"), [("multicentre", "live-96"), ("slim-96", "slim-96")])
def test_the_shipped_settings_are_those_that_the_signed_manifest_names(
    name: str, settings: str
) -> None:
    # A setting that is renamed, or gets another default, breaks this link.
    config = read_run_config(CONFIGS / f"{settings}.toml")
    manifest = load_bundle(MODELS / name, [PROJECT_KEY]).manifest
    assert manifest.provenance.run_digest == config.digest
    # The last number counts how often it was calibrated or measured again.
    assert manifest.version.rpartition(".")[0] == config.version.rpartition(".")[0]


def test_the_shipped_variants_are_those_of_the_table() -> None:
    content = (MODELS / "slim-96" / "ablation.json").read_bytes()
    table = msgspec.json.decode(content, type=Ablation)
    config = read_toml(CONFIGS / "slim-96-ablation.toml", AblationConfig)
    variants = [
        (v.name, variant_config(CONFIGS / config.base, config, v).digest[:8])
        for v in config.variants
    ]
    assert variants == [(row.name, row.run) for row in table.rows]
