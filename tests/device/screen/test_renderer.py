from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from pygame import Surface

from device.models.manifest import Manifest
from device.screen import theme
from device.screen.events import Drag, Target
from device.screen.layout import arrange
from device.screen.pages.base import Control
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.state import State
from tests.device.screen import states
from tests.device.screen.drawing import (
    LIVE,
    NOON,
    SIZES,
    STATES,
    Size,
    count,
    differ,
    draw,
    part,
    pixels_of,
    places,
)


def reached(renderer: Renderer, state: State, place: tuple[int, int]) -> Target | None:
    touch = renderer.touched(state, place)
    return touch.target if touch else None


def test_picture_that_is_not_live_cannot_be_taken_for_one(manifest: Manifest, size: Size) -> None:
    layout = arrange(*size)
    middle = layout.field.inflate(-layout.px(120), -layout.px(120))
    live, lost = (draw(manifest, size, view) for view in (LIVE, replace(LIVE, lost=NOON)))
    assert part(lost, middle).mean() < 0.5 * part(live, middle).mean()
    assert count(part(lost, layout.field), theme.DARK.warning) > 4 * layout.field.width
    # The finding beside it is no longer of what is before the lens.
    assert differ(live, lost, layout.finding) == differ(
        live, draw(manifest, size, replace(LIVE, finding_age=2.0)), layout.finding
    )
    compared = [
        draw(manifest, size, replace(states.STATES["compare-lost"], lost=at)) for at in (None, NOON)
    ]
    assert count(compared[1], theme.DARK.warning) > count(compared[0], theme.DARK.warning) + 400
    assert compared[1].mean() < compared[0].mean()


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_drawn_outside_the_parts(manifest: Manifest, size: Size, state: str) -> None:
    wider = Surface((size[0] + 80, size[1] + 80))
    Renderer(size, manifest).draw(wider, STATES[state])
    left = pixels_of(wider)
    layout = arrange(*size)
    for area in (
        layout.field_area,
        layout.finding,
        layout.rule,
        layout.quality,
        layout.status,
        *layout.bars.values(),
        *places(PageName.LIVE, layout).values(),
    ):
        part(left, area)[:] = theme.DARK.background
    rows, columns = np.nonzero((left != np.array(theme.DARK.background)).any(axis=2))
    assert list(zip(columns.tolist(), rows.tolist(), strict=True))[:5] == []


@pytest.mark.parametrize("state", STATES)
def test_every_part_has_something_in_it(manifest: Manifest, size: Size, state: str) -> None:
    pixels, layout = draw(manifest, size, STATES[state]), arrange(*size)
    areas = [layout.field, layout.finding, layout.status, *layout.row]
    if state != "fault":
        areas += [layout.rule, layout.quality, *layout.bars.values()]
    for area in areas:
        assert (part(pixels, area) != np.array(theme.DARK.background)).any()


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


def test_another_language_changes_names_and_words(manifest: Manifest, size: Size) -> None:
    english, spanish, portuguese = (
        draw(manifest, size, replace(LIVE, language=language)) for language in ("en", "es", "pt")
    )
    layout = arrange(*size)
    assert differ(english, spanish, layout.bars["nv"])
    for area in (layout.finding, layout.status, layout.quality, *layout.row):
        assert differ(english, spanish, area)
    assert differ(spanish, portuguese, layout.status)


@pytest.mark.parametrize("page", PageName)
def test_every_target_can_be_touched_all_over(
    manifest: Manifest, size: Size, page: PageName
) -> None:
    renderer = Renderer(size, manifest)
    for name, area in places(page, renderer.layout).items():
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
    place = places(PageName.LIVE, renderer.layout)[Control.OPACITY].center
    assert reached(renderer, State(overlay=False), place) is None


def test_slider_gives_how_far_along_it_the_finger_is(manifest: Manifest, size: Size) -> None:
    renderer = Renderer(size, manifest)
    area = places(PageName.SETTINGS, renderer.layout)[Control.OPACITY]
    track, state = renderer.layout.slider_track(area), State(PageName.SETTINGS)
    for share in (0.0, 0.25, 1.0):
        place = (track.left + round(share * track.width), track.centery)
        touch = renderer.touched(state, place)
        drag = renderer.dragged(state, Control.OPACITY, place)
        assert touch.along == drag.along == pytest.approx(share, abs=1 / track.width)


def test_finger_that_slid_off_the_slider_holds_its_nearer_end(
    manifest: Manifest, size: Size
) -> None:
    dragged, state = Renderer(size, manifest).dragged, State(PageName.SETTINGS)
    assert dragged(state, Control.OPACITY, (0, 0)) == Drag(Control.OPACITY, 0.0)
    assert dragged(state, Control.OPACITY, (9999, 0)) == Drag(Control.OPACITY, 1.0)
    assert dragged(State(PageName.ABOUT), Control.OPACITY, (0, 0)) is None


@pytest.mark.parametrize("name", states.STATES)
def test_what_was_shown_before_leaves_nothing_behind(manifest: Manifest, name: str) -> None:
    """Parts are drawn again only when they changed: after any state, a state looks like itself."""
    size = SIZES[1]
    renderer, expected = Renderer(size, manifest), draw(manifest, size, states.STATES[name])
    for before in states.STATES.values():
        surface = Surface(size)  # On which `before` is drawn whole.
        renderer.draw(surface, before)
        renderer.draw(surface, states.STATES[name])
        np.testing.assert_array_equal(pixels_of(surface), expected)


def test_focus_is_seen_on_every_target(manifest: Manifest, size: Size) -> None:
    plain = replace(STATES["overlay"], focus=None)
    shown = draw(manifest, size, plain)
    for name, area in places(PageName.LIVE, arrange(*size)).items():
        focused = draw(manifest, size, replace(plain, focus=name))
        changed = np.argwhere((focused != shown).any(axis=2))
        assert len(changed) > 100, name
        assert all(area.collidepoint(int(x), int(y)) for y, x in changed), name
