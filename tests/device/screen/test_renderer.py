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
from device.screen.navigation import State, Touch
from device.screen.renderer import Renderer
from device.screen.speech import INSTRUCTIONS, MARKS, percent
from device.screen.view import CompareView, LiveView, TroubleView, View
from tests.device.screen import states
from tests.device.screen.findings import make_finding

Pixels = NDArray[np.uint8]
Size = tuple[int, int]

SIZES: list[Size] = [(1024, 600), (800, 480), (600, 1024)]
NOON = datetime(2026, 3, 4, 12, 34, 56, tzinfo=UTC)
SKIN = np.full((300, 300, 3), (190, 130, 110), np.uint8)
SPOT = np.zeros((28, 28), np.float32)
SPOT[10:16, 12:20] = 1.0

LIVE = LiveView(SKIN, make_finding("nv"), clock=NOON, source="demo")
STATES = {
    "empty": LiveView(None, clock=NOON, source="demo"),
    "benign": LIVE,
    "malignant": replace(LIVE, finding=make_finding("mel")),
    "low-quality": replace(LIVE, finding=make_finding("mel", shortcomings=("glare",))),
    "uncertain": replace(LIVE, finding=make_finding("mel", 0.4, doubt="uncertain")),
    "unfamiliar": replace(LIVE, finding=make_finding("mel", 0.4, doubt="unfamiliar")),
    "frozen": replace(LIVE, frozen=NOON),
    "overlay": replace(LIVE, overlay=SPOT, overlay_wanted=True, explained="mel"),
    "trouble": TroubleView("The camera was unplugged; plug it in again", LIVE, clock=NOON),
    "stale": replace(LIVE, finding_age=2.0),
    "lost": replace(LIVE, lost=NOON),
}
NO_CALLS = ["low-quality", "uncertain", "unfamiliar"]


@pytest.fixture(params=SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def size(request: pytest.FixtureRequest) -> Size:
    return request.param


@pytest.fixture(scope="session")
def unmarked(manifest: Manifest) -> Manifest:
    """The shipped manifest without operating points: bars without ticks."""
    return msgspec.structs.replace(manifest, operating_points=())


def draw(manifest: Manifest, size: Size, view: View) -> Pixels:
    surface = Surface(size)
    Renderer(size, manifest).draw(surface, view)
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
    ground = (empty == np.array(theme.SURFACE)).all(axis=2)
    rows = np.flatnonzero(ground.mean(axis=1) > 0.9)
    columns = np.flatnonzero(ground[rows[0]])
    assert len(rows) >= 3
    return Rect(area.left + int(columns[0]), area.top + int(rows[0]), len(columns), len(rows))


def differ(one: Pixels, other: Pixels, area: Rect) -> bool:
    return bool((part(one, area) != part(other, area)).any())


@pytest.mark.parametrize(
    ("number", "older", "newer"), [(0, False, False), (1, True, False), (3, False, True)]
)
def test_target_that_leads_nowhere_is_grey(
    manifest: Manifest, size: Size, number: int, older: bool, newer: bool
) -> None:
    view = replace(states.COMPARE, number=number, count=3 if number else 0)
    pixels, places = draw(manifest, size, view), arrange(*size).targets["compare"]
    for name, leads in (("previous", older), ("next", newer), ("back", True)):
        assert (count(part(pixels, places[name]), theme.TOUCH) > 100) == leads


def test_picture_that_is_not_live_cannot_be_taken_for_one(manifest: Manifest, size: Size) -> None:
    layout = arrange(*size)
    middle = layout.field.inflate(-layout.px(120), -layout.px(120))
    live, lost = (draw(manifest, size, view) for view in (LIVE, replace(LIVE, lost=NOON)))
    assert part(lost, middle).mean() < 0.5 * part(live, middle).mean()
    assert count(part(lost, layout.field), theme.WARNING) > 4 * layout.field.width
    # The finding beside it is no longer of what is before the lens.
    assert differ(live, lost, layout.finding) == differ(
        live, draw(manifest, size, replace(LIVE, finding_age=2.0)), layout.finding
    )
    compared = [
        draw(manifest, size, replace(states.STATES["compare-lost"], lost=at)) for at in (None, NOON)
    ]
    assert count(compared[1], theme.WARNING) > count(compared[0], theme.WARNING) + 400
    assert compared[1].mean() < compared[0].mean()


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_drawn_outside_the_parts(manifest: Manifest, size: Size, state: str) -> None:
    wider = Surface((size[0] + 80, size[1] + 80))
    Renderer(size, manifest).draw(wider, STATES[state])
    left = pixels_of(wider)
    layout = arrange(*size)
    for area in (
        layout.skin,
        layout.finding,
        layout.rule,
        layout.quality,
        layout.status,
        *layout.bars.values(),
        *layout.targets["live"].values(),
    ):
        part(left, area)[:] = theme.BACKGROUND
    rows, columns = np.nonzero((left != np.array(theme.BACKGROUND)).any(axis=2))
    assert list(zip(columns.tolist(), rows.tolist(), strict=True))[:5] == []


@pytest.mark.parametrize("state", STATES)
def test_every_part_has_something_in_it(manifest: Manifest, size: Size, state: str) -> None:
    pixels, layout = draw(manifest, size, STATES[state]), arrange(*size)
    areas = [layout.field, layout.finding, layout.status, *row(layout)]
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
    legend = arrange(*size).legend.height
    assert not changed[: side // 4].any()
    assert not changed[side * 3 // 4 : side - legend].any()
    assert changed[side - legend :].any()


def test_overlay_is_bounded_by_a_contour(manifest: Manifest, size: Size) -> None:
    field = part(draw(manifest, size, STATES["overlay"]), arrange(*size).field)
    plain = part(draw(manifest, size, LIVE), arrange(*size).field)
    white = (field >= 220).all(axis=2)
    legend = arrange(*size).legend.height
    assert white[:-legend].sum() > 40
    assert not (plain >= 220).all(axis=2).any()


def test_overlay_that_was_not_asked_for_is_not_drawn(manifest: Manifest, size: Size) -> None:
    view = replace(STATES["overlay"], overlay_wanted=False)
    area = arrange(*size).field
    assert (part(draw(manifest, size, view), area) == part(draw(manifest, size, LIVE), area)).all()


def test_overlay_that_is_not_there_yet_draws_nothing_but_its_legend(
    manifest: Manifest, size: Size
) -> None:
    view = replace(STATES["overlay"], overlay=None)
    area = arrange(*size).field
    area.height -= arrange(*size).legend.height
    assert not differ(draw(manifest, size, view), draw(manifest, size, LIVE), area)


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
    legend = layout.legend
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
    area = arrange(*size).targets["live"]["shutter"]
    live, frozen = (part(draw(manifest, size, STATES[s]), area) for s in ("benign", "frozen"))
    assert count(frozen, theme.TOUCH) > 2 * count(live, theme.TOUCH)


def test_overlay_target_shows_whether_it_is_on(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).targets["live"]["overlay"]
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
    other = replace(STATES["trouble"], words="The disk is full; delete something")
    area = arrange(*size).finding
    assert differ(draw(manifest, size, other), draw(manifest, size, STATES["trouble"]), area)


@pytest.mark.parametrize(
    "words", ["x" * 3000, "word " * 600, "name \udcff\udcfe.png", "bell \x07 esc \x1b[31m", "\n\n"]
)
def test_trouble_may_hold_anything(manifest: Manifest, words: str) -> None:
    size = SIZES[1]
    pixels = draw(manifest, size, replace(STATES["trouble"], words=words))
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


def test_another_language_changes_names_and_words(manifest: Manifest, size: Size) -> None:
    english, spanish, portuguese = (
        draw(manifest, size, replace(LIVE, language=language)) for language in ("en", "es", "pt")
    )
    layout = arrange(*size)
    assert differ(english, spanish, layout.bars["nv"])
    for area in (layout.finding, layout.status, layout.quality, *row(layout)):
        assert differ(english, spanish, area)
    assert differ(spanish, portuguese, layout.status)


def test_clock_and_source_are_in_the_status_line(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).status
    others = [replace(LIVE, clock=NOON.replace(minute=35)), replace(LIVE, clock=None)]
    if size[0] > size[1]:  # in portrait the source gives way to the notice
        others.append(replace(LIVE, source="replay"))
    for other in others:
        assert differ(draw(manifest, size, other), draw(manifest, size, LIVE), area)


def row(layout: Layout) -> list[Rect]:
    return [layout.targets["live"][name] for name in ("shutter", "overlay", "compare", "more")]


def reached(renderer: Renderer, state: State, place: tuple[int, int]) -> str | None:
    touch = renderer.touched(state, place)
    return touch.target if touch else None


@pytest.mark.parametrize("page", ["live", "compare", "settings", "about"])
def test_every_target_can_be_touched_all_over(manifest: Manifest, size: Size, page: str) -> None:
    renderer = Renderer(size, manifest)
    for name, area in renderer.layout.targets[page].items():
        for place in (
            area.center,
            area.topleft,
            (area.right - 1, area.top),
            (area.left, area.bottom - 1),
            (area.right - 1, area.bottom - 1),
        ):
            assert reached(renderer, State(page, overlay=True), place) == name


def test_skin_cannot_be_touched(manifest: Manifest, size: Size) -> None:
    renderer = Renderer(size, manifest)
    assert reached(renderer, State(overlay=True), renderer.layout.field.center) is None


def test_slider_that_is_not_shown_cannot_be_touched(manifest: Manifest, size: Size) -> None:
    renderer = Renderer(size, manifest)
    place = renderer.layout.targets["live"]["opacity"].center
    assert reached(renderer, State(overlay=False), place) is None


def test_slider_gives_how_far_along_it_the_finger_is(manifest: Manifest, size: Size) -> None:
    renderer = Renderer(size, manifest)
    track = renderer.layout.slider_track(renderer.layout.targets["settings"]["opacity"])
    state = State("settings")
    for share in (0.0, 0.25, 1.0):
        place = (track.left + round(share * track.width), track.centery)
        along = renderer.along(state, "opacity", place).along
        assert along == pytest.approx(share, abs=1 / track.width)
    assert renderer.along(state, "opacity", (0, 0)) == Touch("opacity", 0.0)
    assert renderer.along(state, "opacity", (9999, 0)) == Touch("opacity", 1.0)


@pytest.mark.parametrize("name", states.STATES)
def test_what_was_shown_before_leaves_nothing_behind(manifest: Manifest, name: str) -> None:
    """Parts are drawn again only when they changed: after any state, a state looks like itself."""
    size = SIZES[1]
    renderer, surface = Renderer(size, manifest), Surface(size)
    expected = draw(manifest, size, states.STATES[name])
    for before in states.STATES.values():
        renderer.draw(surface, before)
        renderer.draw(surface, states.STATES[name])
        np.testing.assert_array_equal(pixels_of(surface), expected)


def test_what_did_not_change_is_not_drawn_again(manifest: Manifest) -> None:
    size = SIZES[0]
    renderer, surface = Renderer(size, manifest), Surface(size)
    renderer.draw(surface, LIVE)
    area = arrange(*size).finding
    surface.fill((1, 2, 3), area)
    renderer.draw(surface, replace(LIVE, field=SKIN.copy()))
    assert (part(pixels_of(surface), area) == (1, 2, 3)).all()


@pytest.mark.parametrize("state", ["unfamiliar", "low-quality"])
def test_what_cannot_be_judged_is_no_ranking(unmarked: Manifest, size: Size, state: str) -> None:
    pixels, empty = (draw(unmarked, size, STATES[s]) for s in (state, "empty"))
    for area in arrange(*size).bars.values():
        assert not differ(pixels, empty, area)


def test_uncertain_names_what_it_is_undecided_between(manifest: Manifest, size: Size) -> None:
    one, other = (
        draw(manifest, size, replace(LIVE, finding=make_finding(
            "mel", 0.4, doubt="uncertain", prediction_set=open_)))
        for open_ in (("mel", "nv"), ("mel", "bkl"))
    )  # fmt: skip
    assert differ(one, other, arrange(*size).finding)


def test_focus_is_seen_on_every_target(manifest: Manifest, size: Size) -> None:
    plain = replace(STATES["overlay"], focus=None)
    shown = draw(manifest, size, plain)
    for name, area in arrange(*size).targets["live"].items():
        focused = draw(manifest, size, replace(plain, focus=name))
        changed = np.argwhere((focused != shown).any(axis=2))
        assert len(changed) > 100, name
        assert all(area.collidepoint(int(x), int(y)) for y, x in changed), name


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


def test_outline_is_drawn_with_the_overlay_alone(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).field
    for state, shown in (("benign", False), ("overlay", True)):
        outlined = replace(STATES[state], outline=states.RING)
        assert (
            differ(draw(manifest, size, outlined), draw(manifest, size, STATES[state]), area)
            == shown
        )
    pixels = draw(manifest, size, replace(STATES["overlay"], overlay=None, outline=states.RING))
    rows, columns = np.nonzero((part(pixels, area)[: -arrange(*size).px(90)]
                                == np.array(theme.TOUCH)).all(axis=2))  # fmt: skip
    x, y = states.RING.T * area.width
    far = np.hypot(columns[:, None] - x, rows[:, None] - y).min(axis=1)
    assert len(far) > 100
    assert far.max() < 0.04 * area.width


@pytest.mark.parametrize(("progress", "share"), [((0, 0), 0.0), ((4, 8), 0.5), ((8, 8), 1.0)])
def test_progress_is_a_bar_with_words(
    manifest: Manifest, size: Size, progress: tuple[int, int], share: float
) -> None:
    area = arrange(*size).quality
    view = replace(LIVE, progress=progress)
    pixels = part(draw(manifest, size, view), area)
    row_of_bar = pixels[-arrange(*size).px(9)]
    assert count(row_of_bar[None], theme.TEXT) == pytest.approx(share * area.width, abs=1)
    other = replace(view, progress=(3, 8))
    assert differ(draw(manifest, size, other), draw(manifest, size, view), area)


def test_that_a_picture_is_kept_or_not_is_said_beside_the_time(
    manifest: Manifest, size: Size
) -> None:
    layout = arrange(*size)
    label = Rect(layout.field.left, layout.field.top, layout.field.width, layout.px(34))
    kept, lost, unknown = (
        draw(manifest, size, replace(STATES["frozen"], kept=kept)) for kept in (True, False, None)
    )
    assert differ(kept, unknown, label)
    assert differ(lost, kept, label)
    assert count(part(lost, label), theme.WARNING) > 0


def test_compared_pictures_stand_side_by_side_upright(manifest: Manifest, size: Size) -> None:
    left, right = (
        np.full((9, 9, 3), (9, 99, 40), np.uint8),
        np.full((9, 9, 3), (99, 9, 50), np.uint8),
    )
    finding = make_finding()
    view = CompareView(states.Picture(NOON, left, finding), states.Picture(None, right, finding))
    pixels = draw(manifest, size, view)
    _, of_left = np.nonzero((pixels == (9, 99, 40)).all(axis=2))
    _, of_right = np.nonzero((pixels == (99, 9, 50)).all(axis=2))
    assert of_left.max() < of_right.min()
    assert len(of_left) == len(of_right) > 0.05 * size[0] * size[1]


def test_compare_shows_no_bars_of_what_cannot_be_judged(unmarked: Manifest, size: Size) -> None:
    def view(doubt: str | None, leading: Code) -> CompareView:
        picture = states.Picture(NOON, SKIN, make_finding(leading, doubt=doubt))
        return CompareView(None, picture)

    same = [draw(unmarked, size, view("unfamiliar", code)) for code in ("mel", "nv")]
    np.testing.assert_array_equal(*same)
    assert (draw(unmarked, size, view(None, "nv")) != same[0]).any()


def test_trouble_translates_what_the_catalogues_hold(manifest: Manifest, size: Size) -> None:
    trouble = states.STATES["analysis-trouble"]
    panel = arrange(*size).panel
    below = Rect(panel.left, panel.top + arrange(*size).px(54), panel.width, panel.height // 3)
    english, spanish = (
        draw(manifest, size, replace(trouble, language=language)) for language in ("en", "es")
    )
    assert differ(english, spanish, below)


@pytest.mark.parametrize("side", [40, 566, 600, 1080, 1800, 3000])
def test_skin_of_any_size_fills_the_field_in_its_own_colours(manifest: Manifest, side: int) -> None:
    skin = np.full((side, side, 3), (190, 130, 110), np.uint8)
    skin[: side // 2, : side // 2] = (10, 20, 30)
    field = part(draw(manifest, SIZES[0], replace(LIVE, field=skin)), arrange(*SIZES[0]).field)
    far = field.shape[0] - 1
    assert field[0, 0].tolist() == field[far // 3, far // 3].tolist() == [10, 20, 30]
    assert field[far, far].tolist() == field[far, 0].tolist() == [190, 130, 110]


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
