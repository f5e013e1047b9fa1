from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.capture.demo import SCENES, demo_frame
from device.demo_screenshots import write_demo_screenshots
from device.inference.analyzer import Analyzer
from device.inference.recommendation import Recommendation

REFERENCE = Path(__file__).parent / "screen" / "reference" / "demo-1024x600.png"


def test_demonstration_draws_every_scene_as_the_readme_shows_it(
    tmp_path: Path, analyzer: Analyzer, capsys: pytest.CaptureFixture[str]
) -> None:
    write_demo_screenshots(tmp_path, analyzer)
    pictures = sorted(tmp_path.glob("*.png"))
    assert [p.name for p in pictures] == [f"screen-{i + 1}.png" for i in range(len(SCENES))]
    assert capsys.readouterr().out.count("Melanoma") >= len(SCENES)
    drawn = np.asarray(Image.open(tmp_path / "screen-9.png"), dtype=int)
    expected = np.asarray(Image.open(REFERENCE).convert("RGB"), dtype=int)
    assert drawn.shape == expected.shape
    # Another processor may round a resized pixel by one.
    assert (np.abs(drawn - expected) > 8).mean() < 0.01, f"copy {pictures[8]} to {REFERENCE}"


def test_demonstration_shows_everything_that_a_finding_can_ask_for(analyzer: Analyzer) -> None:
    findings = [analyzer.analyze(demo_frame(scene)) for scene in SCENES]
    called = {finding.recommendation for finding in findings if finding.no_call is None}
    assert called >= set(Recommendation)
    assert any(finding.no_call is not None for finding in findings)
