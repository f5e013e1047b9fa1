"""What the README says of the shipped models is what was measured of them."""

from pathlib import Path

import msgspec
import pytest

from build_host.evaluation.assessment import Assessment
from build_host.evaluation.comparison import PEER_FIGURES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["slim-96", "paper-28"])
def test_the_readme_repeats_the_cards_figures(name: str, readme: str) -> None:
    content = (ROOT / "models" / name / "metrics.json").read_bytes()
    measured = msgspec.json.decode(content, type=Assessment)
    first = measured.evaluations[0]
    told = [first.figures[figure] for figure in PEER_FIGURES]
    (elsewhere,) = [e for e in measured.evaluations if "ISIC 2017" in e.protocol]
    told.append(elsewhere.figures["melanoma_auc"])
    if name == "slim-96":
        told += [measured.evaluations[1].figures[figure] for figure in PEER_FIGURES]
    for figure in told:
        assert f"| {figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f}) " in readme
    assert f"{first.size.bytes / 2**20:.3f} MiB, {first.size.gzip_bytes / 2**20:.3f} MiB" in readme
    assert measured.speed is not None
    assert f"{measured.speed.times_faster:.1f} times as long" in readme


def test_the_shipped_network_keeps_its_limits() -> None:
    content = (ROOT / "models" / "slim-96" / "metrics.json").read_bytes()
    measured = msgspec.json.decode(content, type=Assessment)
    size = measured.evaluations[0].size
    assert size.gzip_bytes <= 0.39 * 2**20
    assert size.bytes <= 0.75 * 2**20
    # Measured when it was bundled, on the machine of that day.
    assert measured.speed is not None
    assert measured.speed.times_faster >= 20.0
