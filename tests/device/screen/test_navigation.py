from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.appearance import Theme
from device.diagnoses import CODES, SCREEN_ORDER, Code
from device.language import LANGUAGES
from device.screen.events import Drag, Event, Key, Lift, ShutterPress, Target, Text, Touch
from device.screen.layout import arrange
from device.screen.navigation import step, used_keys
from device.screen.pages.base import Control, page_class
from device.screen.pages.compare import CompareControl
from device.screen.pages.live import LiveControl
from device.screen.pages.power import PowerControl
from device.screen.pages.settings import SettingsControl
from device.screen.registry import PageName
from device.screen.state import LOWEST_OPACITY, Command, Context, State
from tests.device.screen.drawing import places

# The fault page is drawn in the live page's place; nobody is ever on it.
PAGES = [page for page in PageName if page != PageName.FAULT]


def targets(state: State) -> tuple[Target, ...]:
    return page_class(state.page).targets(state)


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
    page_state=st.none() | st.integers(0, 11),
    appliance=st.booleans(),
)
events = (
    st.builds(Touch, st.sampled_from(EVERY_TARGET), st.floats(0, 1))
    | st.builds(Drag, st.sampled_from(EVERY_TARGET), st.floats(0, 1))
    | st.builds(Key, st.sampled_from(sorted(used_keys())) | st.text(max_size=8))
    | st.builds(Text, st.text(max_size=8))
    | st.sampled_from([Lift(), ShutterPress()])
)
PLACES = [State(page, overlay=overlay) for page, overlay in product(PAGES, (False, True))]


def after(state: State, *keys: str) -> State:
    for key in keys:
        state, _ = step(state, Key(key))
    return state


@given(state=states)
def test_few_escapes_lead_back_to_the_live_view_from_anywhere(state: State) -> None:
    live = after(state, *["escape"] * 5)
    assert (live.page, live.frozen) == (PageName.LIVE, False)


@given(state=states)
def test_escape_in_the_live_view_does_nothing(state: State) -> None:
    live = after(state, *["escape"] * 5)
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
    three = Context(recent=3)
    for target in targets(start):
        if target == Control.OPACITY:
            continue
        focused = replace(start, focus=target)
        by_key, command = step(focused, Key("return"), three)
        by_touch, same_command = step(start, Touch(target), three)
        assert command == same_command
        assert replace(by_key, focus=None) == replace(by_touch, focus=None)
        assert step(focused, Key("enter"), three) == (by_key, command)


@pytest.mark.parametrize("start", PLACES, ids=str)
def test_every_target_has_a_place_on_the_screen_and_every_place_a_target(start: State) -> None:
    areas = places(start.page, arrange(1024, 600))
    assert set(targets(start)) <= set(areas)
    assert set(areas) == set(targets(replace(start, overlay=True)))


@given(state=states, event=events, recent=st.integers(0, 12))
def test_any_event_leads_to_a_state_that_can_be_shown(
    state: State, event: Event, recent: int
) -> None:
    following, _ = step(replace(state, page_state=None), event, Context(recent))
    assert following.page in PAGES
    assert LOWEST_OPACITY <= following.opacity <= 1.0
    if following.page == PageName.COMPARE:
        assert 0 <= (following.page_state or 0) <= max(0, recent - 1)
    assert following.language in LANGUAGES


@given(state=states, event=st.sampled_from([Key("space"), ShutterPress()]))
def test_shutter_captures_or_releases_on_every_page(state: State, event: Event) -> None:
    page = page_class(state.page)
    if not page.takes_pictures:
        assert step(state, event) == step(state, Key("escape"))
        return
    if page.text_field:
        event = ShutterPress()
    following, command = step(state, event)
    assert command == (Command.RELEASE if state.frozen else Command.CAPTURE)
    assert following.frozen != state.frozen
    stays = state.page == PageName.COMPARE
    assert following.page == (PageName.COMPARE if stays else PageName.LIVE)


@pytest.mark.parametrize("name", ["b", "f5", "", "no such key"])
def test_key_that_has_no_meaning_does_nothing(name: str) -> None:
    assert step(State(), Key(name)) == (State(), None)


def test_touching_a_diagnosis_explains_it() -> None:
    for code in SCREEN_ORDER:
        following, command = step(State(), Touch(code))
        assert (following.overlay, following.code, command) == (True, code, Command.EXPLAIN)


def test_overlay_goes_on_and_off_and_keeps_its_diagnosis() -> None:
    on, command = step(State(code=Code.BCC), Key("o"))
    assert (on.overlay, on.code, command) == (True, Code.BCC, Command.EXPLAIN)
    assert after(on, "o") == State(code=Code.BCC)


@given(state=states)
def test_key_of_the_overlay_is_of_the_live_page_alone(state: State) -> None:
    following, _ = step(state, Key("o"))
    assert (following.overlay != state.overlay) == (state.page == PageName.LIVE)


@given(state=states, target=st.sampled_from(EVERY_TARGET), along=st.floats(0, 1))
def test_target_of_another_page_cannot_be_touched(
    state: State, target: Target, along: float
) -> None:
    if target not in targets(state):
        assert step(state, Touch(target, along)) == (state, None)
        assert step(state, Drag(target, along)) == (state, None)


@pytest.mark.parametrize("start", [State(overlay=True), State(PageName.SETTINGS)])
@pytest.mark.parametrize("kind", [Touch, Drag])
@given(along=st.floats(0, 1))
def test_slider_follows_the_finger_and_is_saved_when_it_is_lifted(
    start: State, kind: type[Touch | Drag], along: float
) -> None:
    following, command = step(start, kind(Control.OPACITY, along))
    assert following.opacity == pytest.approx(max(LOWEST_OPACITY, along), abs=0.0051)
    assert command is None
    assert step(following, Lift()) == (following, Command.SAVE_PREFERENCES)


@pytest.mark.parametrize("start", PLACES, ids=str)
def test_finger_that_slides_over_a_button_does_not_press_it(start: State) -> None:
    for target in targets(start):
        if target != Control.OPACITY:
            assert step(start, Drag(target, 0.5)) == (start, None)


def test_arrows_move_the_slider_in_focus_and_save_it() -> None:
    state = State(PageName.SETTINGS, focus=Control.OPACITY, opacity=0.5)
    assert step(state, Key("right")) == (replace(state, opacity=0.6), Command.SAVE_PREFERENCES)
    assert step(state, Key("left")) == (replace(state, opacity=0.4), Command.SAVE_PREFERENCES)
    assert after(state, *["left"] * 20).opacity == LOWEST_OPACITY
    assert after(state, *["right"] * 20).opacity == 1.0
    assert after(state, "up").focus != Control.OPACITY


def test_focus_on_what_is_gone_presses_nothing() -> None:
    state = State(focus=Control.OPACITY)
    assert step(state, Key("return")) == (state, None)
    assert after(state, "tab").focus == Control.SHUTTER


def test_earlier_pictures_are_gone_through_and_end_at_both_ends() -> None:
    state, three = State(PageName.COMPARE), Context(recent=3)
    for expected in (1, 2, 2):
        state, _ = step(state, Touch(CompareControl.OLDER), three)
        assert state.page_state == expected
    for expected in (1, 0, 0):
        state, _ = step(state, Touch(CompareControl.NEWER), three)
        assert state.page_state == expected
    assert step(state, Touch(CompareControl.OLDER), Context(recent=0))[0].page_state == 0


def test_comparing_begins_with_the_newest_picture_each_time() -> None:
    older, _ = step(State(PageName.COMPARE), Touch(CompareControl.OLDER), Context(recent=3))
    live, _ = step(older, Touch(Control.BACK))
    settings, _ = step(live, Touch(LiveControl.MORE))
    assert step(settings, Touch(PageName.COMPARE)) == (State(PageName.COMPARE), None)


def test_language_is_chosen_and_saved() -> None:
    for language in LANGUAGES:
        following, command = step(State(PageName.SETTINGS), Touch(language))
        assert (following.language, command) == (language, Command.SAVE_PREFERENCES)


def test_limits_are_read_before_anything_is_taken() -> None:
    start = State(PageName.LIMITS, limits_read=False)
    for event in (Touch(Control.BACK), Key("escape"), Key("space"), ShutterPress()):
        assert step(start, event) == (State(), Command.SAVE_PREFERENCES)


def test_theme_is_chosen_and_saved() -> None:
    for chosen in Theme:
        following, command = step(State(PageName.SETTINGS), Touch(chosen))
        assert (following.theme, command) == (chosen, Command.SAVE_PREFERENCES)


@pytest.mark.parametrize("size", [(800, 480), (1024, 600), (600, 1024)], ids=str)
def test_program_is_not_ended_from_where_the_live_page_has_a_target(size: tuple[int, int]) -> None:
    layout = arrange(*size)
    ending = places(PageName.SETTINGS, layout)[SettingsControl.QUIT]
    for name, area in places(PageName.LIVE, layout).items():
        # A bar's touch opens no page, so that no finger comes down on it twice.
        assert name in SCREEN_ORDER or not ending.colliderect(area), name


def test_appliance_is_not_quit_but_asked_whether_to_restart_or_to_switch_off() -> None:
    settings = State(PageName.SETTINGS, appliance=True)
    power, command = step(settings, Touch(SettingsControl.QUIT))
    assert (power.page, command) == (PageName.POWER, None)
    assert step(power, Touch(Control.BACK)) == (settings, None)
    assert step(power, Key("escape")) == (settings, None)
    assert step(power, Touch(PowerControl.RESTART)) == (power, Command.RESTART)
    assert step(power, Touch(PowerControl.POWER_OFF)) == (power, Command.POWER_OFF)
    # A finger that comes down twice in one place switches nothing off.
    layout = arrange(1024, 600)
    twice = places(PageName.SETTINGS, layout)[SettingsControl.QUIT]
    answers = places(PageName.POWER, layout)
    assert not any(twice.colliderect(answers[name]) for name in PowerControl)


def test_pages_are_reached_and_left_by_the_same_corner() -> None:
    assert step(State(), Touch(LiveControl.CASE))[0].page == PageName.START
    settings = step(State(), Touch(LiveControl.MORE))[0]
    assert settings.page == PageName.SETTINGS
    about = step(settings, Touch(PageName.ABOUT))[0]
    assert about.page == PageName.ABOUT
    assert step(about, Touch(Control.BACK))[0] == settings
    assert step(settings, Touch(Control.BACK))[0] == State()
    assert step(settings, Touch(SettingsControl.QUIT))[1] == Command.QUIT
    areas = [places(page, arrange(1024, 600)) for page in PAGES]
    assert len({area[Control.BACK].bottomright for area in areas if Control.BACK in area}) == 1
    assert len({tuple(area[Control.SHUTTER]) for area in areas if Control.SHUTTER in area}) == 1


@pytest.mark.parametrize("page", PAGES)
def test_every_page_but_the_live_one_has_a_way_back(page: PageName) -> None:
    assert (Control.BACK in targets(State(page))) == (page != PageName.LIVE)
