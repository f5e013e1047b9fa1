from itertools import combinations, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pygame import Rect

from device.diagnoses import MALIGNANT, SCREEN_ORDER, Code
from device.screen.events import Target, Touch
from device.screen.layout import Layout, arrange
from device.screen.navigation import step
from device.screen.pages.base import Control
from device.screen.pages.live import LegendControl, LiveControl
from device.screen.registry import PageName
from device.screen.state import Command, Context, State
from tests.device.screen.drawing import places

COMMON = [(640, 480), (800, 480), (1024, 600), (1280, 720), (1920, 1080), (3840, 2160)]
ROW = (Control.SHUTTER, *LiveControl)
BOTH_WAYS = [*COMMON, *((height, width) for width, height in COMMON)]

sizes = st.tuples(st.integers(640, 3840), st.integers(480, 2160)).flatmap(
    lambda size: st.sampled_from([size, size[::-1]])
)


def parts(layout: Layout) -> dict[Target, Rect]:
    return {
        "field": layout.field,
        "finding": layout.finding,
        "rule": layout.rule,
        "quality": layout.quality,
        "status": layout.status,
        **dict(zip(ROW, layout.row, strict=True)),
        **layout.bars,
    }


def check(size: tuple[int, int]) -> None:
    layout = arrange(*size)
    screen = Rect(0, 0, *size)
    for name, part in parts(layout).items():
        assert part.width > 0 < part.height, name
        assert screen.contains(part), name
    for (name, part), (other_name, other) in combinations(parts(layout).items(), 2):
        assert not part.colliderect(other), f"{name} overlaps {other_name}"


@pytest.mark.parametrize("size", BOTH_WAYS, ids=str)
def test_parts_of_common_screens_are_on_them_and_apart(size: tuple[int, int]) -> None:
    check(size)


@given(size=sizes)
@example(size=(3840, 480))
@example(size=(640, 2160))
@example(size=(1000, 1000))
@example(size=(1000, 1001))
def test_parts_of_any_screen_are_on_it_and_apart(size: tuple[int, int]) -> None:
    check(size)


@given(size=sizes)
def test_field_is_a_square_and_the_largest_part(size: tuple[int, int]) -> None:
    layout = arrange(*size)
    assert layout.field.width == layout.field.height
    others = [part for name, part in parts(layout).items() if name != "field"]
    assert all(layout.field.height > part.height for part in others)


@given(size=sizes)
def test_bars_stand_in_their_fixed_order_with_the_rule_between_the_groups(
    size: tuple[int, int],
) -> None:
    layout = arrange(*size)
    assert tuple(layout.bars) == SCREEN_ORDER
    tops = [area.top for area in layout.bars.values()]
    assert tops == sorted(tops)
    for code, area in layout.bars.items():
        assert (area.bottom <= layout.rule.top) == (code in MALIGNANT)
        assert area.left == layout.finding.left
        assert area.width == layout.finding.width


@given(size=sizes)
def test_bars_are_of_one_size(size: tuple[int, int]) -> None:
    assert len({area.size for area in arrange(*size).bars.values()}) == 1


@given(size=sizes)
def test_targets_stand_in_a_row_with_the_shutter_leftmost(size: tuple[int, int]) -> None:
    live = places(PageName.LIVE, arrange(*size))
    row = [live[name] for name in ROW]
    assert [area.left for area in row] == sorted(area.left for area in row)
    assert len({(area.top, area.height) for area in row}) == 1


@given(size=sizes)
def test_targets_of_every_page_are_on_the_screen_and_apart(size: tuple[int, int]) -> None:
    layout = arrange(*size)
    for page in PageName:
        areas = places(page, layout)
        for area in areas.values():
            assert Rect(0, 0, *size).contains(area)
        for (name, one), (other_name, other) in combinations(areas.items(), 2):
            assert not one.colliderect(other), f"{name} overlaps {other_name}"


@given(size=sizes)
def test_slider_track_lies_inside_its_slider(size: tuple[int, int]) -> None:
    layout = arrange(*size)
    for page in (PageName.LIVE, PageName.SETTINGS):
        area = places(page, layout)[Control.OPACITY]
        assert area.contains(layout.slider_track(area))


@given(size=sizes)
def test_field_lies_inside_its_part_and_the_legend_outside(size: tuple[int, int]) -> None:
    layout = arrange(*size)
    assert layout.field_area.contains(layout.field)
    for target in (LegendControl.NEXT, Control.OPACITY):
        area = places(PageName.LIVE, layout)[target]
        assert layout.quality.contains(area)
        assert not layout.field_area.colliderect(area)


@pytest.mark.parametrize(
    ("size", "least"),
    [((800, 480), 48), ((480, 800), 48), ((1024, 600), 66), ((600, 1024), 66)],
    ids=str,
)
def test_targets_are_large_enough_for_a_finger(size: tuple[int, int], least: int) -> None:
    for page in PageName:
        for name, area in places(page, arrange(*size)).items():
            if name in SCREEN_ORDER:
                # Seven such rows have no room; the legend goes through them (below).
                continue
            assert area.height >= least, name
            assert area.width >= least, name


@pytest.mark.parametrize("size", BOTH_WAYS, ids=str)
def test_targets_are_apart_by_a_gap(size: tuple[int, int]) -> None:
    layout = arrange(*size)
    for left, right in (*pairwise(layout.row), (layout.legend_next, layout.legend_slider)):
        assert right.left - left.right >= round(13 * layout.unit) - 1


@pytest.mark.parametrize("size", BOTH_WAYS, ids=str)
def test_every_diagnosis_is_reached_by_targets_of_10_mm(size: tuple[int, int]) -> None:
    """66 pixels on a 7-inch screen of 1024 x 600."""
    layout = arrange(*size)
    areas, state, chosen = places(PageName.LIVE, layout), State(), []
    state, _ = step(state, Touch(LiveControl.OVERLAY))
    for _ in SCREEN_ORDER:
        state, command = step(state, Touch(LegendControl.NEXT), Context(explained=Code.BCC))
        assert command == Command.EXPLAIN
        chosen.append(state.code)
    assert set(chosen) == set(SCREEN_ORDER)
    assert chosen[0] == Code.AKIEC
    for target in (LiveControl.OVERLAY, LegendControl.NEXT):
        assert min(areas[target].size) >= round(66 * layout.unit) - 1


@pytest.mark.parametrize("size", BOTH_WAYS, ids=str)
def test_rows_have_room_for_their_words_above_their_bars(size: tuple[int, int]) -> None:
    layout = arrange(*size)
    for area in layout.bars.values():
        assert area.height >= layout.px(9) + layout.px(20)


def test_landscape_is_beside_and_portrait_below() -> None:
    wide, tall = arrange(1024, 600), arrange(600, 1024)
    assert wide.finding.left >= wide.field.right
    assert tall.finding.top >= tall.field.bottom


@given(size=sizes, length=st.floats(0, 600))
def test_lengths_grow_with_the_screen_and_never_vanish(
    size: tuple[int, int], length: float
) -> None:
    layout = arrange(*size)
    assert layout.px(length) == max(1, round(length * layout.unit))
    assert arrange(2 * size[0], 2 * size[1]).unit == pytest.approx(2 * layout.unit)


def test_unit_is_one_on_the_reference_screen() -> None:
    assert arrange(1024, 600).unit == arrange(600, 1024).unit == 1.0
