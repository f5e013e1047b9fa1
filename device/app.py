"""The instrument's loop: camera, analysis and screen, each in its own time.

Camera and analysis have a thread each and pass on their **latest** value, never a queue: a slow
analysis costs the freshness of the finding, never the smoothness of the preview.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Generic, TypeVar

import pygame

from device.capture.frame import Frame, FrameSource
from device.diagnoses import SCREEN_ORDER, Code
from device.errors import SourceError
from device.imaging.field import central_field, cut, map_over_field
from device.inference.analyzer import Analyzer, code_to_explain
from device.inference.finding import Finding
from device.screen.layout import Target
from device.screen.renderer import Renderer
from device.screen.view import View

FRAMES_PER_SECOND: Final = 30
_RETRY_SECONDS: Final = 1.0
_WAIT_SECONDS: Final = 0.5

T = TypeVar("T")


class Latest(Generic[T]):
    """A place for one value: writers replace it, readers wait for one that they have not seen."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._value: T | None = None
        self._number = 0

    def put(self, value: T) -> None:
        """Replace the value."""
        with self._condition:
            self._value = value
            self._number += 1
            self._condition.notify_all()

    def peek(self) -> T | None:
        """Return the value without waiting."""
        with self._condition:
            return self._value

    def next(self, seen: int, timeout: float) -> tuple[int, T | None]:
        """Wait for a value newer than number `seen`; return its number and it, or None."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._number > seen, timeout):
                return seen, None
            return self._number, self._value


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A frame and the finding of that very frame."""

    frame: Frame
    finding: Finding


@dataclass(frozen=True, slots=True)
class Wish:
    """What the clinician asked to see.

    Attributes
    ----------
    overlay
        Show the saliency.
    code
        For which diagnosis; None for the likeliest malignant one.
    """

    overlay: bool = False
    code: Code | None = None


class App:
    """The instrument in use.

    Parameters
    ----------
    source
        An open source of frames; closed by `close`.
    analyzer
        Used by the analysis thread alone.
    renderer
        For the screen that is drawn on.
    """

    def __init__(self, source: FrameSource, analyzer: Analyzer, renderer: Renderer) -> None:
        self._source = source
        self._analyzer = analyzer
        self._renderer = renderer
        self._frames: Latest[Frame] = Latest()
        self._judged: Latest[Judged] = Latest()
        self._trouble = ""
        self._stop = threading.Event()
        self._wish = Wish()
        self._frozen: Judged | None = None
        self._threads = [
            threading.Thread(target=self._capture, name="capture", daemon=True),
            threading.Thread(target=self._analyze, name="analysis", daemon=True),
        ]

    def run(self, screen: pygame.Surface, seconds: float | None = None) -> None:
        """Run until the clinician quits, or for so many seconds."""
        for thread in self._threads:
            thread.start()
        clock = pygame.time.Clock()
        end = None if seconds is None else time.monotonic() + seconds
        try:
            while not self._stop.is_set() and (end is None or time.monotonic() < end):
                for event in pygame.event.get():
                    self._handle(event)
                self._renderer.draw(screen, self.view())
                pygame.display.flip()
                clock.tick(FRAMES_PER_SECOND)
        finally:
            self.close()

    def close(self) -> None:
        """Stop the threads and close the source. May be called more than once."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=5.0)
        self._source.close()

    def view(self) -> View:
        """Return what there is to be shown now."""
        judged = self._frozen or self._judged.peek()
        frame = self._frozen.frame if self._frozen else self._frames.peek()
        finding = judged.finding if judged else None
        age = (frame.time - judged.frame.time).total_seconds() if frame and judged else 0.0
        geometry = self._analyzer.manifest.input.geometry
        field = finding.field if finding else None
        if frame and not field:
            field = central_field(*frame.pixels.shape[:2])
        saliency = finding.saliency if finding else None
        overlay = None
        if self._wish.overlay and saliency and judged:
            overlay = map_over_field(
                saliency.values, judged.frame.pixels.shape, geometry, judged.finding.field
            )
        return View(
            field=cut(frame.pixels, field) if frame and field else None,
            finding=finding,
            finding_age=age,
            overlay=overlay,
            overlay_wanted=self._wish.overlay,
            explained=saliency.code if saliency else self._wish.code,
            frozen=self._frozen.frame.time if self._frozen else None,
            trouble="" if self._frozen else self._trouble,
            clock=datetime.now(),
            source=self._source.name,
        )

    def _handle(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._stop.set()
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            target = self._renderer.target_at(event.pos)
            if target:
                self._act(target)
            else:
                code = self._renderer.bar_at(event.pos)
                if code:
                    self._explain(code)
        elif event.type == pygame.KEYDOWN and event.key in _KEYS:
            self._act(_KEYS[event.key])

    def _act(self, target: Target) -> None:
        actions: dict[Target, Callable[[], None]] = {
            "shutter": self._toggle_freeze,
            "overlay": self._toggle_overlay,
            "diagnosis": self._next_diagnosis,
            "quit": self._stop.set,
        }
        actions[target]()

    def _toggle_freeze(self) -> None:
        self._frozen = None if self._frozen else self._judged.peek()

    def _toggle_overlay(self) -> None:
        self._wish = replace(self._wish, overlay=not self._wish.overlay)
        self._refresh_frozen()

    def _next_diagnosis(self) -> None:
        judged = self._frozen or self._judged.peek()
        saliency = judged.finding.saliency if judged else None
        current = self._wish.code or (saliency.code if saliency else None)
        place = SCREEN_ORDER.index(current) + 1 if current else 0
        self._explain(SCREEN_ORDER[place % len(SCREEN_ORDER)])

    def _explain(self, code: Code) -> None:
        self._wish = Wish(overlay=True, code=code)
        self._refresh_frozen()

    def _refresh_frozen(self) -> None:
        if self._frozen:
            # The analysis thread owns the interpreter: it sees the frozen frame as the newest.
            self._frames.put(self._frozen.frame)

    def _capture(self) -> None:
        while not self._stop.is_set():
            try:
                frame = self._source.read()
            except SourceError as error:
                self._trouble = str(error)
                self._stop.wait(_RETRY_SECONDS)
                continue
            self._trouble = ""
            if frame is None:
                return
            if self._frozen is None:
                self._frames.put(frame)

    def _analyze(self) -> None:
        seen = 0
        while not self._stop.is_set():
            seen, frame = self._frames.next(seen, _WAIT_SECONDS)
            if frame is None:
                continue
            wish = self._wish
            finding = self._analyzer.analyze(frame)
            if wish.overlay:
                code = wish.code or code_to_explain(finding.probabilities)
                if finding.saliency is None or finding.saliency.code != code:
                    finding = replace(finding, saliency=self._analyzer.explain(frame, code))
            judged = Judged(frame, finding)
            self._judged.put(judged)
            if self._frozen and self._frozen.frame is frame:
                self._frozen = judged


_KEYS: Final[dict[int, Target]] = {
    pygame.K_SPACE: "shutter",
    pygame.K_o: "overlay",
    pygame.K_TAB: "diagnosis",
    pygame.K_ESCAPE: "quit",
}
