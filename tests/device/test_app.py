import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pygame
import pytest

from device.app import App, Latest
from device.capture.demo import DemoSource, Scene
from device.capture.frame import Frame, FrameSource, frame_now
from device.capture.replay import ReplaySource
from device.diagnoses import MALIGNANT, SCREEN_ORDER
from device.errors import SourceError
from device.inference.analyzer import Analyzer
from device.inference.manifest import Manifest
from device.screen.display import close_screen, open_nowhere
from device.screen.renderer import Renderer
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
        self.app: App

    def use(self, source: FrameSource, deeds: Callable[[], None]) -> App:
        """Run the app on this thread while `deeds` are done on another; then quit."""
        self.app = App(source, self.analyzer, self.renderer)
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
        self.app.run(self.screen, seconds=2 * GIVE_UP_SECONDS)
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
        self.until(lambda: self.app.view().finding)

    def explains(self, code: str) -> bool:
        view = self.app.view()
        return view.overlay is not None and view.explained == code

    def press(self, *keys: int) -> None:
        for key in keys:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))

    def click(self, place: tuple[int, int], button: int = 1) -> None:
        pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=place, button=button))

    def settle(self) -> None:
        """Wait until events posted before now are handled and a later frame is analyzed."""
        pygame.event.post(pygame.event.Event(pygame.USEREVENT))
        self.until(lambda: not pygame.event.peek(pygame.USEREVENT, pump=False))
        for _ in range(2):
            seen = self.app.view().finding
            self.until(lambda seen=seen: self.app.view().finding is not seen)

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
        view = clinic.app.view()
        assert view.field is not None
        assert view.field.shape == (768, 768, 3)
        assert view.finding is not None
        assert view.finding.model == manifest.model_id
        assert (view.source, view.trouble, view.frozen) == ("demo", "", None)
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
        clinic.until(lambda: clinic.app.view().frozen)
        kept = clinic.app.view()
        reads = camera.reads
        clinic.until(lambda: camera.reads > reads + 10)
        still = clinic.app.view()
        assert still.frozen == kept.frozen
        assert still.finding is kept.finding
        assert still.finding_age == 0.0
        np.testing.assert_array_equal(still.field, kept.field)
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.app.view().frozen is None)
        clinic.until(lambda: not np.array_equal(clinic.app.view().field, kept.field))
        clinic.until(lambda: clinic.app.view().finding is not kept.finding)

    clinic.use(camera, deeds)


def test_frozen_finding_is_of_the_frozen_picture(clinic: Clinic) -> None:
    def deeds() -> None:
        # With a map to make, the analysis lags behind the camera by several frames.
        clinic.press(pygame.K_o)
        clinic.until(lambda: clinic.app.view().overlay is not None)
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.app.view().frozen)

    app = clinic.use(Camera(), deeds)
    view = app.view()
    # The noise is landscape: what was judged is the whole frame, of which the field is a part.
    number = next(n for n in range(1, 3000) if (noise(n)[:, 20:140] == view.field).all())
    assert view.finding is not None
    expected = clinic.analyzer.analyze(frame_now(noise(number), 0, "test"))
    assert view.finding.probabilities == expected.probabilities


def noise(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (120, 160, 3), np.uint8)


def test_freezing_before_the_first_finding_does_nothing(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until(lambda: clinic.app.view().trouble)
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: not pygame.event.peek(pygame.KEYDOWN, pump=False))
        clinic.until_finding()
        assert clinic.app.view().frozen is None

    clinic.use(Camera(failures=1), deeds)


def test_o_shows_and_hides_the_overlay(clinic: Clinic, manifest: Manifest) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_o)
        clinic.until(lambda: clinic.app.view().overlay is not None)
        view = clinic.app.view()
        assert view.overlay_wanted
        assert view.explained in MALIGNANT
        assert view.overlay is not None
        assert view.overlay.shape == (manifest.input.height, manifest.input.width)
        clinic.press(pygame.K_o)
        clinic.until(lambda: clinic.app.view().overlay is None)
        assert not clinic.app.view().overlay_wanted

    clinic.use(Camera(), deeds)


def test_tab_goes_through_the_diagnoses_in_the_order_of_the_screen(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        for code in (*SCREEN_ORDER, SCREEN_ORDER[0]):
            clinic.press(pygame.K_TAB)
            clinic.until(lambda code=code: clinic.explains(code))

    clinic.use(Camera(), deeds)


def test_two_quick_tabs_go_two_diagnoses_on(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_TAB)
        clinic.until(lambda: clinic.explains(SCREEN_ORDER[0]))
        clinic.press(pygame.K_TAB, pygame.K_TAB)
        clinic.settle()
        assert clinic.app.view().explained == SCREEN_ORDER[2]

    clinic.use(Camera(), deeds)


@pytest.mark.parametrize("code", ["bcc", "df"])
def test_touching_a_bar_explains_its_diagnosis(clinic: Clinic, code: str) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.click(clinic.renderer.layout.bars[code].center)
        clinic.until(lambda: clinic.explains(code))
        assert clinic.app.view().overlay_wanted

    clinic.use(Camera(), deeds)


def test_targets_do_what_their_keys_do(clinic: Clinic) -> None:
    targets = clinic.renderer.layout.targets

    def deeds() -> None:
        clinic.until_finding()
        clinic.click(targets["overlay"].center)
        clinic.until(lambda: clinic.app.view().overlay is not None)
        clinic.click(clinic.renderer.layout.bars["mel"].center)
        clinic.until(lambda: clinic.explains("mel"))
        clinic.click(targets["diagnosis"].center)
        clinic.until(lambda: clinic.explains("bcc"))
        clinic.click(targets["shutter"].center)
        clinic.until(lambda: clinic.app.view().frozen)

    clinic.use(Camera(), deeds)


def test_only_the_first_button_and_only_targets_act(clinic: Clinic) -> None:
    layout = clinic.renderer.layout

    def deeds() -> None:
        clinic.until_finding()
        for button in (2, 3, 4):
            clinic.click(layout.targets["quit"].center, button)
            clinic.click(layout.targets["shutter"].center, button)
        clinic.click(layout.field.center)
        clinic.press(pygame.K_q, pygame.K_RETURN)
        clinic.settle()
        view = clinic.app.view()
        assert (view.frozen, view.overlay_wanted) == (None, False)

    clinic.use(Camera(), deeds)


def test_frozen_picture_can_be_explained(clinic: Clinic) -> None:
    def deeds() -> None:
        clinic.until_finding()
        clinic.press(pygame.K_SPACE)
        clinic.until(lambda: clinic.app.view().frozen)
        kept = clinic.app.view()
        for code in ("akiec", "vasc"):
            clinic.click(clinic.renderer.layout.bars[code].center)
            clinic.until(lambda code=code: clinic.explains(code))
            view = clinic.app.view()
            assert view.frozen == kept.frozen
            assert view.finding.probabilities == kept.finding.probabilities
            np.testing.assert_array_equal(view.field, kept.field)

    clinic.use(Camera(), deeds)


@pytest.mark.parametrize("how", ["escape", "target", "window"])
def test_quitting_ends_the_run_and_closes_the_source(clinic: Clinic, how: str) -> None:
    camera = Camera()
    ended = threading.Event()

    def deeds() -> None:
        clinic.until_finding()
        if how == "escape":
            clinic.press(pygame.K_ESCAPE)
        elif how == "target":
            clinic.click(clinic.renderer.layout.targets["quit"].center)
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
    App(camera, analyzer, Renderer(SIZE, analyzer.manifest)).run(screen, seconds=0.2)
    close_screen()
    assert camera.closed


def test_trouble_is_shown_and_goes_when_the_source_recovers(clinic: Clinic) -> None:
    camera = Camera(failures=2)

    def deeds() -> None:
        clinic.until(lambda: clinic.app.view().trouble)
        assert clinic.app.view().trouble == "the camera was unplugged; plug it in again"
        assert clinic.app.view().finding is None
        clinic.until_finding()
        clinic.until(lambda: not clinic.app.view().trouble)

    clinic.use(camera, deeds)
    assert camera.reads > 2


def test_trouble_in_the_middle_recovers_too(clinic: Clinic) -> None:
    camera = Camera()

    def deeds() -> None:
        clinic.until_finding()
        camera.failures = 1
        clinic.until(lambda: clinic.app.view().trouble)
        old = clinic.app.view().finding
        clinic.until(lambda: not clinic.app.view().trouble)
        clinic.until(lambda: clinic.app.view().finding is not old)

    clinic.use(camera, deeds)


def test_trouble_stays_while_nothing_can_be_read(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"hello")
    source = ReplaySource(tmp_path, paced=False)

    def deeds() -> None:
        clinic.until(lambda: clinic.app.view().trouble)
        # The source is tried again every second: its second failure must not look like success.
        for _ in range(15):
            time.sleep(0.1)
            assert clinic.app.view().trouble

    clinic.use(source, deeds)


def test_last_picture_stays_when_a_finite_source_ends(clinic: Clinic) -> None:
    camera = Camera(frames=3)

    def deeds() -> None:
        clinic.until(lambda: camera.left == 0)
        clinic.until(lambda: camera.reads == 4)
        clinic.until_finding()
        view = clinic.app.view()
        np.testing.assert_array_equal(view.field, noise(3)[:, 20:140])
        assert not view.trouble

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
    app = App(Camera(), analyzer, Renderer(SIZE, analyzer.manifest))
    app.close()
    app.close()
    assert app.view().field is None
    del screen
    close_screen()


def test_latest_gives_only_what_was_not_seen() -> None:
    latest: Latest[str] = Latest()
    assert latest.peek() is None
    assert latest.next(0, 0.0) == (0, None)
    latest.put("a")
    assert latest.peek() == "a"
    seen, value = latest.next(0, 0.0)
    assert value == "a"
    assert latest.next(seen, 0.0) == (seen, None)
    latest.put("b")
    latest.put("c")
    newer, value = latest.next(seen, 0.0)
    assert (value, newer > seen) == ("c", True)
    assert latest.next(newer, 0.0) == (newer, None)
    assert latest.peek() == "c"


def test_latest_wakes_who_waits_for_it() -> None:
    latest: Latest[int] = Latest()
    got: list[int | None] = []
    reader = threading.Thread(target=lambda: got.append(latest.next(0, GIVE_UP_SECONDS)[1]))
    reader.start()
    latest.put(7)
    reader.join(GIVE_UP_SECONDS)
    assert got == [7]
