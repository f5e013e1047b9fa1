from dataclasses import replace
from itertools import combinations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygame import Rect, Surface

from device.diagnoses import CODES, MALIGNANT, SCREEN_ORDER, Code
from device.imaging.quality import measure_quality
from device.inference.recommendation import Recommendation
from device.models.manifest import Manifest
from device.models.network_spec import NetworkSpec
from device.screen import theme
from device.screen.layout import arrange
from device.screen.pages.base import Control
from device.screen.pages.live import LiveControl
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.wording import INSTRUCTIONS, MARKS
from tests.device.screen import states
from tests.device.screen.drawing import (
    LIVE,
    NO_CALLS,
    NOON,
    SIZES,
    STATES,
    Pixels,
    Size,
    count,
    differ,
    draw,
    part,
    pixels_of,
    places,
    track,
)
from tests.device.screen.findings import make_finding

probabilities = st.lists(st.floats(0.001, 1), min_size=7, max_size=7).map(
    lambda parts: tuple(p / sum(parts) for p in parts)
)


TRACKS: dict[Size, dict[Code, Rect]] = {size: {} for size in SIZES}


def test_shutter_says_what_it_will_do(manifest: Manifest, size: Size) -> None:
    area = places(PageName.LIVE, arrange(*size))[Control.SHUTTER]
    live, frozen = (part(draw(manifest, size, STATES[s]), area) for s in ("benign", "frozen"))
    assert count(frozen, theme.DARK.touch) > 2 * count(live, theme.DARK.touch)


def test_overlay_target_shows_whether_it_is_on(manifest: Manifest, size: Size) -> None:
    area = places(PageName.LIVE, arrange(*size))[LiveControl.OVERLAY]
    off, on = (part(draw(manifest, size, STATES[s]), area) for s in ("benign", "overlay"))
    assert count(on, theme.DARK.touch) > 2 * count(off, theme.DARK.touch)


def test_malignant_finding_has_its_own_colour(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).finding
    malignant, benign = (
        part(draw(manifest, size, STATES[s]), area) for s in ("malignant", "benign")
    )
    assert count(malignant, theme.DARK.malignant) > 50
    assert count(benign, theme.DARK.malignant) == 0
    assert count(benign, theme.DARK.text) > 50


@pytest.mark.parametrize("state", NO_CALLS)
def test_no_call_is_a_headline_with_its_reason(manifest: Manifest, size: Size, state: str) -> None:
    layout = arrange(*size)
    words = part(draw(manifest, size, STATES[state]), layout.finding)
    headline, reason = words[: layout.px(44)], words[layout.px(44) :]
    assert count(headline, theme.DARK.warning) > 50
    assert count(headline, theme.DARK.malignant) == 0
    assert count(reason, theme.DARK.text) > 50


def test_each_reason_reads_differently(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).finding
    pictures = [draw(manifest, size, STATES[state]) for state in NO_CALLS]
    for one, other in combinations(pictures, 2):
        assert differ(one, other, area)


def test_headline_of_a_no_call_is_as_large_as_any_other(manifest: Manifest, size: Size) -> None:
    layout = arrange(*size)

    def tallest(state: str, colour: theme.Colour) -> int:
        words = part(draw(manifest, size, STATES[state]), layout.finding)[: layout.px(44)]
        rows = np.flatnonzero((words == np.array(colour)).all(axis=2).any(axis=1))
        return int(rows[-1] - rows[0])

    assert tallest("uncertain", theme.DARK.warning) >= 0.9 * tallest(
        "malignant", theme.DARK.malignant
    )


def test_every_malignant_diagnosis_that_is_not_excluded_can_be_read(
    manifest: Manifest, size: Size
) -> None:
    """Two findings that leave open another of them must not look the same."""
    one, other = (
        draw(
            manifest, size,
            replace(LIVE, finding=make_finding("mel", prediction_set=("mel", "vasc", "df", end))),
        )
        for end in ("bcc", "akiec")
    )  # fmt: skip
    panel = arrange(*size).finding.unionall(list(arrange(*size).bars.values()))
    assert differ(one, other, panel)


@pytest.mark.parametrize(("age", "stale"), [(0.0, False), (1.0, False), (1.01, True), (60.0, True)])
def test_finding_older_than_a_second_fades(
    unmarked: Manifest, size: Size, age: float, stale: bool
) -> None:
    layout = arrange(*size)
    view = replace(STATES["malignant"], finding_age=age)
    pixels = draw(unmarked, size, view)
    assert (count(part(pixels, layout.finding), theme.DARK.malignant) == 0) == stale
    bar = part(pixels, track(unmarked, size, "mel"))
    assert (count(bar, theme.DARK.quiet) > 0) == stale
    assert (count(bar, theme.DARK.malignant) == 0) == stale


@pytest.mark.parametrize("state", NO_CALLS)
def test_no_call_older_than_a_second_fades_too(manifest: Manifest, size: Size, state: str) -> None:
    old = replace(STATES[state], finding_age=5.0)
    area = arrange(*size).finding
    assert differ(draw(manifest, size, old), draw(manifest, size, STATES[state]), area)


@pytest.mark.parametrize("size", SIZES, ids=str)
@given(probabilities=probabilities, called=st.booleans())
@settings(max_examples=20)
def test_bars_are_filled_by_their_probabilities(
    unmarked: Manifest, size: Size, probabilities: tuple[float, ...], called: bool
) -> None:
    doubt = None if called else "uncertain"
    finding = make_finding(probabilities=probabilities, abstention=doubt)
    pixels = draw(unmarked, size, replace(LIVE, finding=finding))
    for code, probability in zip(CODES, probabilities, strict=True):
        bar = TRACKS[size].get(code) or track(unmarked, size, code)
        TRACKS[size][code] = bar
        row = pixels[bar.centery : bar.centery + 1, bar.left : bar.right]
        full = theme.DARK.malignant if code in MALIGNANT else theme.DARK.benign
        leads = called and code == finding.leading
        filled = count(row, full) + (count(row, theme.DARK.text) if leads else 0)
        assert filled == pytest.approx(probability * bar.width, abs=0.51)
        assert filled + count(row, theme.DARK.surface) == bar.width


def test_bar_begins_at_its_left_end(unmarked: Manifest, size: Size) -> None:
    pixels = draw(unmarked, size, STATES["uncertain"])
    bar = track(unmarked, size, "mel")
    filled = (pixels[bar.centery, bar.left : bar.right] == np.array(theme.DARK.malignant)).all(
        axis=1
    )
    assert filled[: round(0.4 * bar.width) - 1].all()
    assert not filled[round(0.4 * bar.width) + 1 :].any()


def test_leading_diagnosis_is_marked_where_there_is_a_call(unmarked: Manifest, size: Size) -> None:
    areas = arrange(*size).bars
    finding = make_finding("bkl", 0.6)
    called = draw(unmarked, size, replace(LIVE, finding=finding))
    not_called = draw(
        unmarked, size, replace(LIVE, finding=replace(finding, abstention="uncertain"))
    )
    marked = [code for code in SCREEN_ORDER if differ(called, not_called, areas[code])]
    assert marked == ["bkl"]


def test_malignant_diagnoses_have_a_sign(manifest: Manifest, size: Size) -> None:
    pixels = draw(manifest, size, STATES["empty"])
    for code, area in arrange(*size).bars.items():
        assert (count(part(pixels, area), theme.DARK.malignant) > 10) == (code in MALIGNANT)


def ticked(spec: NetworkSpec, *thresholds: float) -> NetworkSpec:
    """Return a network with these operating points of melanoma, and one of the group."""
    points = tuple(
        msgspec.structs.replace(
            spec.operating_points[0],
            name=f"{score}-{threshold}",
            score=score,
            threshold=threshold,
        )
        for score, threshold in (*(("mel", t) for t in thresholds), ("malignant", 0.5))
    )
    mixes = (msgspec.structs.replace(mix, operating_points=points) for mix in spec.case_mixes)
    return msgspec.structs.replace(spec, operating_points=points, case_mixes=tuple(mixes))


def assert_ticks(pixels: Pixels, size: Size, bar: Rect, *thresholds: float) -> None:
    """Assert that there are ticks at these shares of a bar and nowhere else."""
    row = pixels[bar.centery, bar.left : bar.right]
    columns = np.flatnonzero((row == np.array(theme.DARK.text)).all(axis=1))
    thick = arrange(*size).px(2)
    seen = set()
    for column in columns:
        (near,) = (t for t in thresholds if abs(column - t * bar.width) <= thick)
        seen.add(near)
    assert seen == set(thresholds)


def test_tick_stands_at_each_operating_point_of_melanoma(
    manifest: Manifest, unmarked: Manifest, size: Size
) -> None:
    marked = msgspec.structs.replace(manifest, live=ticked(manifest.live, 0.3, 0.7))
    pixels = draw(marked, size, STATES["empty"])
    assert_ticks(pixels, size, track(unmarked, size, "mel"), 0.3, 0.7)
    for code in ("bcc", "nv"):
        other = track(unmarked, size, code)
        assert (part(pixels, other) == np.array(theme.DARK.surface)).all()


def test_ticks_are_those_of_the_network_that_answered(
    manifest: Manifest, unmarked: Manifest, size: Size
) -> None:
    captured = msgspec.structs.replace(ticked(manifest.live, 0.4, 0.8), file="captured.tflite")
    live = ticked(manifest.live, 0.3, 0.7)
    marked = msgspec.structs.replace(manifest, live=live, captured=captured)
    bar = track(unmarked, size, "mel")
    for as_captured, thresholds in ((False, (0.3, 0.7)), (True, (0.4, 0.8))):
        finding = replace(make_finding("nv"), as_captured=as_captured)
        pixels = draw(marked, size, replace(LIVE, finding=finding))
        assert_ticks(pixels, size, bar, *thresholds)
    # One renderer, from the live view to a captured picture.
    renderer, surface = Renderer(size, marked), Surface(size)
    for as_captured, thresholds in ((False, (0.3, 0.7)), (True, (0.4, 0.8)), (False, (0.3, 0.7))):
        finding = replace(make_finding("nv"), as_captured=as_captured)
        renderer.draw(surface, replace(LIVE, finding=finding))
        assert_ticks(pixels_of(surface), size, bar, *thresholds)


@pytest.mark.parametrize("shortcoming", INSTRUCTIONS)
def test_shortcoming_marks_its_own_place(manifest: Manifest, size: Size, shortcoming: str) -> None:
    area = arrange(*size).quality
    view = replace(LIVE, finding=make_finding(shortcomings=(shortcoming,)))
    pixels = part(draw(manifest, size, view), area)
    marks = pixels[: arrange(*size).px(34)]
    step = area.width / len(MARKS)
    bad = [
        name
        for i, (name, _) in enumerate(MARKS)
        if count(marks[:, round(i * step) : round((i + 1) * step)], theme.DARK.warning)
    ]
    assert bad == [name for name, shortcomings in MARKS if shortcoming in shortcomings]
    assert count(pixels[arrange(*size).px(34) :], theme.DARK.warning) > 30


def test_every_shortcoming_has_an_instruction_of_its_own(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).quality
    pictures = [
        draw(manifest, size, replace(LIVE, finding=make_finding(shortcomings=(shortcoming,))))
        for shortcoming in INSTRUCTIONS
    ]
    for one, other in combinations(pictures, 2):
        assert differ(one, other, area)


def test_several_shortcomings_are_all_marked_and_the_first_is_told(
    manifest: Manifest, size: Size
) -> None:
    layout = arrange(*size)
    both, first = (
        part(
            draw(manifest, size, replace(LIVE, finding=make_finding(shortcomings=s))),
            layout.quality,
        )
        for s in (("too-dark", "out-of-focus"), ("too-dark",))
    )
    marks = layout.px(34)
    assert count(both[:marks], theme.DARK.warning) > count(first[:marks], theme.DARK.warning)
    np.testing.assert_array_equal(both[marks:], first[marks:])


def test_good_picture_has_no_warning(manifest: Manifest, size: Size) -> None:
    assert count(draw(manifest, size, LIVE), theme.DARK.warning) == 0


def test_clock_and_source_are_in_the_status_line(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).status
    others = [replace(LIVE, clock=NOON.replace(minute=35)), replace(LIVE, clock=None)]
    if size[0] > size[1]:  # in portrait the source gives way to the notice
        others.append(replace(LIVE, source="replay"))
    for other in others:
        assert differ(draw(manifest, size, other), draw(manifest, size, LIVE), area)


@pytest.mark.parametrize("state", ["unfamiliar", "low-quality"])
def test_what_cannot_be_judged_is_no_ranking(unmarked: Manifest, size: Size, state: str) -> None:
    pixels, empty = (draw(unmarked, size, STATES[s]) for s in (state, "empty"))
    for area in arrange(*size).bars.values():
        assert not differ(pixels, empty, area)


def test_poor_picture_that_reaches_a_threshold_shows_grey_bars(
    unmarked: Manifest, size: Size
) -> None:
    finding = replace(STATES["low-quality"].finding, recommendation=Recommendation.NOT_EXCLUDED)
    pixels = draw(unmarked, size, replace(LIVE, finding=finding))
    good = draw(unmarked, size, STATES["malignant"])
    area = arrange(*size).bars[Code.MEL]
    bar = part(pixels, track(unmarked, size, Code.MEL))
    assert count(bar, theme.DARK.quiet) > 0.5 * bar.shape[0] * bar.shape[1]
    assert count(bar, theme.DARK.malignant) == 0
    # Nothing leads where no call is made.
    assert differ(pixels, good, area)
    assert count(part(pixels, area), theme.DARK.text) == 0


def test_black_picture_ticks_nothing(manifest: Manifest, size: Size) -> None:
    layout = arrange(*size)
    black = measure_quality(np.zeros((300, 300, 3), np.uint8), manifest.quality)
    unlit = draw(manifest, size, replace(LIVE, finding=replace(LIVE.finding, quality=black)))
    empty = draw(manifest, size, STATES["empty"])
    dark = draw(manifest, size, replace(LIVE, finding=make_finding(shortcomings=("too-dark",))))
    step = layout.quality.width / len(MARKS)
    for i, (_, shortcomings) in enumerate(MARKS):
        left = layout.quality.left + round(i * step)
        mark = Rect(left, layout.quality.top, layout.px(20), layout.px(28))
        told = bool(shortcomings.intersection(black.shortcomings))
        # The ring of what is not known, or the triangle of what is wrong.
        assert differ(unlit, empty, mark) == told
        if not told and "too-dark" not in shortcomings:
            assert differ(unlit, dark, mark)


def test_uncertain_names_what_it_is_undecided_between(manifest: Manifest, size: Size) -> None:
    one, other = (
        draw(manifest, size, replace(LIVE, finding=make_finding(
            "mel", 0.4, abstention="uncertain", prediction_set=open_)))
        for open_ in (("mel", "nv"), ("mel", "bkl"))
    )  # fmt: skip
    assert differ(one, other, arrange(*size).finding)


def test_measures_are_shown_of_a_frozen_good_picture_alone(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).quality
    for view, shown in (
        (replace(LIVE, frozen=NOON), True),
        (LIVE, False),
        (replace(STATES["low-quality"], frozen=NOON), False),
    ):
        bare = draw(manifest, size, view)
        measured = draw(manifest, size, replace(view, measures=states.MEASURES))
        assert differ(bare, measured, area) == shown


@pytest.mark.parametrize(("progress", "share"), [((0, 0), 0.0), ((4, 8), 0.5), ((8, 8), 1.0)])
def test_progress_is_a_bar_with_words(
    manifest: Manifest, size: Size, progress: tuple[int, int], share: float
) -> None:
    area = arrange(*size).quality
    view = replace(LIVE, progress=progress)
    pixels = part(draw(manifest, size, view), area)
    row_of_bar = pixels[-arrange(*size).px(9)]
    assert count(row_of_bar[None], theme.DARK.text) == pytest.approx(share * area.width, abs=1)
    other = replace(view, progress=(3, 8))
    assert differ(draw(manifest, size, other), draw(manifest, size, view), area)
