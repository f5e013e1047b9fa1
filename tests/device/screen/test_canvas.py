"""A part of the screen is drawn again when, and only when, what it shows has changed."""

from dataclasses import replace

import numpy as np
import pytest
from pygame import Surface

from device.faults import Fault
from device.imaging.quality import Quality
from device.models.manifest import Manifest
from device.screen.layout import arrange
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.view import KeepStatus, PageView, Picture
from tests.device.screen.drawing import SIZES, draw, part, pixels_of, places
from tests.device.screen.findings import make_finding
from tests.device.screen.states import (
    BEFORE,
    HILL,
    LIVE,
    MEASURES,
    MELANOMA,
    NAEVUS,
    NOON,
    OLD_SKIN,
    RING,
    SKIN,
    STATES,
    WEEKS_BEFORE,
)

SIZE = SIZES[1]
POOR = Quality(10.0, 0.5, 0.0, 1.0, ("glare",))
# Leading by 77.51 %: a little less reads 77 %, a little more still 78 %.
CLOSE = make_finding("mel", 0.7751)
FAULT = Fault("the disk is full", "delete something", detail="28")


def change(state: str, **attributes: object) -> tuple[PageView, PageView]:
    return STATES[state], replace(STATES[state], **attributes)


def finding(one: object, **attributes: object) -> tuple[PageView, PageView]:
    return replace(LIVE, finding=one), replace(LIVE, finding=replace(one, **attributes))


def with_probability(leading: float) -> tuple[float, ...]:
    return tuple(leading if p == 0.7751 else p for p in CLOSE.probabilities)


def compared(finding: object) -> PageView:
    return replace(STATES["compare"], present=Picture(NOON, SKIN, finding))


CHANGES = {
    "clock": change("benign", clock=NOON.replace(hour=5)),
    "source": change("benign", source="replay"),
    "language": change("benign", language="es"),
    "field": change("benign", field=OLD_SKIN),
    "overlay": change("overlay", overlay=HILL.T.copy()),
    "overlay that is there": change("overlay", overlay=None),
    "outline": change("overlay", outline=0.9 * RING),
    "overlay wanted": change("overlay", overlay_wanted=False),
    "button that is on": change("benign", overlay_wanted=True),
    "explained": change("overlay", explained="nv"),
    "opacity": change("overlay", opacity=0.3),
    "frozen": change("benign", frozen=NOON),
    "time of the frozen picture": change("frozen", frozen=BEFORE),
    "kept": change("frozen", kept=KeepStatus.NOT_KEPT),
    "lost": change("benign", lost=BEFORE),
    "time of the lost picture": change("lost", lost=WEEKS_BEFORE.replace(second=1)),
    "age": change("stale", finding_age=3.0),
    "stale": change("malignant", finding_age=2.0),
    "finding": change("empty", finding=NAEVUS),
    "leading": finding(CLOSE, probabilities=make_finding("bcc", 0.7751).probabilities),
    "figure": finding(CLOSE, probabilities=with_probability(0.7749)),
    "length": finding(CLOSE, probabilities=with_probability(0.7849)),
    "malignancy": finding(MELANOMA, malignancy=0.5),
    "prediction set": finding(MELANOMA, prediction_set=("mel", "bcc")),
    "abstention": finding(MELANOMA, abstention="uncertain"),
    "reason of no call": finding(
        replace(MELANOMA, abstention="uncertain"), abstention="unfamiliar"
    ),
    "quality": finding(MELANOMA, quality=POOR),
    "shortcoming": finding(
        replace(MELANOMA, quality=POOR), quality=replace(POOR, shortcomings=("moved",))
    ),
    "measures": change("frozen", measures=None),
    "measure": change("frozen", measures=replace(MEASURES, border=6)),
    "progress": change("progress", progress=(4, 8)),
    "progress that is there": change("progress", progress=None),
    "earlier picture": change("compare", earlier=Picture(BEFORE, SKIN, NAEVUS)),
    "earlier time": change("compare", earlier=Picture(WEEKS_BEFORE, OLD_SKIN, NAEVUS)),
    "earlier finding": change("compare", earlier=Picture(BEFORE, OLD_SKIN, MELANOMA)),
    "earlier model": change(
        "compare", earlier=Picture(BEFORE, OLD_SKIN, replace(NAEVUS, model="other 1.0.0"))
    ),
    "number": change("compare", number=1),
    "count": change("compare", count=6),
    "present that is held": change("compare", present=Picture(None, SKIN, MELANOMA)),
    "present that is lost": (
        replace(STATES["compare-lost"], lost=None),
        STATES["compare-lost"],
    ),
    "colour of the conclusion": (
        compared(MELANOMA),
        compared(replace(MELANOMA, abstention="uncertain")),
    ),
    "figure that is compared": (
        compared(CLOSE),
        compared(replace(CLOSE, probabilities=with_probability(0.7749))),
    ),
    "length that is compared": (
        compared(CLOSE),
        compared(replace(CLOSE, probabilities=with_probability(0.7849))),
    ),
    "calibration": change("settings", mm_per_pixel=0.0214),
    "opacity that is set": change("settings-appliance", beside=replace(LIVE, opacity=0.3)),
    "fault of the settings": change("settings", fault=FAULT),
    "appliance": change("settings", appliance=True),
    "fault": change("camera-fault", fault=FAULT),
    "detail": change("analysis-fault", fault=replace(STATES["analysis-fault"].fault, detail="28")),
    "beside the fault": change("camera-fault", beside=LIVE),
    "beside the question": change("power", beside=replace(LIVE, frozen=NOON)),
    "key": change("about", signed_by="ab" * 32),
    "shutter of the about page": change("about", frozen=True),
    **{
        f"focus on {state}: {target}": change(state, focus=target)
        for state, page in (
            ("overlay", PageName.LIVE),
            ("settings-appliance", PageName.SETTINGS),
            ("compare", PageName.COMPARE),
            ("power", PageName.POWER),
            ("about", PageName.ABOUT),
        )
        for target in places(page, arrange(*SIZE))
    },
}


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_changes_is_drawn(manifest: Manifest, what: str) -> None:
    pictures = [draw(manifest, SIZE, view) for view in CHANGES[what]]
    assert (pictures[0] != pictures[1]).any()
    renderer, surface = Renderer(SIZE, manifest), Surface(SIZE)
    for view, expected in zip(CHANGES[what] * 2, pictures * 2, strict=True):
        renderer.draw(surface, view)
        np.testing.assert_array_equal(pixels_of(surface), expected)


def test_what_did_not_change_is_not_drawn_again(manifest: Manifest) -> None:
    renderer, surface = Renderer(SIZE, manifest), Surface(SIZE)
    renderer.draw(surface, LIVE)
    area = arrange(*SIZE).finding
    surface.fill((1, 2, 3), area)
    renderer.draw(surface, replace(LIVE, field=SKIN.copy()))
    assert (part(pixels_of(surface), area) == (1, 2, 3)).all()
