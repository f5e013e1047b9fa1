import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pygame
import pytest

from device.app import App
from device.appearance import Rotation
from device.capture.demo import DemoSource, Scene
from device.capture.replay import ReplaySource
from device.diagnoses import MALIGNANT, SCREEN_ORDER, Code
from device.frame import Frame, frame_now
from device.inference.analyzer import Analyzer
from device.inference.finding import SaliencyMap
from device.models.manifest import Manifest
from device.platform.clock import Clock
from device.preferences import Preferences, load_preferences
from device.screen import theme
from device.screen.display import close_screen, open_offscreen
from device.screen.pages.about import AboutView
from device.screen.pages.base import page_class
from device.screen.pages.compare import CompareView
from device.screen.pages.limits import LimitsView
from device.screen.pages.power import PowerView
from device.screen.pages.settings import SettingsView
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.state import Command
from device.screen.view import LiveView
from tests.device.clinic import READ, SIZE, Camera, Clinic, noise
from tests.device.images import encoded
from tests.device.screen.drawing import count, part, pixels_of
from tests.device.scripted import GIVE_UP_SECONDS


def test_demonstration_runs_and_is_judged(clinic: Clinic, manifest: Manifest) -> None:
    def deeds() -> None:
        clinic.until_finding()
        view = clinic.live()
        assert view.field is not None
        assert view.field.shape[0] == pytest.approx(0.96 * 768, abs=16)
        assert view.finding is not None
        assert view.finding.model == manifest.model_id
        assert (view.source, view.frozen) == ("demo", None)
        assert view.overlay is None
        clinic.settle()

    clinic.use(DemoSource(Clock(), scenes=(Scene(seed=1),), paced=False), deeds)
    assert len(np.unique(clinic.colours().reshape(-1, 3), axis=0)) > 100


def test_replay_keeps_giving_new_findings(clinic: Clinic, photo: Path) -> None:
    def deeds() -> None:
        for _ in range(3):
            clinic.until_finding()
            clinic.settle()

    clinic.use(ReplaySource(photo, Clock(), paced=False), deeds)


def test_space_freezes_and_thaws(clinic: Clinic) -> None:
    camera = Camera()

    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.live().frozen)
        kept = clinic.live()
        reads = camera.reads
        clinic.until(lambda: camera.reads > reads + 10)
        still = clinic.live()
        assert still.frozen == kept.frozen
        assert still.finding is kept.finding
        assert still.finding_age == 0.0
        np.testing.assert_array_equal(still.field, kept.field)
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.live().frozen is None)
        clinic.until(lambda: not np.array_equal(clinic.live().field, kept.field))
        clinic.until(lambda: clinic.live().finding is not kept.finding)

    clinic.use(camera, deeds)


def test_screen_tells_which_camera_the_pictures_come_from(clinic: Clinic) -> None:
    class Scope(Camera):
        def _taken(self, pixels: np.ndarray) -> Frame:
            return replace(super()._taken(pixels), source="Scope, video2")

    def deeds() -> None:
        clinic.until_finding()
        assert clinic.live().source == "Scope, video2"

    clinic.use(Scope(), deeds)


def test_frozen_finding_is_of_the_frozen_picture(clinic: Clinic) -> None:
    def deeds() -> None:
        # With a map to make, the analysis lags behind the camera by several frames.
        clinic.press(pygame.K_o)
        clinic.until(lambda: clinic.live().overlay is not None)
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.live().frozen)

    app = clinic.use(Camera(), deeds)
    view = app.session.view()
    assert isinstance(view, LiveView)
    # The noise is landscape: what was judged is the whole frame, of which the field is a part.
    number = next(n for n in range(1, 3000) if (noise(n)[:, 20:140] == view.field).all())
    assert view.finding is not None
    _, expected = clinic.analyzer.asked.analyze_burst([frame_now(noise(number), 0, "test")])
    assert view.finding.probabilities == expected.probabilities


def test_freezing_before_the_first_finding_does_nothing(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until(clinic.fault)
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: not pygame.event.peek(pygame.KEYDOWN, pump=False))
        clinic.until_finding()
        assert clinic.live().frozen is None

    clinic.use(Camera(failures=1), deeds)


def test_o_shows_and_hides_the_overlay(clinic: Clinic, manifest: Manifest) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_o)
        clinic.until(lambda: clinic.live().overlay is not None)
        view = clinic.live()
        assert view.overlay_wanted
        assert view.explained in MALIGNANT
        assert view.overlay is not None
        own = manifest.live.outputs.class_activation_map
        assert own is not None
        assert view.overlay.shape == own.shape[:2]
        clinic.press(pygame.K_o)
        clinic.until(lambda: clinic.live().overlay is None)
        assert not clinic.live().overlay_wanted

    clinic.use(Camera(), deeds)


def test_diagnosis_is_explained_by_keyboard_alone(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        # Four targets come before the diagnoses.
        clinic.press(*[pygame.K_TAB] * 6, pygame.K_RETURN)
        clinic.until(lambda: clinic.explains(SCREEN_ORDER[1]))
        assert clinic.live().focus == SCREEN_ORDER[1]

    clinic.use(Camera(), deeds)


@pytest.mark.parametrize("code", ["bcc", "df"])
def test_touching_a_bar_explains_its_diagnosis(clinic: Clinic, code: str) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.click(clinic.target(code))
        clinic.until(lambda: clinic.explains(code))
        assert clinic.live().overlay_wanted

    clinic.use(Camera(), deeds)


def test_legend_goes_from_the_diagnosis_that_is_explained_to_the_next(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.click(clinic.target("overlay"))
        clinic.until(lambda: clinic.live().overlay is not None)
        first = SCREEN_ORDER.index(clinic.live().explained)
        for by in (1, 2, 3):
            clinic.click(clinic.target("next"))
            following = SCREEN_ORDER[(first + by) % len(SCREEN_ORDER)]
            clinic.until(lambda code=following: clinic.explains(code))

    # Of one picture: another may have another likeliest diagnosis.
    clinic.use(DemoSource(Clock(), scenes=(Scene(seed=1),), paced=False), deeds)


def test_targets_do_what_their_keys_do(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.click(clinic.target("overlay"))
        clinic.until(lambda: clinic.live().overlay is not None)
        clinic.click(clinic.target("mel"))
        clinic.until(lambda: clinic.explains("mel"))
        clinic.click(clinic.target("shutter"))
        clinic.until(lambda: clinic.live().frozen)

    clinic.use(Camera(), deeds)


def test_only_the_first_button_and_only_targets_act(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        for button in (2, 3, 4):
            clinic.click(clinic.target("more"), button)
            clinic.click(clinic.target("shutter"), button)
        clinic.click(clinic.renderer.layout.field.center)
        clinic.press(pygame.K_q, pygame.K_RETURN, pygame.K_ESCAPE)
        clinic.settle()
        view = clinic.live()
        assert (view.frozen, view.overlay_wanted) == (None, False)
        assert isinstance(clinic.view(), LiveView)

    clinic.use(Camera(), deeds)


def test_every_page_is_reached_and_left_by_touch_alone(clinic: Clinic) -> None:
    def deeds() -> None:
        def at(kind: type) -> None:
            clinic.until(lambda: isinstance(clinic.view(), kind))

        clinic.until_finding()
        clinic.open_compare()
        at(CompareView)
        clinic.click(clinic.target("back", "compare"))
        at(LiveView)
        clinic.click(clinic.target("more"))
        at(SettingsView)
        clinic.click(clinic.target("about", "settings"))
        at(AboutView)
        assert clinic.view().signed_by == "ab" * 32
        clinic.click(clinic.target("back", "about"))
        at(SettingsView)
        clinic.press(pygame.K_ESCAPE)
        at(LiveView)

    clinic.use(Camera(), deeds)


@pytest.mark.parametrize(
    ("ending", "command"), [("restart", Command.RESTART), ("off", Command.POWER_OFF)]
)
def test_appliance_is_left_by_touch_alone_and_not_at_once(
    clinic: Clinic, ending: str, command: Command
) -> None:
    clinic.options = {"appliance": True}

    def deeds() -> None:
        clinic.until_finding()
        for _ in range(2):
            clinic.click(clinic.target("more"))
            clinic.until(lambda: isinstance(clinic.view(), SettingsView))
            # Whoever touches twice, or changes his mind, stays.
            for _ in range(2):
                clinic.click(clinic.target("quit", "settings"))
            clinic.until(lambda: isinstance(clinic.view(), PowerView))
            clinic.click(clinic.target("back", "power"))
            clinic.until(lambda: isinstance(clinic.view(), SettingsView))
            clinic.press(pygame.K_ESCAPE)
            clinic.until(lambda: isinstance(clinic.view(), LiveView))
        clinic.click(clinic.target("more"))
        clinic.click(clinic.target("quit", "settings"))
        clinic.click(clinic.target(ending, "power"))
        clinic.until(lambda: not any(t.name == "analysis" for t in threading.enumerate()))

    clinic.use(Camera(), deeds)
    assert clinic.ending is command


def test_what_is_chosen_is_kept(clinic: Clinic, tmp_path: Path) -> None:
    clinic.options = {
        "preferences_folder": tmp_path,
        "preferences": Preferences(language="pt", limits_read=True),
    }
    slider = page_class(PageName.SETTINGS).places(clinic.renderer.layout)["opacity"]

    def deeds() -> None:
        clinic.until(lambda: clinic.view().language == "pt")
        clinic.click(clinic.target("more"))
        clinic.click(clinic.target("es", "settings"))
        clinic.click(clinic.target("light", "settings"))
        clinic.click(slider.center)
        for type_, more in (
            (pygame.MOUSEMOTION, {"rel": (1, 1)}),
            (pygame.MOUSEBUTTONUP, {"button": 1}),
        ):
            pygame.event.post(pygame.event.Event(type_, pos=slider.bottomright, **more))
        expected = Preferences(language="es", theme="light", opacity=1.0, limits_read=True)
        clinic.until(lambda: load_preferences(tmp_path, Preferences()) == expected)
        assert (clinic.view().language, clinic.live().opacity) == ("es", 1.0)
        assert clinic.view().theme == "light"

    clinic.use(Camera(), deeds)


@pytest.mark.parametrize("how", ["touch", "escape", "pedal"])
def test_what_it_is_not_for_is_said_once_before_the_first_examination(
    clinic: Clinic, tmp_path: Path, how: str
) -> None:
    def started() -> None:
        clinic.options = {
            "preferences": load_preferences(tmp_path, Preferences(language="pt")),
            "preferences_folder": tmp_path,
            "pedal_key": "f5",
        }

    def first() -> None:
        clinic.until(lambda: isinstance(clinic.view(), LimitsView))
        clinic.click(clinic.target("es", "limits"))
        clinic.until(lambda: clinic.view().language == "es")
        if how == "touch":
            clinic.click(clinic.target("back", "limits"))
        else:
            clinic.press({"escape": pygame.K_ESCAPE, "pedal": pygame.K_F5}[how])
        clinic.until_live()
        clinic.settle()
        # Whoever only has a pedal reads it, too, before the first picture.
        assert clinic.live().frozen is None
        expected = Preferences(language="es", limits_read=True)
        clinic.until(lambda: load_preferences(tmp_path, Preferences()) == expected)
        clinic.take()

    def second() -> None:
        clinic.until(clinic.view)
        assert isinstance(clinic.view(), LiveView)

    for deeds in (first, second):
        started()
        clinic.use(Camera(), deeds)


def test_panel_that_is_mounted_across_is_touched_where_it_shows(analyzer: Analyzer) -> None:
    screen = open_offscreen((480, 800))
    clinic = Clinic(analyzer, screen)
    clinic.renderer = Renderer((800, 480), analyzer.manifest)
    clinic.options = {"rotation": Rotation.QUARTER}

    def turned(place: tuple[int, int]) -> tuple[int, int]:
        return (480 - 1 - place[1], place[0])

    def deeds() -> None:
        clinic.until_finding()
        clinic.click(turned(clinic.target("more")))
        clinic.until(lambda: isinstance(clinic.view(), SettingsView))
        clinic.click(turned(clinic.target("light", "settings")))
        clinic.until(lambda: clinic.view().theme == "light")

    clinic.use(Camera(), deeds)
    upright = np.rot90(pixels_of(screen))
    status = part(upright, clinic.renderer.layout.status)
    assert count(status, theme.LIGHT.background) > 0.5 * status.size / 3
    close_screen()


def test_pointer_is_hidden_from_a_finger_and_shown_to_a_mouse(clinic: Clinic) -> None:
    skin = clinic.renderer.layout.field.center

    def deeds() -> None:
        clinic.until_finding()
        for touch in (True, False, True):
            more = {"pos": skin, "button": 1, "touch": touch}
            pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, more))
            clinic.until(lambda shown=not touch: pygame.mouse.get_visible() == shown)

    clinic.use(Camera(), deeds)


def test_finding_of_a_released_picture_does_not_come_back(clinic: Clinic) -> None:
    explain, begun, go_on = clinic.analyzer.map, threading.Event(), threading.Event()

    def slow(frame: Frame, code: Code, *rest: object, as_captured: bool) -> SaliencyMap:
        begun.set()
        go_on.wait(GIVE_UP_SECONDS)
        return explain(frame, code, lambda: None, as_captured=as_captured)

    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.live().frozen)
        frozen = clinic.live().frozen
        clinic.analyzer.map = slow
        clinic.click(clinic.target("df"))
        assert begun.wait(GIVE_UP_SECONDS)
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: not clinic.live().frozen)
        go_on.set()
        clinic.analyzer.map = explain
        clinic.settle()
        assert clinic.live().frozen is None
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.live().frozen)
        assert clinic.live().frozen > frozen

    clinic.use(Camera(), deeds)


def test_same_picture_is_the_same_object_so_that_it_is_not_drawn_again(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_SPACE, pygame.K_o)
        clinic.until(lambda: clinic.live().overlay is not None)
        one, other = clinic.live(), clinic.live()
        assert one.field is other.field
        assert one.overlay is other.overlay

    clinic.use(Camera(), deeds)


def test_frozen_picture_can_be_explained(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.live().frozen)
        kept = clinic.live()
        for code in ("akiec", "vasc"):
            clinic.click(clinic.target(code))
            clinic.until(lambda code=code: clinic.explains(code))
            view = clinic.live()
            assert view.frozen == kept.frozen
            assert view.finding.probabilities == kept.finding.probabilities
            np.testing.assert_array_equal(view.field, kept.field)

    clinic.use(Camera(), deeds)


@pytest.mark.parametrize("how", ["keyboard", "target", "window"])
def test_quitting_ends_the_run_and_its_threads(clinic: Clinic, how: str) -> None:
    camera = Camera()
    ended = threading.Event()

    def deeds() -> None:
        clinic.until_finding()
        if how == "keyboard":
            clinic.press(*[pygame.K_TAB] * 4, pygame.K_RETURN)
            # Quit is the last of the settings.
            clinic.press(pygame.K_UP, pygame.K_RETURN)
        elif how == "target":
            clinic.click(clinic.target("more"))
            clinic.click(clinic.target("quit", "settings"))
        else:
            pygame.event.post(pygame.event.Event(pygame.QUIT))
        clinic.until(lambda: camera.closed)
        ended.set()

    clinic.use(camera, deeds)
    assert ended.is_set()
    assert not [t for t in threading.enumerate() if t.name in ("camera", "analysis", "recorder")]


def test_run_ends_after_its_time(analyzer: Analyzer) -> None:
    screen = open_offscreen(SIZE)
    camera = Camera()
    app = App(camera, analyzer, Renderer(SIZE, analyzer.manifest), signed_by="", clock=Clock())
    assert app.run(screen, seconds=0.2) is Command.QUIT
    close_screen()
    # Whoever opened it closes it.
    assert not camera.closed


def test_picture_is_shown_in_rgb_order(clinic: Clinic, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(np.full((240, 240, 3), (200, 100, 50), np.uint8), "PNG"))

    def deeds() -> None:
        clinic.until_finding()
        clinic.settle()

    clinic.use(ReplaySource(path, Clock(), paced=False), deeds)
    field = clinic.renderer.layout.field
    assert clinic.colours()[field.centerx, field.centery].tolist() == [200, 100, 50]


def test_close_may_be_called_twice_and_before_the_run(analyzer: Analyzer) -> None:
    screen = open_offscreen(SIZE)
    app = App(
        Camera(),
        analyzer,
        Renderer(SIZE, analyzer.manifest),
        signed_by="",
        clock=Clock(),
        preferences=READ,
    )
    app.close()
    app.close()
    assert app.session.view().field is None
    del screen
    close_screen()
