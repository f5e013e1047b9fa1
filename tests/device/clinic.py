"""The instrument in use: a camera, hands, and what is seen."""

import threading
import time
from collections.abc import Callable

import cv2
import numpy as np
import pygame

from device.app import App
from device.capture.source import FrameSource
from device.errors import SourceError
from device.frame import Frame, SourceKind
from device.inference.analyzer import Analyzer
from device.platform.clock import Clock
from device.preferences import Preferences
from device.screen.pages.base import page_class
from device.screen.pages.fault import FaultView
from device.screen.registry import PageName
from device.screen.renderer import Renderer
from device.screen.state import Command
from device.screen.view import LiveView, PageView
from tests.device.scripted import ScriptedAnalyzer, until

SIZE = (800, 480)
READ = Preferences(limits_read=True)
"""Of someone who has used the instrument before."""


class Camera(FrameSource):
    """A source of noise that counts what is asked of it, and fails when told to."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__("camera", SourceKind.CAMERA, Clock())
        self.failures = failures
        self.reads = 0
        self.closed = 0

    def read(self, timeout: float = 1.0) -> Frame:
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise SourceError("the camera was unplugged", action="plug it in again")
        time.sleep(0.01)
        pixels = np.random.default_rng(self.reads).integers(0, 256, (120, 160, 3), np.uint8)
        return self._taken(pixels)

    def _taken(self, pixels: np.ndarray) -> Frame:
        return Frame(pixels, self._clock.now(), self.reads, self.name, self.kind)

    def _release(self) -> None:
        self.closed += 1


class Clinic:
    """An app on a screen, and someone who uses it while it runs."""

    def __init__(self, analyzer: Analyzer, screen: pygame.Surface) -> None:
        self.analyzer = ScriptedAnalyzer(analyzer)
        self.screen = screen
        self.renderer = Renderer(screen.get_size(), analyzer.manifest)
        self.options: dict[str, object] = {}
        self.app: App
        self.clock = Clock()
        self.ending: Command | None = None

    def use(self, source: FrameSource, deeds: Callable[[], None]) -> App:
        """Run the app on this thread while `deeds` are done on another; then quit."""
        self.app = App(
            source,
            self.analyzer,
            self.renderer,
            signed_by="ab" * 32,
            clock=self.clock,
            **({"preferences": READ} | self.options),
        )
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
        with source:
            self.ending = self.app.run(self.screen)
        person.join()
        if failed:
            raise failed[0]
        return self.app

    def until(self, condition: Callable[[], object]) -> None:
        until(condition)

    def view(self) -> PageView:
        return self.app.session.view()

    def until_live(self) -> None:
        self.until(lambda: isinstance(self.view(), LiveView))

    def until_finding(self) -> None:
        self.until(lambda: self.live().finding)

    def live(self) -> LiveView:
        """Return the live view, which may stand behind another page."""
        view = self.view()
        return view if isinstance(view, LiveView) else view.beside

    def target(self, name: str, page: str = "live") -> tuple[int, int]:
        return page_class(PageName(page)).places(self.renderer.layout)[name].center

    def fault(self) -> str:
        """Return what the screen says in the place of a finding, or nothing."""
        view = self.view()
        return view.fault.message if isinstance(view, FaultView) else ""

    def explains(self, code: str) -> bool:
        view = self.live()
        return view.overlay is not None and view.explained == code

    def press(self, *keys: int) -> None:
        for key in keys:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))

    def click(self, place: tuple[int, int], button: int = 1) -> None:
        pygame.event.post(pygame.event.Event(pygame.MOUSEBUTTONDOWN, pos=place, button=button))

    def open_compare(self) -> None:
        """Open the page that compares, from the live one."""
        self.click(self.target("more"))
        self.until(lambda: self.app.session.state.page == PageName.SETTINGS)
        self.click(self.target(PageName.COMPARE, "settings"))

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


def noise(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (120, 160, 3), np.uint8)


class FailsOnce(Camera):
    """A camera whose program has a fault of its own."""

    failed = False

    def read(self, timeout: float = 1.0) -> Frame:
        if not self.failed:
            self.failed = True
            raise ZeroDivisionError("by nought")
        return super().read(timeout)


class Handheld(Camera):
    """A source whose hand shakes: of its stills only the third is sharp."""

    def __init__(self) -> None:
        super().__init__()
        self.stills = 0
        self.locks: list[tuple[bool, int]] = []

    def read(self, timeout: float = 1.0) -> Frame:
        time.sleep(0.01)
        self.reads += 1
        return self._taken(lesion(blur=3.0))

    def still(self, timeout: float = 1.0) -> Frame:
        self.stills += 1
        return self._taken(lesion(blur=0.4 if self.stills == 3 else 3.0))

    def lock_exposure(self, locked: bool) -> None:
        self.locks.append((locked, self.stills))


def lesion(blur: float) -> np.ndarray:
    picture = np.full((300, 400, 3), (210, 165, 145), np.uint8)
    cv2.circle(picture, (200, 150), 60, (95, 60, 50), -1)
    cv2.circle(picture, (185, 140), 25, (60, 35, 35), -1)
    grain = np.random.default_rng(5).integers(-12, 12, (300, 400, 1))
    picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(picture, (0, 0), blur).astype(np.uint8)
