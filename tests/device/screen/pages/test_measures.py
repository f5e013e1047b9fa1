"""The ABCD rule's figures, in its own units."""

from dataclasses import replace

import pytest
from pygame import Surface

from device.models.manifest import Manifest
from device.screen.events import Touch
from device.screen.navigation import step
from device.screen.pages.measures import MeasuresPage, MeasuresView, Structures
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.state import State
from tests.device.screen.states import FROZEN, LIVE, MEASURES, STATES

SIZE = (1024, 600)


def said(manifest: Manifest, drawn: list[str], view: MeasuresView) -> str:
    drawn.clear()
    Renderer(SIZE, manifest).draw(Surface(SIZE), view)
    return " ".join(drawn)


def test_figures_are_told_in_the_rules_units_with_what_they_are_of(
    manifest: Manifest, drawn: list[str]
) -> None:
    seen = said(manifest, drawn, STATES["measures"])
    assert "Asymmetry: 1 of 2 (shape, colour)" in seen
    assert "Border: 5 of 8" in seen
    assert "Colours: 3 of 6 (light brown, dark brown, black)" in seen
    assert "Diameter: 6.2 mm" in seen
    bare = replace(FROZEN, measures=replace(MEASURES, diameter_mm=None, border=None))
    seen = said(manifest, drawn, MeasuresView(bare, 4))
    assert "Diameter: not calibrated" in seen
    assert "Border: –" in seen
    assert "The rule's total score: –" in seen


def test_total_needs_the_clinicians_count_and_is_marked_as_the_rules(
    manifest: Manifest, drawn: list[str]
) -> None:
    # 1.3 of asymmetry, 0.5 of the border, 1.5 of colours, 2 of structures.
    assert "The rule's total score: 5.30" in said(manifest, drawn, STATES["measures"])
    uncounted = said(manifest, drawn, MeasuresView(FROZEN))
    assert "The rule's total score: –" in uncounted
    for seen in (uncounted, said(manifest, drawn, STATES["measures"])):
        assert "Limits of the rule, not of this instrument" in seen
        assert "benign below 4.75, melanoma above 5.45" in seen


def test_nothing_is_told_of_a_picture_that_is_not_held(
    manifest: Manifest, drawn: list[str]
) -> None:
    live = replace(LIVE, measures=MEASURES)
    seen = said(manifest, drawn, MeasuresView(live, 4))
    assert "Asymmetry" not in seen
    assert "Capture a lesion" in seen


@pytest.mark.parametrize(("target", "count"), zip(Structures, range(1, 6), strict=True))
def test_structures_are_counted_by_touch_and_taken_back(target: Structures, count: int) -> None:
    start = State(PageName.MEASURES, frozen=True)
    counted, command = step(start, Touch(target))
    assert (counted.page_state, command) == (count, None)
    again, _ = step(counted, Touch(target))
    assert again.page_state is None
    assert set(Structures) <= set(MeasuresPage.targets(start))
