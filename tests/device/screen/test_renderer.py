from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations

import msgspec
import numpy as np
import pygame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pygame import Rect, Surface

from device.diagnoses import CODES, MALIGNANT, SCREEN_ORDER, Code
from device.inference.manifest import Manifest
from device.screen import theme
from device.screen.layout import Layout, arrange
from device.screen.renderer import INSTRUCTIONS, MARKS, Renderer, percent
from device.screen.view import View
from tests.device.screen.findings import make_finding

Pixels = NDArray[np.uint8]
Size = tuple[int, int]

SIZES: list[Size] = [(1024, 600), (800, 480), (600, 1024)]
NOON = datetime(2026, 3, 4, 12, 34, 56, tzinfo=UTC)
SKIN = np.full((300, 300, 3), (190, 130, 110), np.uint8)
SPOT = np.zeros((28, 28), np.float32)
SPOT[10:16, 12:20] = 1.0

LIVE = View(SKIN, make_finding("nv"), clock=NOON, source="demo")
STATES = {
    "empty": View(None, clock=NOON, source="demo"),
    "benign": LIVE,
    "malignant": replace(LIVE, finding=make_finding("mel")),
    "low-quality": replace(LIVE, finding=make_finding("mel", shortcomings=("glare",))),
    "uncertain": replace(LIVE, finding=make_finding("mel", 0.4, doubt="uncertain")),
    "unfamiliar": replace(LIVE, finding=make_finding("mel", 0.4, doubt="unfamiliar")),
    "frozen": replace(LIVE, frozen=NOON),
    "overlay": replace(LIVE, overlay=SPOT, overlay_wanted=True, explained="mel"),
    "trouble": replace(LIVE, trouble="The camera was unplugged; plug it in again"),
    "stale": replace(LIVE, finding_age=2.0),
}
NO_CALLS = ["low-quality", "uncertain", "unfamiliar"]


@pytest.fixture(params=SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def size(request: pytest.FixtureRequest) -> Size:
    return request.param


@pytest.fixture(scope="session")
def unmarked(manifest: Manifest) -> Manifest:
    """The shipped manifest without operating points: bars without ticks."""
    return msgspec.structs.replace(manifest, operating_points=())


def draw(manifest: Manifest, size: Size, view: View, language: str = "en") -> Pixels:
    surface = Surface(size)
    Renderer(size, manifest, language).draw(surface, view)
    return pixels_of(surface)


def pixels_of(surface: Surface) -> Pixels:
    return pygame.surfarray.array3d(surface).transpose(1, 0, 2)


def part(pixels: Pixels, area: Rect) -> Pixels:
    return pixels[area.top : area.bottom, area.left : area.right]


def count(pixels: Pixels, colour: theme.Colour) -> int:
    return int((pixels == np.array(colour)).all(axis=2).sum())


def track(manifest: Manifest, size: Size, code: Code) -> Rect:
    """Return where a bar can be filled: what is drawn of it when there is no finding."""
    area = arrange(*size).bars[code]
    empty = part(draw(manifest, size, STATES["empty"]), area)
    rows = np.flatnonzero((empty == np.array(theme.SURFACE)).all(axis=2).all(axis=1))
    assert len(rows) >= 3
    return Rect(area.left, area.top + int(rows[0]), area.width, len(rows))


def differ(one: Pixels, other: Pixels, area: Rect) -> bool:
    return bool((part(one, area) != part(other, area)).any())


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_drawn_outside_the_parts(manifest: Manifest, size: Size, state: str) -> None:
    wider = Surface((size[0] + 80, size[1] + 80))
    Renderer(size, manifest).draw(wider, STATES[state])
    left = pixels_of(wider)
    layout = arrange(*size)
    for area in (
        layout.field,
        layout.finding,
        layout.rule,
        layout.quality,
        layout.status,
        *layout.bars.values(),
        *layout.targets.values(),
    ):
        part(left, area)[:] = theme.BACKGROUND
    rows, columns = np.nonzero((left != np.array(theme.BACKGROUND)).any(axis=2))
    assert list(zip(columns.tolist(), rows.tolist(), strict=True))[:5] == []


@pytest.mark.parametrize("state", STATES)
def test_every_part_has_something_in_it(manifest: Manifest, size: Size, state: str) -> None:
    pixels, layout = draw(manifest, size, STATES[state]), arrange(*size)
    areas = [layout.field, layout.finding, layout.status, *layout.targets.values()]
    if state != "trouble":
        areas += [layout.rule, layout.quality, *layout.bars.values()]
    for area in areas:
        assert (part(pixels, area) != np.array(theme.BACKGROUND)).any()


def test_every_state_looks_different(manifest: Manifest, size: Size) -> None:
    pictures = {name: draw(manifest, size, view) for name, view in STATES.items()}
    for (name, one), (other_name, other) in combinations(pictures.items(), 2):
        assert (one != other).any(), f"{name} looks like {other_name}"


def test_drawing_again_gives_the_same_picture(manifest: Manifest) -> None:
    size = SIZES[0]
    renderer, surface = Renderer(size, manifest), Surface(size)
    for view in STATES.values():
        renderer.draw(surface, view)
        np.testing.assert_array_equal(pixels_of(surface), draw(manifest, size, view))


def test_skin_keeps_its_colours_in_rgb_order(manifest: Manifest, size: Size) -> None:
    field = part(draw(manifest, size, LIVE), arrange(*size).field)
    assert (field == (190, 130, 110)).all()


def test_field_is_upright_and_not_mirrored(manifest: Manifest, size: Size) -> None:
    skin = SKIN.copy()
    skin[:100, 200:] = (10, 20, 30)
    field = part(draw(manifest, size, replace(LIVE, field=skin)), arrange(*size).field)
    side = field.shape[0]
    assert field[side // 8, side * 7 // 8].tolist() == [10, 20, 30]
    assert field[side * 7 // 8, side // 8].tolist() == [190, 130, 110]


def test_overlay_changes_the_field_where_the_map_is_high(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).field
    plain, heated = (part(draw(manifest, size, STATES[s]), area) for s in ("benign", "overlay"))
    changed = (plain != heated).any(axis=2)
    side = area.width
    assert changed[side * 13 // 28, side * 16 // 28]
    legend = arrange(*size).px(34)
    assert not changed[: side // 4].any()
    assert not changed[side * 3 // 4 : side - legend].any()
    assert changed[side - legend :].any()


def test_overlay_is_bounded_by_a_contour(manifest: Manifest, size: Size) -> None:
    field = part(draw(manifest, size, STATES["overlay"]), arrange(*size).field)
    plain = part(draw(manifest, size, LIVE), arrange(*size).field)
    white = (field >= 220).all(axis=2)
    legend = arrange(*size).px(34)
    assert white[:-legend].sum() > 40
    assert not (plain >= 220).all(axis=2).any()


def test_overlay_that_was_not_asked_for_is_not_drawn(manifest: Manifest, size: Size) -> None:
    view = replace(STATES["overlay"], overlay_wanted=False)
    area = arrange(*size).field
    assert (part(draw(manifest, size, view), area) == part(draw(manifest, size, LIVE), area)).all()


def test_overlay_that_is_not_there_yet_draws_nothing_on_the_skin(
    manifest: Manifest, size: Size
) -> None:
    view = replace(STATES["overlay"], overlay=None)
    assert not differ(draw(manifest, size, view), draw(manifest, size, LIVE), arrange(*size).field)


def test_opacity_of_the_overlay_is_that_of_the_view(manifest: Manifest) -> None:
    size = SIZES[0]
    area = arrange(*size).field
    y, x = area.top + area.height * 13 // 28, area.left + area.width * 16 // 28
    faint, strong = (
        draw(manifest, size, replace(STATES["overlay"], opacity=o))[y, x].astype(int)
        for o in (0.1, 0.9)
    )
    skin = np.array([190, 130, 110])
    assert 0 < np.abs(faint - skin).sum() < np.abs(strong - skin).sum()


def test_new_map_is_drawn_in_place_of_the_old(manifest: Manifest) -> None:
    size = SIZES[0]
    renderer, surface = Renderer(size, manifest), Surface(size)
    renderer.draw(surface, STATES["overlay"])
    before = pixels_of(surface)
    renderer.draw(surface, replace(STATES["overlay"], overlay=SPOT.T.copy()))
    assert differ(before, pixels_of(surface), arrange(*size).field)


def test_legend_names_the_diagnosis_that_is_explained(manifest: Manifest, size: Size) -> None:
    layout = arrange(*size)
    legend = Rect(layout.field.left, 0, layout.field.width, layout.px(34))
    legend.bottom = layout.field.bottom
    melanoma, naevus = (
        draw(manifest, size, replace(STATES["overlay"], explained=c)) for c in ("mel", "nv")
    )
    assert differ(melanoma, naevus, legend)
    for code in ("mel", "nv"):
        assert differ(melanoma, naevus, layout.bars[code])


def test_frozen_view_has_a_border_on_every_side_and_its_time(
    manifest: Manifest, size: Size
) -> None:
    layout = arrange(*size)
    field = part(draw(manifest, size, STATES["frozen"]), layout.field)
    touch = np.array(theme.TOUCH)
    middle = field.shape[0] // 2
    for edge in (field[middle, 0], field[middle, -1], field[-1, middle], field[0, -5]):
        assert (edge == touch).all()
    inner = field[layout.px(40) : -layout.px(8), layout.px(8) : -layout.px(8)]
    assert (inner == (190, 130, 110)).all()
    later = replace(STATES["frozen"], frozen=NOON.replace(second=57))
    assert differ(draw(manifest, size, later), draw(manifest, size, STATES["frozen"]), layout.field)


def test_shutter_says_what_it_will_do(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).targets["shutter"]
    live, frozen = (part(draw(manifest, size, STATES[s]), area) for s in ("benign", "frozen"))
    assert count(frozen, theme.TOUCH) > 2 * count(live, theme.TOUCH)


def test_overlay_target_shows_whether_it_is_on(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).targets["overlay"]
    off, on = (part(draw(manifest, size, STATES[s]), area) for s in ("benign", "overlay"))
    assert count(on, theme.TOUCH) > 2 * count(off, theme.TOUCH)


def test_malignant_finding_has_its_own_colour(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).finding
    malignant, benign = (
        part(draw(manifest, size, STATES[s]), area) for s in ("malignant", "benign")
    )
    assert count(malignant, theme.MALIGNANT) > 50
    assert count(benign, theme.MALIGNANT) == 0
    assert count(benign, theme.TEXT) > 50


@pytest.mark.parametrize("state", NO_CALLS)
def test_no_call_is_a_headline_with_its_reason(manifest: Manifest, size: Size, state: str) -> None:
    layout = arrange(*size)
    words = part(draw(manifest, size, STATES[state]), layout.finding)
    headline, reason = words[: layout.px(44)], words[layout.px(44) :]
    assert count(headline, theme.WARNING) > 50
    assert count(headline, theme.MALIGNANT) == 0
    assert count(reason, theme.TEXT) > 50


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

    assert tallest("uncertain", theme.WARNING) >= 0.9 * tallest("malignant", theme.MALIGNANT)


@pytest.mark.parametrize("last", [("bcc", "akiec"), ("vasc", "df")])
def test_every_diagnosis_that_is_not_excluded_can_be_read(
    manifest: Manifest, size: Size, last: tuple[Code, Code]
) -> None:
    """Two findings that leave open another sixth diagnosis must not look the same."""
    first = tuple(code for code in ("mel", "nv", "bkl", "bcc", "akiec", "df", "vasc"))
    first = tuple(code for code in first if code not in last)
    one, other = (
        draw(
            manifest, size, replace(LIVE, finding=make_finding("mel", prediction_set=(*first, end)))
        )
        for end in last
    )
    panel = arrange(*size).finding.unionall(list(arrange(*size).bars.values()))
    assert differ(one, other, panel)


def test_low_quality_shows_no_numbers(unmarked: Manifest, size: Size) -> None:
    pixels, empty = (draw(unmarked, size, STATES[s]) for s in ("low-quality", "empty"))
    for area in arrange(*size).bars.values():
        assert not differ(pixels, empty, area)


def test_trouble_shows_no_finding(unmarked: Manifest, size: Size) -> None:
    layout = arrange(*size)
    pixels = draw(unmarked, size, STATES["trouble"])
    for area in layout.bars.values():
        assert count(part(pixels, area), theme.MALIGNANT) == 0
        assert count(part(pixels, area), theme.BENIGN) < 20
    words = part(pixels, layout.finding)
    assert count(words[: layout.px(44)], theme.WARNING) > 50
    assert count(words[layout.px(44) :], theme.TEXT) > 50


def test_trouble_says_what_it_is(manifest: Manifest, size: Size) -> None:
    other = replace(STATES["trouble"], trouble="The disk is full; delete something")
    area = arrange(*size).finding
    assert differ(draw(manifest, size, other), draw(manifest, size, STATES["trouble"]), area)


@pytest.mark.parametrize(
    "words", ["x" * 3000, "word " * 600, "name \udcff\udcfe.png", "bell \x07 esc \x1b[31m", "\n\n"]
)
def test_trouble_may_hold_anything(manifest: Manifest, words: str) -> None:
    size = SIZES[1]
    pixels = draw(manifest, size, replace(STATES["trouble"], trouble=words))
    assert count(part(pixels, arrange(*size).finding), theme.WARNING) > 50


def test_empty_view_keeps_the_place_of_the_field(manifest: Manifest, size: Size) -> None:
    field = part(draw(manifest, size, STATES["empty"]), arrange(*size).field)
    assert (field[0] == np.array(theme.SURFACE)).all()
    assert (field[:, -1] == np.array(theme.SURFACE)).all()
    assert (field[20:-20, 20:-20] == np.array(theme.BACKGROUND)).all()


@pytest.mark.parametrize(("age", "stale"), [(0.0, False), (1.0, False), (1.01, True), (60.0, True)])
def test_finding_older_than_a_second_fades(
    unmarked: Manifest, size: Size, age: float, stale: bool
) -> None:
    layout = arrange(*size)
    view = replace(STATES["malignant"], finding_age=age)
    pixels = draw(unmarked, size, view)
    assert (count(part(pixels, layout.finding), theme.MALIGNANT) == 0) == stale
    bar = part(pixels, track(unmarked, size, "mel"))
    assert (count(bar, theme.QUIET) > 0) == stale
    assert (count(bar, theme.MALIGNANT) == 0) == stale


@pytest.mark.parametrize("state", NO_CALLS)
def test_no_call_older_than_a_second_fades_too(manifest: Manifest, size: Size, state: str) -> None:
    old = replace(STATES[state], finding_age=5.0)
    area = arrange(*size).finding
    assert differ(draw(manifest, size, old), draw(manifest, size, STATES[state]), area)


probabilities = st.lists(st.floats(0.001, 1), min_size=7, max_size=7).map(
    lambda parts: tuple(p / sum(parts) for p in parts)
)


@pytest.mark.parametrize("size", SIZES, ids=str)
@given(probabilities=probabilities, called=st.booleans())
@settings(max_examples=20)
def test_bars_are_filled_by_their_probabilities(
    unmarked: Manifest, size: Size, probabilities: tuple[float, ...], called: bool
) -> None:
    doubt = None if called else "uncertain"
    finding = make_finding(probabilities=probabilities, doubt=doubt)
    pixels = draw(unmarked, size, replace(LIVE, finding=finding))
    for code, probability in zip(CODES, probabilities, strict=True):
        bar = TRACKS[size].get(code) or track(unmarked, size, code)
        TRACKS[size][code] = bar
        row = pixels[bar.centery : bar.centery + 1, bar.left : bar.right]
        full = theme.MALIGNANT if code in MALIGNANT else theme.BENIGN
        leads = called and code == finding.leading
        filled = count(row, full) + (count(row, theme.TEXT) if leads else 0)
        assert filled == pytest.approx(probability * bar.width, abs=0.51)
        assert filled + count(row, theme.SURFACE) == bar.width


TRACKS: dict[Size, dict[Code, Rect]] = {size: {} for size in SIZES}


def test_bar_begins_at_its_left_end(unmarked: Manifest, size: Size) -> None:
    pixels = draw(unmarked, size, STATES["uncertain"])
    bar = track(unmarked, size, "mel")
    filled = (pixels[bar.centery, bar.left : bar.right] == np.array(theme.MALIGNANT)).all(axis=1)
    assert filled[: round(0.4 * bar.width) - 1].all()
    assert not filled[round(0.4 * bar.width) + 1 :].any()


def test_leading_diagnosis_is_marked_where_there_is_a_call(unmarked: Manifest, size: Size) -> None:
    areas = arrange(*size).bars
    finding = make_finding("bkl", 0.6)
    called = draw(unmarked, size, replace(LIVE, finding=finding))
    not_called = draw(unmarked, size, replace(LIVE, finding=replace(finding, doubt="uncertain")))
    marked = [code for code in SCREEN_ORDER if differ(called, not_called, areas[code])]
    assert marked == ["bkl"]


def test_malignant_diagnoses_have_a_sign(manifest: Manifest, size: Size) -> None:
    pixels = draw(manifest, size, STATES["empty"])
    for code, area in arrange(*size).bars.items():
        assert (count(part(pixels, area), theme.MALIGNANT) > 10) == (code in MALIGNANT)


def test_tick_stands_at_each_operating_point_of_melanoma(manifest: Manifest, size: Size) -> None:
    point = manifest.operating_points[0]
    points = tuple(
        msgspec.structs.replace(point, score=score, threshold=threshold)
        for score, threshold in (("mel", 0.3), ("mel", 0.7), ("malignant", 0.5))
    )
    ticked = msgspec.structs.replace(manifest, operating_points=points)
    unmarked = msgspec.structs.replace(manifest, operating_points=())
    pixels = draw(ticked, size, STATES["empty"])
    bar = track(unmarked, size, "mel")
    row = pixels[bar.centery, bar.left : bar.right]
    columns = np.flatnonzero((row == np.array(theme.TEXT)).all(axis=1))
    thick = arrange(*size).px(2)
    expected = {0.3: 0, 0.7: 0}
    for column in columns:
        (near,) = (t for t in expected if abs(column - t * bar.width) <= thick)
        expected[near] += 1
    assert all(expected.values())
    for code in ("bcc", "nv"):
        other = track(unmarked, size, code)
        assert (part(pixels, other) == np.array(theme.SURFACE)).all()


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
        if count(marks[:, round(i * step) : round((i + 1) * step)], theme.WARNING)
    ]
    assert bad == [name for name, shortcomings in MARKS if shortcoming in shortcomings]
    assert count(pixels[arrange(*size).px(34) :], theme.WARNING) > 30


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
    assert count(both[:marks], theme.WARNING) > count(first[:marks], theme.WARNING)
    np.testing.assert_array_equal(both[marks:], first[marks:])


def test_good_picture_has_no_warning(manifest: Manifest, size: Size) -> None:
    assert count(draw(manifest, size, LIVE), theme.WARNING) == 0


def test_another_language_changes_the_names(manifest: Manifest, size: Size) -> None:
    english, spanish = (draw(manifest, size, LIVE, language) for language in ("en", "es"))
    assert differ(english, spanish, arrange(*size).bars["nv"])
    assert differ(english, spanish, arrange(*size).finding)
    unknown = draw(manifest, size, LIVE, "xx")
    np.testing.assert_array_equal(unknown, english)


def test_clock_and_source_are_in_the_status_line(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).status
    for other in (
        replace(LIVE, clock=NOON.replace(minute=35)),
        replace(LIVE, source="replay"),
        replace(LIVE, clock=None),
    ):
        assert differ(draw(manifest, size, other), draw(manifest, size, LIVE), area)


def reached(renderer: Renderer, layout: Layout, place: tuple[int, int]) -> list[str]:
    targets = [name for name, area in layout.targets.items() if area.collidepoint(place)]
    bars = [code for code, area in layout.bars.items() if area.collidepoint(place)]
    assert renderer.target_at(place) == (targets[0] if targets else None)
    assert renderer.bar_at(place) == (bars[0] if bars else None)
    return [*targets, *bars]


@pytest.mark.parametrize("size", SIZES, ids=str)
@given(across=st.floats(0, 1, exclude_max=True), down=st.floats(0, 1, exclude_max=True))
def test_a_place_on_the_screen_means_one_thing_at_most(
    manifest: Manifest, size: Size, across: float, down: float
) -> None:
    renderer = Renderer(size, manifest)
    place = (int(across * size[0]), int(down * size[1]))
    assert len(reached(renderer, renderer.layout, place)) <= 1


def test_every_target_and_bar_can_be_touched_all_over(manifest: Manifest, size: Size) -> None:
    renderer = Renderer(size, manifest)
    for areas in (renderer.layout.targets, renderer.layout.bars):
        for name, area in areas.items():
            for place in (
                area.center,
                area.topleft,
                (area.right - 1, area.top),
                (area.left, area.bottom - 1),
                (area.right - 1, area.bottom - 1),
            ):
                assert reached(renderer, renderer.layout, place) == [name]


def test_skin_cannot_be_touched(manifest: Manifest, size: Size) -> None:
    renderer = Renderer(size, manifest)
    assert reached(renderer, renderer.layout, renderer.layout.field.center) == []


@given(probability=st.floats(0, 1))
def test_percent_is_whole_and_never_0_or_100(probability: float) -> None:
    words = percent(probability)
    assert words.endswith(" %")
    if words == "< 1 %":
        assert probability < 0.01
    elif words == "> 99 %":
        assert probability > 0.99
    else:
        number = int(words.removesuffix(" %"))
        assert 1 <= number <= 99
        assert abs(number - probability * 100) <= 0.5 + 1e-9


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.0, "< 1 %"),
        (0.00999, "< 1 %"),
        (0.01, "1 %"),
        (0.334, "33 %"),
        (0.99, "99 %"),
        (0.9901, "> 99 %"),
        (1.0, "> 99 %"),
    ],
)
def test_percent_as_it_is_read(probability: float, words: str) -> None:
    assert percent(probability) == words
