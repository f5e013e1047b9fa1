"""What is written on the screen, word by word."""

from dataclasses import replace

from pygame import Surface

from device.diagnoses import CODES
from device.models.manifest import Manifest
from device.screen.renderer import Renderer
from device.screen.view import View
from tests.device.screen.findings import make_finding
from tests.device.screen.states import LIVE, STATES

SIZE = (1024, 600)


def said(manifest: Manifest, drawn: list[str], view: View) -> str:
    """Return all that a view says."""
    drawn.clear()
    Renderer(SIZE, manifest).draw(Surface(SIZE), view)
    return " ".join(drawn)


def test_nobody_is_undecided_between_one_diagnosis(manifest: Manifest, drawn: list[str]) -> None:
    finding = make_finding("mel", 0.55, abstention="uncertain", prediction_set=("mel",))
    words = said(manifest, drawn, replace(LIVE, finding=finding))
    assert "Melanoma is likeliest, but not likely enough." in words
    assert "Undecided" not in words
    two = replace(finding, prediction_set=("mel", "nv"))
    assert "Undecided between: Melanoma, Melanocytic naevus" in said(
        manifest, drawn, replace(LIVE, finding=two)
    )


def test_overlay_says_whether_anything_speaks_for_the_diagnosis(
    manifest: Manifest, drawn: list[str]
) -> None:
    for state, words, scale in (
        ("overlay", "Speaks for: Melanoma", True),
        ("overlay-empty", "Nothing here speaks for: Melanoma", False),
        ("overlay-sought", "Calculating: Melanoma", False),
    ):
        seen = said(manifest, drawn, STATES[state])
        assert words in seen
        assert ("much" in seen) == scale


def test_earlier_picture_of_another_day_says_which_and_how_long_ago(
    manifest: Manifest, drawn: list[str]
) -> None:
    today, other_day = (said(manifest, drawn, STATES[s]) for s in ("compare", "compare-days"))
    assert "Earlier 12:20:07 (2 of 5)" in " ".join(today.split())
    assert "Days ago" not in today
    assert "Earlier 2026-02-11 (2 of 5)" in " ".join(other_day.split())
    assert "Days ago: 21, at 09:05" in other_day


def test_what_another_model_said_is_not_laid_beside_what_this_one_says(
    manifest: Manifest, drawn: list[str]
) -> None:
    same, other = (said(manifest, drawn, STATES[s]) for s in ("compare", "compare-days"))
    assert "Not comparable: judged by paper-28 1.0.0" in other
    assert "Not comparable" not in same
    assert other.count(" – ") == len(CODES)
    assert same.count(" – ") == 0
