"""What the overlay's legend says, and that there is a map only where one may be read."""

from dataclasses import replace

import msgspec
import pytest

from device.models.manifest import CAPTURED_FILE, Manifest
from device.screen.layout import arrange
from device.screen.legend import evidence
from device.screen.pages.fault import FaultPage
from device.screen.pages.live import LegendControl, LivePage
from device.screen.state import State
from device.screen.view import LiveView
from tests.device.screen.drawing import LIVE, NO_CALLS, SIZES, SPOT, STATES, differ, draw
from tests.device.screen.findings import make_finding

MELANOMA = replace(STATES["malignant"], overlay_wanted=True, explained="mel")


def words(drawn: list[str], manifest: Manifest, view: LiveView) -> str:
    drawn.clear()
    draw(manifest, SIZES[0], view)
    return " ".join(drawn)


def alone(manifest: Manifest) -> Manifest:
    """Return a manifest of one network, which captured pictures have too."""
    return msgspec.structs.replace(manifest, captured=None, similar_cases=None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"overlay": SPOT}, "Points to: Melanoma"),
        ({"overlay": 0 * SPOT}, "Nothing here points to: Melanoma"),
        ({"overlay": None}, "Calculating: Melanoma"),
        ({"overlay": None, "explained": "vasc"}, "Too unlikely for an overlay: Vascular lesion"),
    ],
)
def test_legend_says_what_the_map_tells_or_why_there_is_none(
    manifest: Manifest, drawn: list[str], change: dict[str, object], said: str
) -> None:
    assert said in words(drawn, alone(manifest), replace(MELANOMA, **change))


@pytest.mark.parametrize("state", NO_CALLS)
def test_there_is_no_map_where_no_call_is_made(
    manifest: Manifest, drawn: list[str], state: str
) -> None:
    view = replace(STATES[state], overlay_wanted=True, explained="mel")
    assert not view.finding.explainable("mel")
    assert "No overlay where no call is made" in words(drawn, manifest, view)


def test_a_diagnosis_that_is_excluded_has_no_map() -> None:
    finding = make_finding("nv", prediction_set=("nv", "bkl"))
    assert [code for code in ("nv", "bkl", "mel") if finding.explainable(code)] == ["nv", "bkl"]
    view = replace(LIVE, finding=finding, overlay_wanted=True)
    assert evidence(view, "mel") == "unlikely"
    assert evidence(view, "nv") == "sought"


def test_map_of_the_live_view_is_called_an_estimate_where_captures_have_another_network(
    manifest: Manifest, drawn: list[str]
) -> None:
    one = alone(manifest)
    own = msgspec.structs.replace(one.live, file=CAPTURED_FILE)
    both = msgspec.structs.replace(one, captured=own)
    live = replace(MELANOMA, overlay=SPOT)
    assert "Live estimate: Melanoma" in words(drawn, both, live)
    held = words(drawn, both, replace(live, frozen=live.clock))
    assert "Points to: Melanoma" in held
    assert "estimate" not in held
    assert "estimate" not in words(drawn, one, live)


def test_legend_takes_the_place_of_the_quality_marks_and_gives_way_to_progress(
    manifest: Manifest,
) -> None:
    layout = arrange(*SIZES[0])
    plain = draw(manifest, SIZES[0], STATES["malignant"])
    legend = draw(manifest, SIZES[0], MELANOMA)
    assert differ(plain, legend, layout.quality)
    assert not differ(plain, legend, layout.field)
    busy = replace(STATES["malignant"], progress=(3, 8))
    assert not differ(
        draw(manifest, SIZES[0], busy),
        draw(manifest, SIZES[0], replace(MELANOMA, progress=(3, 8))),
        layout.quality,
    )


def test_legend_has_no_targets_where_a_fault_stands_in_its_place() -> None:
    shown = State(overlay=True)
    assert LegendControl.NEXT in LivePage.targets(shown)
    assert LegendControl.NEXT not in FaultPage.targets(shown)
