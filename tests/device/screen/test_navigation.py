from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.diagnoses import CODES, SCREEN_ORDER
from device.language import LANGUAGES
from device.screen.layout import arrange
from device.screen.navigation import (
    LOWEST_OPACITY,
    PAGES,
    USED_KEYS,
    Key,
    Lift,
    State,
    Touch,
    step,
    targets,
)

EVERY_TARGET = sorted({t for page in PAGES for t in targets(State(page, overlay=True))})
states = st.builds(
    State,
    page=st.sampled_from(PAGES),
    frozen=st.booleans(),
    overlay=st.booleans(),
    code=st.sampled_from([None, *CODES]),
    opacity=st.floats(LOWEST_OPACITY, 1.0),
    language=st.sampled_from(sorted(LANGUAGES)),
    focus=st.sampled_from([None, *EVERY_TARGET]),
    earlier=st.integers(0, 11),
)
inputs = (
    st.builds(Touch, st.sampled_from(EVERY_TARGET), st.floats(0, 1))
    | st.builds(Key, st.sampled_from(sorted(USED_KEYS)) | st.text(max_size=8))
    | st.just(Lift())
)
PLACES = [State(page, overlay=overlay) for page, overlay in product(PAGES, (False, True))]


def after(state: State, *keys: str, earlier: int = 0, pedal: str = "") -> State:
    for key in keys:
        state, _ = step(state, Key(key), earlier=earlier, pedal=pedal)
    return state


def request(state: State, key: str, pedal: str = "") -> str | None:
    return step(state, Key(key), pedal=pedal)[1]


@given(state=states)
def test_few_escapes_lead_back_to_the_live_view_from_anywhere(state: State) -> None:
    live = after(state, "escape", "escape", "escape")
    assert (live.page, live.frozen) == ("live", False)


@given(state=states)
def test_escape_in_the_live_view_does_nothing(state: State) -> None:
    live = after(state, "escape", "escape", "escape")
    assert step(live, Key("escape")) == (live, None)


@pytest.mark.parametrize("start", PLACES, ids=str)
@pytest.mark.parametrize("key", ["tab", "down", "shift tab", "up"])
def test_every_target_is_reached_by_one_key(start: State, key: str) -> None:
    reached, state = [], start
    for _ in targets(start):
        state = after(state, key)
        reached.append(state.focus)
    assert sorted(reached) == sorted(targets(start))


@pytest.mark.parametrize("start", PLACES, ids=str)
def test_enter_does_what_a_touch_does(start: State) -> None:
    for target in targets(start):
        if target == "opacity":
            continue
        focused = replace(start, focus=target)
        by_key, asked = step(focused, Key("return"), earlier=3)
        by_touch, asked_too = step(start, Touch(target), earlier=3)
        assert asked == asked_too
        assert replace(by_key, focus=None) == replace(by_touch, focus=None)
        assert step(focused, Key("enter"), earlier=3) == (by_key, asked)


@pytest.mark.parametrize("start", PLACES, ids=str)
def test_every_target_has_a_place_on_the_screen_and_every_place_a_target(start: State) -> None:
    places = arrange(1024, 600).targets[start.page]
    assert set(targets(start)) <= set(places)
    assert set(places) - set(targets(replace(start, overlay=True))) == set()


@given(state=states, given=inputs, earlier=st.integers(0, 12))
def test_any_input_leads_to_a_state_that_can_be_shown(
    state: State, given: Touch | Key | Lift, earlier: int
) -> None:
    following, _ = step(replace(state, earlier=0), given, earlier=earlier)
    assert following.page in PAGES
    assert LOWEST_OPACITY <= following.opacity <= 1.0
    assert 0 <= following.earlier <= max(0, earlier - 1)
    assert following.language in LANGUAGES


@given(state=states, key=st.sampled_from(["space", "b"]))
def test_shutter_takes_or_releases_on_every_page(state: State, key: str) -> None:
    following, asked = step(state, Key(key), pedal="b")
    assert asked == ("release" if state.frozen else "take")
    assert following.frozen != state.frozen
    assert following.page == ("compare" if state.page == "compare" else "live")


def test_key_that_is_no_pedal_does_nothing() -> None:
    assert request(State(), "b") is None
    assert request(State(), "b", pedal="f5") is None
    assert step(State(), Key("")) == (State(), None)


def test_touching_a_diagnosis_explains_it() -> None:
    for code in SCREEN_ORDER:
        following, asked = step(State(), Touch(code))
        assert (following.overlay, following.code, asked) == (True, code, "explain")


def test_overlay_goes_on_and_off_and_keeps_its_diagnosis() -> None:
    on, asked = step(State(code="bcc"), Key("o"))
    assert (on.overlay, on.code, asked) == (True, "bcc", "explain")
    assert after(on, "o") == State(code="bcc")


@given(state=states, target=st.sampled_from(EVERY_TARGET))
def test_target_of_another_page_cannot_be_touched(state: State, target: str) -> None:
    if target not in targets(state):
        assert step(state, Touch(target)) == (state, None)


@pytest.mark.parametrize("start", [State(overlay=True), State("settings")])
@given(along=st.floats(0, 1))
def test_slider_follows_the_finger_and_is_saved_when_it_is_lifted(
    start: State, along: float
) -> None:
    following, asked = step(start, Touch("opacity", along))
    assert following.opacity == pytest.approx(max(LOWEST_OPACITY, along), abs=0.0051)
    assert asked is None
    assert step(following, Lift()) == (following, "save")


def test_arrows_move_the_slider_in_focus_and_save_it() -> None:
    state = State("settings", focus="opacity", opacity=0.5)
    assert step(state, Key("right")) == (replace(state, opacity=0.6), "save")
    assert step(state, Key("left")) == (replace(state, opacity=0.4), "save")
    assert after(state, *["left"] * 20).opacity == LOWEST_OPACITY
    assert after(state, *["right"] * 20).opacity == 1.0
    assert after(state, "up").focus != "opacity"


def test_focus_on_what_is_gone_presses_nothing() -> None:
    state = State(focus="opacity")
    assert step(state, Key("return")) == (state, None)
    assert after(state, "tab").focus == "shutter"


def test_earlier_pictures_are_gone_through_and_end_at_both_ends() -> None:
    state = State("compare")
    for expected in (1, 2, 2):
        state, _ = step(state, Touch("previous"), earlier=3)
        assert state.earlier == expected
    for expected in (1, 0, 0):
        state, _ = step(state, Touch("next"), earlier=3)
        assert state.earlier == expected
    assert step(state, Touch("previous"), earlier=0)[0].earlier == 0


def test_language_is_chosen_and_saved() -> None:
    for language in LANGUAGES:
        following, asked = step(State("settings"), Touch(language))
        assert (following.language, asked) == (language, "save")


def test_appliance_is_not_quit_but_asked_whether_to_restart_or_to_switch_off() -> None:
    settings = State("settings", appliance=True)
    asked, request_ = step(settings, Touch("quit"))
    assert (asked.page, request_) == ("off", None)
    assert step(asked, Touch("back")) == (settings, None)
    assert step(asked, Key("escape")) == (settings, None)
    assert step(asked, Touch("restart")) == (asked, "restart")
    assert step(asked, Touch("off")) == (asked, "off")
    # A finger that comes down twice in one place switches nothing off.
    places = arrange(1024, 600).targets
    twice = places["settings"]["quit"]
    assert not any(twice.colliderect(places["off"][name]) for name in ("restart", "off"))


def test_pages_are_reached_and_left_by_the_same_corner() -> None:
    places = arrange(1024, 600).targets
    assert step(State(), Touch("compare"))[0].page == "compare"
    settings = step(State(), Touch("more"))[0]
    assert settings.page == "settings"
    about = step(settings, Touch("about"))[0]
    assert about.page == "about"
    assert step(about, Touch("back"))[0] == settings
    assert step(settings, Touch("back"))[0] == State()
    assert step(settings, Touch("quit"))[1] == "quit"
    assert places["compare"]["back"] == places["settings"]["back"] == places["about"]["back"]
    assert len({tuple(places[page]["shutter"]) for page in PAGES}) == 1
