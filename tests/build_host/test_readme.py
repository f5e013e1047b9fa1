"""What the guides say of the shipped models is what was measured of them."""

from pathlib import Path

import msgspec
import pytest

from build_host.evaluation.assessment import Assessment
from build_host.evaluation.comparison import PEER_FIGURES
from device.models.manifest import Interval

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def guide() -> str:
    return (ROOT / "docs" / "model-builder.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shipped() -> Assessment:
    return measured("multicentre")


def measured(name: str) -> Assessment:
    content = (ROOT / "models" / name / "metrics.json").read_bytes()
    return msgspec.json.decode(content, type=Assessment)


def told(figure: Interval) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def test_the_guide_repeats_the_cards_figures(guide: str, shipped: Assessment) -> None:
    paper = measured("paper-28")
    live, captured, rival = shipped.evaluations[0], shipped.evaluations[1], paper.evaluations[0]
    for figure in PEER_FIGURES:
        row = " | ".join(told(e.figures[figure]) for e in (captured, live, rival))
        assert f"| {row} |" in guide
    elsewhere = [e for a in (shipped, paper) for e in a.evaluations if "ISIC 2017" in e.protocol]
    assert f"| {' | '.join(told(e.figures['melanoma_auc']) for e in elsewhere)} |" in guide
    for evaluation in (captured, live, rival):
        size = evaluation.size
        assert f"| {size.bytes / 2**20:.3f} MiB, {size.gzip_bytes / 2**20:.3f} MiB " in guide
    assert shipped.speed is not None
    assert shipped.captured_speed is not None
    assert paper.speed is not None
    assert (
        f"| {shipped.captured_speed.times_faster:.2f} times (one pass of eight) "
        f"| {shipped.speed.times_faster:.1f} times | {paper.speed.times_faster:.1f} times |"
    ) in guide


@pytest.mark.parametrize("network", ["captured", "live"])
def test_the_guide_repeats_what_was_measured_at_each_source(
    guide: str, shipped: Assessment, network: str
) -> None:
    rows = [row for row in shipped.sources if row.network == network]
    assert len(rows) == 3
    for figure in ("malignant_auc", "melanoma_auc", "balanced_accuracy_as_if_equally_common"):
        assert f"| {' | '.join(told(row.figures[figure]) for row in rows)} |" in guide
    assert " | ".join(f"{row.coverage:.3f}" for row in rows) in guide


def test_the_readme_repeats_some_of_them(shipped: Assessment) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [row for row in shipped.sources if row.network == "captured"]
    for figure in ("malignant_auc", "melanoma_auc", "balanced_accuracy_as_if_equally_common",
                   "expected_calibration_error"):  # fmt: skip
        assert f"| {' | '.join(told(row.figures[figure]) for row in rows)} |" in readme
    assert f"| {' | '.join(f'{row.coverage:.3f}' for row in rows)} |" in readme


def test_the_shipped_networks_keep_their_limits(shipped: Assessment) -> None:
    live, captured = (e.size for e in shipped.evaluations[:2])
    assert live.gzip_bytes <= 0.39 * 2**20
    assert live.bytes <= 0.75 * 2**20
    assert captured.bytes <= 6 * 2**20
    # Measured when it was bundled, on the machine of that day.
    assert shipped.speed is not None
    assert shipped.captured_speed is not None
    assert shipped.speed.times_faster >= 20.0
    assert shipped.captured_speed.times_faster >= 1 / 1.5
