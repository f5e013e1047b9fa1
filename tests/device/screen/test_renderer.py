from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from pygame import Rect, Surface

from device.models.manifest import Manifest
from device.screen import theme
from device.screen.layout import Layout, arrange
from device.screen.navigation import State, Touch
from device.screen.renderer import Renderer
from tests.device.screen import states
from tests.device.screen.drawing import (
    LIVE,
    NOON,
    SIZES,
    SKIN,
    STATES,
    Size,
    count,
    differ,
    draw,
    part,
    pixels_of,
)


def row(layout: Layout) -> list[Rect]:
    return [layout.targets["live"][name] for name in ("shutter", "overlay", "compare", "more")]


def reached(renderer: Renderer, state: State, place: tuple[int, int]) -> str | None:
    touch = renderer.touched(state, place)
    return touch.target if touch else None


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


def test_another_language_changes_names_and_words(manifest: Manifest, size: Size) -> None:
    english, spanish, portuguese = (
        draw(manifest, size, replace(LIVE, language=language)) for language in ("en", "es", "pt")
    )
    layout = arrange(*size)
    assert differ(english, spanish, layout.bars["nv"])
    for area in (layout.finding, layout.status, layout.quality, *row(layout)):
        assert differ(english, spanish, area)
    assert differ(spanish, portuguese, layout.status)


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


def test_focus_is_seen_on_every_target(manifest: Manifest, size: Size) -> None:
    plain = replace(STATES["overlay"], focus=None)
    shown = draw(manifest, size, plain)
    for name, area in arrange(*size).targets["live"].items():
        focused = draw(manifest, size, replace(plain, focus=name))
        changed = np.argwhere((focused != shown).any(axis=2))
        assert len(changed) > 100, name
        assert all(area.collidepoint(int(x), int(y)) for y, x in changed), name
