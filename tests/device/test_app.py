import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pygame
import pytest

from device.app import App
from device.capture.demo import DemoSource, Scene
from device.capture.frame import Frame, FrameSource, frame_now
from device.capture.replay import ReplaySource
from device.diagnoses import MALIGNANT, SCREEN_ORDER, Code
from device.errors import ConfigError, RecordError, SourceError
from device.imaging.field import FieldOfView
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding, SaliencyMap
from device.inference.manifest import Manifest
from device.loop.analysis import FAILED as ANALYSIS_FAILED
from device.loop.camera import BURST
from device.loop.camera import FAILED as CAMERA_FAILED
from device.loop.earlier import MOST
from device.optics import Optics
from device.preferences import Preferences, load_preferences, save_preferences
from device.records.store import FolderRecords
from device.screen.display import close_screen, open_nowhere
from device.screen.renderer import Renderer
from device.screen.view import AboutView, CompareView, LiveView, OffView, SettingsView, TroubleView
from device.service import Heartbeat, Notifier
from tests.device.images import encoded

SIZE = (800, 480)
GIVE_UP_SECONDS = 10.0


class Camera:
    """A source of noise that counts what is asked of it, and fails when told to."""

    name = "camera"

    def __init__(self, failures: int = 0, frames: int | None = None) -> None:
        self.failures = failures
        self.left = frames
        self.reads = 0
        self.closed = 0

    def read(self, timeout: float = 1.0) -> Frame | None:
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise SourceError("the camera was unplugged; plug it in again")
        if self.left is not None:
            if self.left == 0:
                return None
            self.left -= 1
        time.sleep(0.01)
        pixels = np.random.default_rng(self.reads).integers(0, 256, (120, 160, 3), np.uint8)
        return frame_now(pixels, self.reads, self.name)

    def still(self, timeout: float = 1.0) -> Frame | None:
        return self.read(timeout)

    def lock_exposure(self, locked: bool) -> None:
        self.locked = locked

    def close(self) -> None:
        self.closed += 1

    def __enter__(self) -> "Camera":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Clinic:
    """An app on a screen, and someone who uses it while it runs."""

    def __init__(self, analyzer: Analyzer, screen: pygame.Surface) -> None:
        self.analyzer = analyzer
        self.screen = screen
        self.renderer = Renderer(screen.get_size(), analyzer.manifest)
        self.options: dict[str, object] = {}
        self.app: App
        self.ending = ""

    def use(self, source: FrameSource, deeds: Callable[[], None]) -> App:
        """Run the app on this thread while `deeds` are done on another; then quit."""
        self.app = App(source, self.analyzer, self.renderer, signed_by="ab" * 32, **self.options)
        failed: list[BaseException] = []

        def act() -> None:
            try:
                deeds()
            except BaseException as error:  # told by the test's own thread
                failed.append(error)
            finally:
                pygame.event.post(pygame.event.Event(pygame.QUIT))

        person = threading.Thread(target=act)
        person.start()
        self.ending = self.app.run(self.screen, seconds=2 * GIVE_UP_SECONDS)
        person.join()
        if failed:
            raise failed[0]
        return self.app

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + GIVE_UP_SECONDS
        while not condition():
            assert time.monotonic() < end, "it never happened"
            time.sleep(0.01)

    def until_finding(self) -> None:
        self.until(lambda: self.live().finding)

    def live(self) -> LiveView:
        """Return the live view, which may stand behind another page."""
        view = self.app.view()
        return view if isinstance(view, LiveView) else view.behind

    def target(self, name: str, page: str = "live") -> tuple[int, int]:
        return self.renderer.layout.targets[page][name].center

    def trouble(self) -> str:
        view = self.app.view()
        return view.words if isinstance(view, TroubleView) else ""

    def explains(self, code: str) -> bool:
        view = self.live()
        return view.overlay is not None and view.explained == code

    def press(self, *keys: int) -> None:
        for key in keys:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))

    def click(self, place: tuple[int, int], button: int = 1) -> None:
        pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=place, button=button))

    def take(self) -> None:
        """Press the shutter and wait for the picture."""
        self.press(pygame.K_SPACE)
        self.until(lambda: self.live().frozen)

    def release(self) -> None:
        self.press(pygame.K_SPACE)
        self.until(lambda: not self.live().frozen)

    def settle(self) -> None:
        """Wait until events posted before now are handled and a later frame is analyzed."""
        pygame.event.post(pygame.event.Event(pygame.USEREVENT))
        self.until(lambda: not pygame.event.peek(pygame.USEREVENT, pump=False))
        for _ in range(2):
            seen = self.live().finding
            self.until(lambda seen=seen: self.live().finding is not seen)

    def colours(self) -> np.ndarray:
        return pygame.surfarray.array3d(self.screen)


@pytest.fixture
def clinic(analyzer: Analyzer) -> Iterator[Clinic]:
    screen = open_nowhere(SIZE)
    pygame.event.clear()
    yield Clinic(analyzer, screen)
    close_screen()


def test_demonstration_runs_and_is_judged(clinic: Clinic, manifest: Manifest) -> None:
    def deeds() -> None:
        clinic.until_finding()
        view = clinic.live()
        assert view.field is not None
        assert view.field.shape == (768, 768, 3)
        assert view.finding is not None
        assert view.finding.model == manifest.model_id
        assert (view.source, view.frozen) == ("demo", None)
        assert view.overlay is None
        clinic.settle()

    clinic.use(DemoSource((Scene(seed=1),), paced=False), deeds)
    assert len(np.unique(clinic.colours().reshape(-1, 3), axis=0)) > 100


def test_replay_without_end_keeps_giving_new_findings(clinic: Clinic, photo: Path) -> None:
    def deeds() -> None:
        for _ in range(3):
            clinic.until_finding()
            clinic.settle()

    clinic.use(ReplaySource(photo, loop=True, paced=False), deeds)


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


def test_frozen_finding_is_of_the_frozen_picture(clinic: Clinic) -> None:
    def deeds() -> None:
        # With a map to make, the analysis lags behind the camera by several frames.
        clinic.press(pygame.K_o)
        clinic.until(lambda: clinic.live().overlay is not None)
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.live().frozen)

    app = clinic.use(Camera(), deeds)
    view = app.view()
    assert isinstance(view, LiveView)
    # The noise is landscape: what was judged is the whole frame, of which the field is a part.
    number = next(n for n in range(1, 3000) if (noise(n)[:, 20:140] == view.field).all())
    assert view.finding is not None
    _, expected = clinic.analyzer.analyze_burst([frame_now(noise(number), 0, "test")])
    assert view.finding.probabilities == expected.probabilities


def noise(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (120, 160, 3), np.uint8)


def test_freezing_before_the_first_finding_does_nothing(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until(clinic.trouble)
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
        own = manifest.outputs.class_activation_map
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
        assert isinstance(clinic.app.view(), LiveView)

    clinic.use(Camera(), deeds)


def test_every_page_is_reached_and_left_by_touch_alone(clinic: Clinic) -> None:
    def deeds() -> None:
        def at(kind: type) -> None:
            clinic.until(lambda: isinstance(clinic.app.view(), kind))

        clinic.until_finding()
        clinic.click(clinic.target("compare"))
        at(CompareView)
        clinic.click(clinic.target("back", "compare"))
        at(LiveView)
        clinic.click(clinic.target("more"))
        at(SettingsView)
        clinic.click(clinic.target("about", "settings"))
        at(AboutView)
        assert clinic.app.view().signed_by == "ab" * 32
        clinic.click(clinic.target("back", "about"))
        at(SettingsView)
        clinic.press(pygame.K_ESCAPE)
        at(LiveView)

    clinic.use(Camera(), deeds)


@pytest.mark.parametrize("ending", ["restart", "off"])
def test_appliance_is_left_by_touch_alone_and_not_at_once(clinic: Clinic, ending: str) -> None:
    clinic.options = {"appliance": True}

    def deeds() -> None:
        clinic.until_finding()
        for _ in range(2):
            clinic.click(clinic.target("more"))
            clinic.until(lambda: isinstance(clinic.app.view(), SettingsView))
            # Whoever touches twice, or changes his mind, stays.
            for _ in range(2):
                clinic.click(clinic.target("quit", "settings"))
            clinic.until(lambda: isinstance(clinic.app.view(), OffView))
            clinic.click(clinic.target("back", "off"))
            clinic.until(lambda: isinstance(clinic.app.view(), SettingsView))
            clinic.press(pygame.K_ESCAPE)
            clinic.until(lambda: isinstance(clinic.app.view(), LiveView))
        clinic.click(clinic.target("more"))
        clinic.click(clinic.target("quit", "settings"))
        clinic.click(clinic.target(ending, "off"))
        clinic.until(lambda: not any(t.name == "analysis" for t in threading.enumerate()))

    clinic.use(Camera(), deeds)
    assert clinic.ending == ending


def test_released_pictures_can_be_compared_the_newest_first(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        kept = []
        for _ in range(2):
            clinic.take()
            kept.append(clinic.live())
            clinic.release()
            clinic.settle()
        clinic.click(clinic.target("compare"))
        clinic.until(lambda: isinstance(clinic.app.view(), CompareView))
        view = clinic.app.view()
        assert (view.number, view.count, view.present.time) == (1, 2, None)
        np.testing.assert_array_equal(view.earlier.field, kept[1].field)
        clinic.click(clinic.target("previous", "compare"))
        clinic.until(lambda: clinic.app.view().number == 2)
        view = clinic.app.view()
        np.testing.assert_array_equal(view.earlier.field, kept[0].field)
        assert view.earlier.finding.probabilities == kept[0].finding.probabilities
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.app.view().present.time)

    clinic.use(Camera(), deeds)


def test_still_picture_is_compared_without_a_change(clinic: Clinic, photo: Path) -> None:
    def deeds() -> None:
        clinic.until_finding()
        alone = clinic.live().finding
        clinic.take()
        clinic.release()
        clinic.until(lambda: clinic.live().finding.probabilities == alone.probabilities)
        clinic.press(pygame.K_o)
        clinic.click(clinic.target("compare"))
        clinic.until(lambda: isinstance(clinic.app.view(), CompareView))
        end = time.monotonic() + 1.0
        findings = set()
        while time.monotonic() < end:
            view = clinic.app.view()
            if view.present.finding:
                findings.add(view.present.finding.probabilities)
            time.sleep(0.005)
        assert findings == {view.earlier.finding.probabilities}
        averaged = clinic.analyzer.manifest.averaging == "dihedral"
        assert (findings != {alone.probabilities}) == averaged
        # Back among the bars of the live view, maps are made again.
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.app.view().present.time)
        clinic.press(pygame.K_ESCAPE)
        clinic.until(lambda: isinstance(clinic.app.view(), LiveView))
        clinic.until(lambda: clinic.live().frozen and clinic.live().overlay is not None)

    clinic.use(ReplaySource(photo, paced=False), deeds)


def test_no_more_than_twelve_earlier_pictures_are_held(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        for _ in range(MOST + 2):
            clinic.take()
            clinic.release()
        assert len(clinic.app.earlier_pictures()) == MOST

    clinic.use(Camera(), deeds)


def test_pedal_is_the_shutter(clinic: Clinic) -> None:
    clinic.options = {"pedal_key": "f5"}

    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_F5)
        clinic.until(lambda: clinic.live().frozen)

    clinic.use(Camera(), deeds)


@pytest.mark.parametrize("name", ["no such key", "space", "tab"])
def test_pedal_that_cannot_be_one_is_refused(clinic: Clinic, name: str) -> None:
    clinic.options = {"pedal_key": name}
    with pytest.raises(ConfigError, match=f'pedal_key: .*"{name}"'):
        clinic.use(Camera(), lambda: None)


def test_what_is_chosen_is_kept(clinic: Clinic, tmp_path: Path) -> None:
    clinic.options = {"state_folder": tmp_path, "preferences": Preferences(language="pt")}
    slider = clinic.renderer.layout.targets["settings"]["opacity"]

    def deeds() -> None:
        clinic.until(lambda: clinic.app.view().language == "pt")
        clinic.click(clinic.target("more"))
        clinic.click(clinic.target("es", "settings"))
        clinic.click(slider.center)
        for type_, more in ((pygame.MOUSEMOTION, {}), (pygame.MOUSEBUTTONUP, {"button": 1})):
            pygame.event.post(pygame.event.Event(type_, pos=slider.bottomright, **more))
        expected = Preferences(language="es", opacity=1.0)
        clinic.until(lambda: load_preferences(tmp_path, Preferences()) == expected)
        assert (clinic.app.view().language, clinic.live().opacity) == ("es", 1.0)

    clinic.use(Camera(), deeds)


def test_choice_that_cannot_be_kept_is_told(clinic: Clinic) -> None:
    clinic.options = {"state_folder": Path("/proc/nobody")}

    def deeds() -> None:
        clinic.click(clinic.target("more"))
        clinic.click(clinic.target("pt", "settings"))
        clinic.until(lambda: isinstance(clinic.app.view(), SettingsView))
        clinic.until(lambda: "cannot be kept" in clinic.app.view().trouble)

    clinic.use(Camera(), deeds)


class FailsOnce(Camera):
    """A camera whose program has a fault of its own."""

    failed = False

    def read(self, timeout: float = 1.0) -> Frame | None:
        if not self.failed:
            self.failed = True
            raise ZeroDivisionError("by nought")
        return super().read(timeout)


def test_fault_of_the_camera_thread_is_shown_and_it_goes_on(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until(clinic.trouble)
        assert clinic.trouble() == CAMERA_FAILED
        assert clinic.app.view().detail == "ZeroDivisionError: by nought"
        clinic.until_finding()
        clinic.until(lambda: not clinic.trouble())

    clinic.use(FailsOnce(), deeds)


def test_fault_of_the_analysis_thread_is_shown_and_it_goes_on(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(frame: Frame) -> None:
        raise RuntimeError("no tensor")

    def deeds() -> None:
        clinic.until_finding()
        with monkeypatch.context() as broken:
            broken.setattr(clinic.analyzer, "follow", fails)
            clinic.until(clinic.trouble)
            assert clinic.trouble() == ANALYSIS_FAILED
        clinic.until(lambda: not clinic.trouble())

    clinic.use(Camera(), deeds)


def test_finding_of_a_released_picture_does_not_come_back(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain, begun, go_on = clinic.analyzer.explain, threading.Event(), threading.Event()

    def slow(frame: Frame, code: Code, *rest: object, frozen: bool = False) -> SaliencyMap:
        begun.set()
        go_on.wait(GIVE_UP_SECONDS)
        return explain(frame, code)

    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.live().frozen)
        frozen = clinic.live().frozen
        monkeypatch.setattr(clinic.analyzer, "explain", slow)
        clinic.click(clinic.target("df"))
        assert begun.wait(GIVE_UP_SECONDS)
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: not clinic.live().frozen)
        go_on.set()
        monkeypatch.setattr(clinic.analyzer, "explain", explain)
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
def test_quitting_ends_the_run_and_closes_the_source(clinic: Clinic, how: str) -> None:
    camera = Camera()
    ended = threading.Event()

    def deeds() -> None:
        clinic.until_finding()
        if how == "keyboard":
            clinic.press(*[pygame.K_TAB] * 4, pygame.K_RETURN)
            clinic.press(*[pygame.K_TAB] * 2, pygame.K_RETURN)
        elif how == "target":
            clinic.click(clinic.target("more"))
            clinic.click(clinic.target("quit", "settings"))
        else:
            pygame.event.post(pygame.event.Event(pygame.QUIT))
        clinic.until(lambda: camera.closed)
        ended.set()

    clinic.use(camera, deeds)
    assert ended.is_set()
    assert not [t for t in threading.enumerate() if t.name in ("capture", "analysis")]


def test_run_ends_after_its_time(analyzer: Analyzer) -> None:
    screen = open_nowhere(SIZE)
    camera = Camera()
    App(camera, analyzer, Renderer(SIZE, analyzer.manifest), signed_by="").run(screen, seconds=0.2)
    close_screen()
    assert camera.closed


def test_trouble_is_shown_and_goes_when_the_source_recovers(clinic: Clinic) -> None:
    camera = Camera(failures=2)

    def deeds() -> None:
        clinic.until(clinic.trouble)
        assert clinic.trouble() == "the camera was unplugged; plug it in again"
        assert clinic.live().finding is None
        clinic.until_finding()
        clinic.until(lambda: not clinic.trouble())

    clinic.use(camera, deeds)
    assert camera.reads > 2


def test_trouble_in_the_middle_recovers_too(clinic: Clinic) -> None:
    camera = Camera()

    def deeds() -> None:
        clinic.until_finding()
        assert clinic.live().lost is None
        camera.failures = 1
        clinic.until(clinic.trouble)
        old = clinic.live().finding
        assert clinic.live().lost
        clinic.until(lambda: not clinic.trouble())
        clinic.until(lambda: clinic.live().finding is not old)
        assert clinic.live().lost is None
        clinic.take()
        camera.failures = 1
        # What is held was never live.
        clinic.until(lambda: not camera.failures)
        assert clinic.live().lost is None

    clinic.use(camera, deeds)


def test_camera_that_is_lost_is_seen_beside_an_earlier_picture_too(clinic: Clinic) -> None:
    camera = Camera()

    def deeds() -> None:
        clinic.until_finding()
        clinic.click(clinic.target("compare"))
        clinic.until(lambda: isinstance(clinic.app.view(), CompareView))
        assert clinic.app.view().lost is None
        camera.failures = 2
        clinic.until(lambda: clinic.app.view().lost)
        clinic.until(lambda: not clinic.app.view().lost)

    clinic.use(camera, deeds)


def test_trouble_stays_while_nothing_can_be_read(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"hello")
    source = ReplaySource(tmp_path, paced=False)

    def deeds() -> None:
        clinic.until(clinic.trouble)
        # The source is tried again every second: its second failure must not look like success.
        for _ in range(15):
            time.sleep(0.1)
            assert clinic.trouble()

    clinic.use(source, deeds)


def test_last_picture_stays_when_a_finite_source_ends(clinic: Clinic) -> None:
    camera = Camera(frames=3)

    def deeds() -> None:
        clinic.until(lambda: camera.left == 0)
        clinic.until(lambda: camera.reads == 4)
        clinic.until_finding()
        view = clinic.live()
        np.testing.assert_array_equal(view.field, noise(3)[:, 20:140])

    clinic.use(camera, deeds)


def test_picture_is_shown_in_rgb_order(clinic: Clinic, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(np.full((240, 240, 3), (200, 100, 50), np.uint8), "PNG"))

    def deeds() -> None:
        clinic.until_finding()
        clinic.settle()

    clinic.use(ReplaySource(path, paced=False), deeds)
    field = clinic.renderer.layout.field
    assert clinic.colours()[field.centerx, field.centery].tolist() == [200, 100, 50]


def test_close_may_be_called_twice_and_before_the_run(analyzer: Analyzer) -> None:
    screen = open_nowhere(SIZE)
    app = App(Camera(), analyzer, Renderer(SIZE, analyzer.manifest), signed_by="")
    app.close()
    app.close()
    assert app.view().field is None
    del screen
    close_screen()


class Handheld(Camera):
    """A source whose hand shakes: of its stills only the third is sharp."""

    def __init__(self) -> None:
        super().__init__()
        self.stills = 0
        self.locks: list[tuple[bool, int]] = []

    def read(self, timeout: float = 1.0) -> Frame | None:
        time.sleep(0.01)
        self.reads += 1
        return frame_now(lesion(blur=3.0), self.reads, self.name)

    def still(self, timeout: float = 1.0) -> Frame | None:
        self.stills += 1
        return frame_now(lesion(blur=0.4 if self.stills == 3 else 3.0), self.reads, self.name)

    def lock_exposure(self, locked: bool) -> None:
        self.locks.append((locked, self.stills))


def lesion(blur: float) -> np.ndarray:
    picture = np.full((300, 400, 3), (210, 165, 145), np.uint8)
    cv2.circle(picture, (200, 150), 60, (95, 60, 50), -1)
    cv2.circle(picture, (185, 140), 25, (60, 35, 35), -1)
    grain = np.random.default_rng(5).integers(-12, 12, (300, 400, 1))
    picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(picture, (0, 0), blur).astype(np.uint8)


def test_shutter_keeps_the_sharpest_of_a_burst_with_the_exposure_held(clinic: Clinic) -> None:
    camera = Handheld()

    def deeds() -> None:
        clinic.until_finding()
        clinic.take()
        view = clinic.live()
        np.testing.assert_array_equal(view.field, lesion(blur=0.4)[:, 50:350])

    clinic.use(camera, deeds)
    assert camera.stills == BURST
    assert camera.locks == [(True, 0), (False, BURST)]


def test_taken_picture_is_measured_and_kept(clinic: Clinic, tmp_path: Path) -> None:
    records = FolderRecords(tmp_path / "examinations")
    optics = Optics(mm_per_pixel=0.05, width=400, height=300, calibrated=datetime.now(UTC))
    clinic.options = {"records": records, "optics": optics}

    def deeds() -> None:
        clinic.until_finding()
        clinic.take()
        clinic.until(lambda: clinic.live().kept)
        view = clinic.live()
        assert view.measures.diameter_mm == pytest.approx(6.0, abs=0.5)
        assert np.abs(view.outline.mean(axis=0) - 0.5).max() < 0.05
        (identifier,) = records.identifiers()
        kept = records.read(identifier)
        np.testing.assert_array_equal(kept.image, lesion(blur=0.4))
        assert kept.record.measures == view.measures
        assert tuple(kept.record.finding.probabilities.values()) == view.finding.probabilities

    clinic.use(Handheld(), deeds)


def test_picture_that_cannot_be_kept_is_told(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    clinic.options = {"records": FolderRecords(tmp_path / "file" / "examinations")}

    def deeds() -> None:
        clinic.until_finding()
        clinic.take()
        clinic.until(lambda: clinic.live().kept is False)
        assert clinic.live().finding is not None

    clinic.use(Handheld(), deeds)


def test_examinations_of_earlier_days_can_be_compared(clinic: Clinic, tmp_path: Path) -> None:
    records = FolderRecords(tmp_path)
    frame = frame_now(lesion(blur=1.0), 0, "camera")
    finding = clinic.analyzer.analyze(frame)
    records.keep(frame, finding, [], None)
    damaged = records.keep(frame, finding, [], None)
    (tmp_path / damaged / "image.png").write_bytes(b"no picture")
    clinic.options = {"records": records}

    def deeds() -> None:
        clinic.until(clinic.app.earlier_pictures)
        (earlier,) = clinic.app.earlier_pictures()
        assert abs((earlier.time - frame.time).total_seconds()) < 1.0
        assert earlier.finding.probabilities == finding.probabilities
        assert earlier.finding.no_call == finding.no_call
        np.testing.assert_array_equal(earlier.field, lesion(blur=1.0)[:, 50:350])

    clinic.use(Camera(), deeds)


def test_button_presses_the_shutter_from_its_own_thread(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.app.press_shutter()
        clinic.until(lambda: clinic.live().frozen)

    clinic.use(Camera(), deeds)


def test_camera_that_fails_at_the_shutter_leaves_the_view_live(clinic: Clinic) -> None:
    class NoStill(Camera):
        def still(self, timeout: float = 1.0) -> Frame | None:
            raise SourceError("the camera was unplugged; plug it in again")

    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_SPACE)
        clinic.until(clinic.trouble)
        clinic.settle()
        assert clinic.live().frozen is None
        assert clinic.live().progress is None

    clinic.use(NoStill(), deeds)


def test_last_picture_of_a_replay_can_be_taken(clinic: Clinic) -> None:
    camera = Camera(frames=3)

    def deeds() -> None:
        clinic.until(lambda: camera.reads == 4)
        clinic.until_finding()
        clinic.take()
        np.testing.assert_array_equal(clinic.live().field, noise(3)[:, 20:140])

    clinic.use(camera, deeds)


def test_motion_of_the_hand_is_part_of_the_finding(clinic: Clinic) -> None:
    class Shaking(Camera):
        def read(self, timeout: float = 1.0) -> Frame | None:
            frame = super().read(timeout)
            pixels = np.roll(lesion(blur=1.0), 24 * (self.reads % 2), axis=1)
            return replace(frame, pixels=pixels)

    def deeds() -> None:
        clinic.until_finding()
        clinic.until(lambda: (clinic.live().finding.quality.motion or 0.0) > 0.05)

    clinic.use(Shaking(), deeds)


def test_service_manager_hears_when_the_picture_stands_and_that_all_is_well(
    clinic: Clinic, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(GIVE_UP_SECONDS)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        clinic.options = {"heartbeat": Heartbeat(Notifier(environment))}
        heard: list[bytes] = []

        def deeds() -> None:
            while b"READY=1" not in heard or heard.count(b"WATCHDOG=1") < 2:
                heard.append(manager.recv(100))

        clinic.use(Camera(), deeds)
        manager.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                heard.append(manager.recv(100))
    assert heard.count(b"READY=1") == 1
    assert heard[-1] == b"STOPPING=1"


def test_stuck_camera_starves_the_watchdog(clinic: Clinic, tmp_path: Path) -> None:
    go_on = threading.Event()

    class Stuck(Camera):
        def read(self, timeout: float = 1.0) -> Frame | None:
            if self.reads > 3:
                go_on.wait(GIVE_UP_SECONDS)
            return super().read(timeout)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(GIVE_UP_SECONDS)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        allowances = {"capture": 0.5, "analysis": 60.0, "screen": 60.0}
        clinic.options = {"heartbeat": Heartbeat(Notifier(environment), allowances)}

        def deeds() -> None:
            try:
                while manager.recv(100) != b"STATUS=No progress: capture":
                    pass
                manager.settimeout(0.5)
                with pytest.raises(TimeoutError):
                    manager.recv(100)
            finally:
                go_on.set()

        clinic.use(Stuck(), deeds)


def test_finding_of_one_camera_is_not_shown_for_the_next_that_is_plugged_in(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    analyze, go_on = clinic.analyzer.follow, threading.Event()

    class Replaced(Camera):
        shape = (480, 640)

        def read(self, timeout: float = 1.0) -> Frame | None:
            frame = super().read(timeout)
            return replace(frame, pixels=np.full((*self.shape, 3), 90, np.uint8))

    camera = Replaced()

    def late(frame: Frame, motion: float | None = None, **how: bool) -> Finding:
        if frame.pixels.shape[:2] != (480, 640):
            go_on.wait(GIVE_UP_SECONDS)
        finding = analyze(frame, motion, **how)
        side = frame.pixels.shape[0] // 3
        return replace(finding, field=FieldOfView(frame.pixels.shape[1] - side, 2 * side, side))

    def deeds() -> None:
        monkeypatch.setattr(clinic.analyzer, "follow", late)
        clinic.until_finding()
        camera.shape = (240, 320)
        clinic.until(lambda: clinic.live().field.shape == (240, 240, 3))
        assert clinic.live().finding is None
        go_on.set()
        clinic.until_finding()
        clinic.until(lambda: clinic.live().field.shape == (80, 80, 3))

    clinic.use(camera, deeds)


def test_pressing_again_while_the_picture_is_taken_loses_nothing(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = FolderRecords(tmp_path)
    clinic.options = {"records": records}
    judge, begun, go_on = clinic.analyzer.analyze_burst, threading.Event(), threading.Event()

    def slow(*given: object) -> tuple[Frame, Finding]:
        begun.set()
        go_on.wait(GIVE_UP_SECONDS)
        return judge(*given)

    def deeds() -> None:
        clinic.until_finding()
        monkeypatch.setattr(clinic.analyzer, "analyze_burst", slow)
        clinic.press(pygame.K_SPACE)
        assert begun.wait(GIVE_UP_SECONDS)
        clinic.press(pygame.K_SPACE, pygame.K_ESCAPE, pygame.K_SPACE)
        clinic.until(lambda: not pygame.event.peek(pygame.KEYDOWN, pump=False))
        time.sleep(0.1)
        go_on.set()
        clinic.until(lambda: clinic.live().frozen)
        clinic.until(lambda: clinic.live().kept)
        clinic.release()
        assert len(clinic.app.earlier_pictures()) == len(records.identifiers()) == 1

    clinic.use(Camera(), deeds)


def test_press_that_came_to_nothing_is_told_long_enough_to_be_read(clinic: Clinic) -> None:
    class NoStill(Camera):
        broken = True

        def still(self, timeout: float = 1.0) -> Frame | None:
            if self.broken:
                raise SourceError("the camera was unplugged; plug it in again")
            return super().still(timeout)

    camera = NoStill()

    def deeds() -> None:
        clinic.until_finding()
        clinic.click(clinic.target("compare"))
        clinic.until(lambda: isinstance(clinic.app.view(), CompareView))
        clinic.press(pygame.K_SPACE)
        clinic.until(clinic.trouble)
        # The live view goes on behind it.
        reads = camera.reads
        clinic.until(lambda: camera.reads > reads + 20)
        assert clinic.trouble() == "the camera was unplugged; plug it in again"
        camera.broken = False
        clinic.take()
        assert not clinic.trouble()

    clinic.use(camera, deeds)


def test_picture_that_is_let_go_before_it_could_be_kept_is_told(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, go_on = FolderRecords(tmp_path), threading.Event()
    clinic.options = {"records": records}

    def slow(*given: object) -> str:
        go_on.wait(GIVE_UP_SECONDS)
        raise RecordError("the examination could not be kept; free space")

    monkeypatch.setattr(records, "keep", slow)

    def deeds() -> None:
        clinic.until_finding()
        clinic.take()
        clinic.release()
        go_on.set()
        clinic.until(clinic.trouble)
        assert clinic.trouble() == "the examination could not be kept; free space"

    clinic.use(Camera(), deeds)


def test_card_that_is_slow_does_not_hold_the_screen_up(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.options = {"state_folder": tmp_path}
    go_on, begun = threading.Event(), threading.Event()

    def slow(folder: Path, chosen: Preferences) -> None:
        begun.set()
        go_on.wait(GIVE_UP_SECONDS)
        save_preferences(folder, chosen)

    monkeypatch.setattr("device.loop.choices.save_preferences", slow)

    def deeds() -> None:
        clinic.until_finding()
        clinic.click(clinic.target("more"))
        clinic.click(clinic.target("es", "settings"))
        assert begun.wait(GIVE_UP_SECONDS)
        clinic.click(clinic.target("pt", "settings"))
        clinic.until(lambda: clinic.app.view().language == "pt")
        pygame.event.post(pygame.event.Event(pygame.QUIT))
        clinic.until(lambda: not any(t.name == "analysis" for t in threading.enumerate()))
        go_on.set()

    clinic.use(Camera(), deeds)
    # What was chosen last is written, though the program was told to end.
    assert load_preferences(tmp_path, Preferences()).language == "pt"
