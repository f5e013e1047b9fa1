from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from pygame import Rect, Surface

from device.models.manifest import Manifest
from device.screen import theme
from device.screen.layout import arrange
from device.screen.renderer import Renderer
from device.screen.view import KeepStatus
from tests.device.screen import states
from tests.device.screen.drawing import (
    LIVE,
    NOON,
    SIZES,
    SKIN,
    SPOT,
    STATES,
    Size,
    count,
    differ,
    draw,
    part,
    pixels_of,
)


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
    assert not changed[: side // 4].any()
    # The legend stands outside the field.
    assert not changed[side * 3 // 4 :].any()


def test_overlay_is_bounded_by_a_contour(manifest: Manifest, size: Size) -> None:
    field = part(draw(manifest, size, STATES["overlay"]), arrange(*size).field)
    plain = part(draw(manifest, size, LIVE), arrange(*size).field)
    white = (field >= 220).all(axis=2)
    assert white.sum() > 40
    assert not (plain >= 220).all(axis=2).any()


def test_overlay_that_was_not_asked_for_is_not_drawn(manifest: Manifest, size: Size) -> None:
    view = replace(STATES["overlay"], overlay_wanted=False)
    area = arrange(*size).field
    assert (part(draw(manifest, size, view), area) == part(draw(manifest, size, LIVE), area)).all()


def test_overlay_that_is_not_there_yet_draws_nothing_but_its_legend(
    manifest: Manifest, size: Size
) -> None:
    view = replace(STATES["overlay"], overlay=None)
    layout = arrange(*size)
    one, other = draw(manifest, size, view), draw(manifest, size, LIVE)
    assert not differ(one, other, layout.field)
    assert differ(one, other, layout.quality)


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
    melanoma, naevus = (
        draw(manifest, size, replace(STATES["overlay"], explained=c)) for c in ("mel", "nv")
    )
    assert differ(melanoma, naevus, layout.quality)
    for code in ("mel", "nv"):
        assert differ(melanoma, naevus, layout.bars[code])


def test_frozen_view_has_a_border_on_every_side_and_its_time(
    manifest: Manifest, size: Size
) -> None:
    layout = arrange(*size)
    field = part(draw(manifest, size, STATES["frozen"]), layout.field)
    touch = np.array(theme.DARK.touch)
    middle = field.shape[0] // 2
    for edge in (field[middle, 0], field[middle, -1], field[-1, middle], field[0, -5]):
        assert (edge == touch).all()
    inner = field[layout.px(40) : -layout.px(8), layout.px(8) : -layout.px(8)]
    assert (inner == (190, 130, 110)).all()
    later = replace(STATES["frozen"], frozen=NOON.replace(second=57))
    assert differ(draw(manifest, size, later), draw(manifest, size, STATES["frozen"]), layout.field)


def test_empty_view_keeps_the_place_of_the_field(manifest: Manifest, size: Size) -> None:
    field = part(draw(manifest, size, STATES["empty"]), arrange(*size).field)
    assert (field[0] == np.array(theme.DARK.surface)).all()
    assert (field[:, -1] == np.array(theme.DARK.surface)).all()
    assert (field[20:-20, 20:-20] == np.array(theme.DARK.background)).all()


def test_outline_is_drawn_with_the_overlay_alone(manifest: Manifest, size: Size) -> None:
    area = arrange(*size).field
    for state, shown in (("benign", False), ("overlay", True)):
        outlined = replace(STATES[state], outline=states.RING)
        assert (
            differ(draw(manifest, size, outlined), draw(manifest, size, STATES[state]), area)
            == shown
        )
    pixels = draw(manifest, size, replace(STATES["overlay"], overlay=None, outline=states.RING))
    rows, columns = np.nonzero((part(pixels, area)
                                == np.array(theme.DARK.touch)).all(axis=2))  # fmt: skip
    x, y = states.RING.T * area.width
    far = np.hypot(columns[:, None] - x, rows[:, None] - y).min(axis=1)
    assert len(far) > 100
    assert far.max() < 0.04 * area.width


@pytest.mark.parametrize(("field_mm", "length"), [(20.0, 5), (11.0, 2), (4.0, 1)])
def test_scale_bar_is_as_long_as_it_says(
    manifest: Manifest, drawn: list[str], size: Size, field_mm: float, length: int
) -> None:
    area = arrange(*size).field
    plain = part(draw(manifest, size, LIVE), area).astype(int)
    drawn.clear()
    scaled = part(draw(manifest, size, replace(LIVE, field_mm=field_mm)), area)
    assert f"{length} mm" in drawn
    row = scaled[area.height - arrange(*size).px(22)]
    white = np.flatnonzero((row == 255).all(axis=1))
    assert np.ptp(white) == pytest.approx(length / field_mm * area.width, abs=4)
    changed = (scaled != plain).any(axis=2)
    assert not changed[: area.height * 3 // 4].any()


def test_no_scale_bar_is_longer_than_it_may_be(manifest: Manifest) -> None:
    size = SIZES[0]
    one, other = (draw(manifest, size, replace(LIVE, field_mm=mm)) for mm in (None, 2.0))
    assert not differ(one, other, arrange(*size).field)


def test_what_became_of_a_picture_stands_beside_its_time(manifest: Manifest, size: Size) -> None:
    layout = arrange(*size)
    label = Rect(layout.field.left, layout.field.top, layout.field.width, layout.px(34))
    unknown, *known = (
        draw(manifest, size, replace(STATES["frozen"], kept=kept)) for kept in (None, *KeepStatus)
    )
    for one, other in combinations([unknown, *known], 2):
        assert differ(one, other, label)
    warned = [kept for kept, drawn in zip(KeepStatus, known, strict=True)
              if count(part(drawn, label), theme.DARK.warning)]  # fmt: skip
    assert warned == [KeepStatus.NOT_KEPT, KeepStatus.LOCKED]


@pytest.mark.parametrize("side", [40, 566, 600, 1080, 1800, 3000])
def test_skin_of_any_size_fills_the_field_in_its_own_colours(manifest: Manifest, side: int) -> None:
    skin = np.full((side, side, 3), (190, 130, 110), np.uint8)
    skin[: side // 2, : side // 2] = (10, 20, 30)
    field = part(draw(manifest, SIZES[0], replace(LIVE, field=skin)), arrange(*SIZES[0]).field)
    far = field.shape[0] - 1
    assert field[0, 0].tolist() == field[far // 3, far // 3].tolist() == [10, 20, 30]
    assert field[far, far].tolist() == field[far, 0].tolist() == [190, 130, 110]
