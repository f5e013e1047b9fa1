"""The shipped bundles are what this code makes of what was measured."""

from pathlib import Path

import pytest

import build_host
from build_host.evaluation.assessment import Assessment
from build_host.pipeline.release import ABLATION, LEAVE_ONE_OUT, PEERS
from build_host.reporting.model_card import render_card
from build_host.reproduction.tables import REPRODUCTION
from build_host.results import read_result
from build_host.run_folder import RunFolder
from build_host.training.config import read_run_config
from device.config import PROJECT_KEY
from device.models.bundle import load_bundle

MODELS = Path(__file__).parents[3] / "models"
CONFIGS = Path(build_host.__file__).parent / "configs"


@pytest.mark.parametrize("name", ["multicentre", "paper-28"])
def test_a_shipped_card_comes_out_again_to_the_byte(name: str) -> None:
    folder = RunFolder(MODELS / name)
    first, sections = (
        [
            attachment.section(read_result(attachment.file(folder), attachment.kind))
            for attachment in (LEAVE_ONE_OUT, REPRODUCTION, ABLATION, PEERS)
            if attachment.first == is_first and attachment.file(folder).is_file()
        ]
        for is_first in (True, False)
    )
    manifest = load_bundle(folder.path, [PROJECT_KEY]).manifest
    card = render_card(manifest, read_result(folder.metrics, Assessment), sections, first)
    assert card.encode() == (folder.path / "MODEL_CARD.md").read_bytes()


def test_the_shipped_settings_are_those_that_the_signed_manifest_names() -> None:
    # A setting that is renamed, or gets another default, breaks this link.
    provenance = load_bundle(MODELS / "multicentre", [PROJECT_KEY]).manifest.provenance
    assert provenance.run_digest == read_run_config(CONFIGS / "live-96.toml").digest
    (captured,) = (told for told in provenance.further if told.startswith("for captured pictures"))
    assert read_run_config(CONFIGS / "captured-160.toml").digest[:16] in captured
