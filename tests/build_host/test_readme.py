"""What the guides say of the shipped models is what was measured of them."""

import re
from pathlib import Path

import msgspec
import pytest

from build_host.evaluation.assessment import Assessment
from build_host.evaluation.comparison import PEER_FIGURES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def guide() -> str:
    return (ROOT / "docs" / "model-builder.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["slim-96", "paper-28"])
def test_the_guide_repeats_the_cards_figures(name: str, guide: str) -> None:
    content = (ROOT / "models" / name / "metrics.json").read_bytes()
    measured = msgspec.json.decode(content, type=Assessment)
    first = measured.evaluations[0]
    told = [first.figures[figure] for figure in PEER_FIGURES]
    (elsewhere,) = [e for e in measured.evaluations if "ISIC 2017" in e.protocol]
    told.append(elsewhere.figures["melanoma_auc"])
    if name == "slim-96":
        told += [measured.evaluations[1].figures[figure] for figure in PEER_FIGURES]
    for figure in told:
        assert f"| {figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f}) " in guide
    assert f"{first.size.bytes / 2**20:.3f} MiB, {first.size.gzip_bytes / 2**20:.3f} MiB" in guide
    assert measured.speed is not None
    assert f"| {measured.speed.times_faster:.1f} times |" in guide


def test_the_guide_repeats_what_was_measured_at_each_source(guide: str) -> None:
    content = (ROOT / "models" / "multicentre" / "metrics.json").read_bytes()
    measured = msgspec.json.decode(content, type=Assessment)
    captured = [row for row in measured.sources if row.network == "captured"]
    assert len(captured) == 3
    for figure in ("malignant_auc", "melanoma_auc", "balanced_accuracy_as_if_equally_common"):
        told = " | ".join(
            f"{f.value:.3f} ({f.low:.3f} to {f.high:.3f})"
            for f in (row.figures[figure] for row in captured)
        )
        assert f"| {told} |" in guide
    assert " | ".join(f"{row.coverage:.3f}" for row in captured) in guide


def test_the_readme_repeats_some_of_them() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    content = (ROOT / "models" / "slim-96" / "metrics.json").read_bytes()
    figures = msgspec.json.decode(content, type=Assessment).evaluations[1].figures
    told = re.findall(r"^\| .* \| (\d\.\d{3} \(\d\.\d{3} to \d\.\d{3}\)) \|$", readme, re.M)
    assert len(told) == 5
    measured = {f"{f.value:.3f} ({f.low:.3f} to {f.high:.3f})" for f in figures.values()}
    assert set(told) <= measured


def test_the_shipped_network_keeps_its_limits() -> None:
    content = (ROOT / "models" / "slim-96" / "metrics.json").read_bytes()
    measured = msgspec.json.decode(content, type=Assessment)
    size = measured.evaluations[0].size
    assert size.gzip_bytes <= 0.39 * 2**20
    assert size.bytes <= 0.75 * 2**20
    # Measured when it was bundled, on the machine of that day.
    assert measured.speed is not None
    assert measured.speed.times_faster >= 20.0
