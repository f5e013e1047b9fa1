"""The instrument's loop: camera, analysis and screen, each in its own time.

Camera and analysis have a thread each and pass on their **latest** value, never a queue: a slow
analysis costs the freshness of the finding, never the smoothness of the preview.
"""

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, Generic, TypeVar

import cv2
import numpy as np
import pygame
from numpy.typing import NDArray

from device.capture.frame import Frame, FrameSource
from device.errors import ConfigError, ScreenError, SourceError
from device.imaging.field import FieldOfView, central_field, cut, map_over_field
from device.inference.analyzer import Analyzer, code_to_explain
from device.inference.finding import Finding
from device.language import message
from device.preferences import Preferences, save_preferences
from device.screen.navigation import USED_KEYS, Input, Key, Lift, Request, State, Target, step
from device.screen.renderer import Renderer
from device.screen.view import (
    AboutView,
    CompareView,
    LiveView,
    Picture,
    SettingsView,
    TroubleView,
    View,
)

FRAMES_PER_SECOND: Final = 30
EARLIER_PICTURES: Final = 12
_EARLIER_SIDE: Final = 720
_RETRY_SECONDS: Final = 1.0
_WAIT_SECONDS: Final = 0.5

CAMERA_FAILED: Final = message(
    "The camera's program failed. Restart the instrument; if it fails again, report it with the "
    "line below."
)
ANALYSIS_FAILED: Final = message(
    "The analysis failed. Restart the instrument; if it fails again, report it with the line below."
)

_log = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A frame to be analyzed.

    Attributes
    ----------
    again
        It is the frozen one: its finding is for the frozen view alone.
    """

    frame: Frame
    again: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong: `words` for whoever stands before it, `detail` for whoever mends it."""

    words: str
    detail: str = ""


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
    signed_by
        The trusted key that the model's bundle is signed by.
    preferences
        What was chosen on the screen before.
    state_folder
        Where choices are kept; None to forget them.
    pedal_key
        Name of the key that a foot pedal sends, or empty.
    mm_per_pixel
        What the optics were calibrated to, in the frame's own pixels, or None.

    Raises
    ------
    device.errors.ConfigError
        If the pedal's key is none, or one that the screen needs itself.
    """

    def __init__(
        self,
        source: FrameSource,
        analyzer: Analyzer,
        renderer: Renderer,
        *,
        signed_by: str,
        preferences: Preferences | None = None,
        state_folder: Path | None = None,
        pedal_key: str = "",
        mm_per_pixel: float | None = None,
    ) -> None:
        self._source = source
        self._analyzer = analyzer
        self._renderer = renderer
        self._signed_by = signed_by
        self._state_folder = state_folder
        self._pedal = _checked_pedal(pedal_key)
        self._mm_per_pixel = mm_per_pixel
        self._frames: Latest[Asked] = Latest()
        self._judged: Latest[Judged] = Latest()
        self._camera_trouble: Trouble | None = None
        self._analysis_trouble: Trouble | None = None
        self._settings_trouble = ""
        self._stop = threading.Event()
        chosen = preferences or Preferences()
        self._state = State(language=chosen.language, opacity=chosen.opacity)
        self._held: Target | None = None
        self._freezing = threading.Lock()
        self._frozen: Judged | None = None
        self._kept: deque[Picture] = deque(maxlen=EARLIER_PICTURES)
        # The same frame gives the same array: the screen draws again only what is another object.
        self._cut = lru_cache(maxsize=2)(_cut_field)
        self._over_field = lru_cache(maxsize=2)(self._map_over_field)
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

    def earlier_pictures(self) -> list[Picture]:
        """Return what the present picture can be compared with, the newest first."""
        return list(self._kept)

    def view(self) -> View:
        """Return what there is to be shown now."""
        return replace(
            self._page(),
            clock=datetime.now(),
            source=self._source.name,
            language=self._state.language,
            focus=self._state.focus,
        )

    def _page(self) -> View:
        state = self._state
        if state.page == "about":
            return AboutView(self._signed_by, state.frozen)
        live = self._live_view()
        if state.page == "settings":
            return SettingsView(live, self._mm_per_pixel, self._settings_trouble)
        if state.page == "compare":
            return self._compare_view(live)
        trouble = self._analysis_trouble or (None if state.frozen else self._camera_trouble)
        return TroubleView(trouble.words, live, trouble.detail) if trouble else live

    def _live_view(self) -> LiveView:
        state, frozen = self._state, self._frozen
        asked = self._frames.peek()
        judged = frozen or self._judged.peek()
        frame = frozen.frame if frozen else asked.frame if asked else None
        finding = judged.finding if judged else None
        field = finding.field if finding else None
        if frame and not field:
            field = central_field(*frame.pixels.shape[:2])
        code = state.code
        if code is None and finding is not None:
            code = code_to_explain(finding.probabilities)
        saliency = finding.saliency if finding else None
        if saliency is not None and saliency.code != code:
            saliency = None
        return LiveView(
            field=self._cut(frame, field) if frame and field else None,
            finding=finding,
            finding_age=(frame.time - judged.frame.time).total_seconds() if frame and judged else 0,
            overlay=self._over_field(judged) if state.overlay and saliency and judged else None,
            overlay_wanted=state.overlay,
            explained=code,
            opacity=state.opacity,
            frozen=frozen.frame.time if frozen else None,
        )

    def _map_over_field(self, judged: Judged) -> NDArray[np.float32] | None:
        saliency = judged.finding.saliency
        if saliency is None:
            return None
        geometry = self._analyzer.manifest.input.geometry
        shape, field = judged.frame.pixels.shape, judged.finding.field
        return map_over_field(saliency.values, shape, geometry, field)

    def _compare_view(self, live: LiveView) -> CompareView:
        earlier = self.earlier_pictures()
        place = self._state.earlier
        present = None
        if live.field is not None:
            present = Picture(live.frozen, live.field, live.finding)
        return CompareView(
            earlier=earlier[place] if place < len(earlier) else None,
            present=present,
            number=place + 1 if earlier else 0,
            count=len(earlier),
        )

    def _handle(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._stop.set()
        elif event.type == pygame.MOUSEBUTTONDOWN and event.button == 1:
            touch = self._renderer.touched(self._state, event.pos)
            if touch:
                self._held = touch.target if touch.target == "opacity" else None
                self._act(touch)
        elif event.type == pygame.MOUSEMOTION and self._held:
            self._act(self._renderer.along(self._state, self._held, event.pos))
        elif event.type == pygame.MOUSEBUTTONUP and event.button == 1 and self._held:
            self._held = None
            self._act(Lift())
        elif event.type == pygame.KEYDOWN:
            shifted = getattr(event, "mod", 0) & pygame.KMOD_SHIFT
            name = pygame.key.name(event.key)
            self._act(Key(f"shift {name}" if shifted and name == "tab" else name))

    def _act(self, given: Input) -> None:
        self._state, request = step(self._state, given, earlier=len(self._kept), pedal=self._pedal)
        if self._held and self._held not in self._renderer.layout.targets[self._state.page]:
            self._held = None
        if request is not None:
            self._meet(request)

    def _meet(self, request: Request) -> None:
        if request == "quit":
            self._stop.set()
        elif request == "take":
            self._take()
        elif request == "release":
            self._release()
        elif request == "explain":
            self._explain_frozen()
        else:
            self._save()

    def _take(self) -> None:
        with self._freezing:
            self._frozen = self._judged.peek()
        if self._frozen is None:
            self._state = replace(self._state, frozen=False)
        else:
            self._explain_frozen()

    def _release(self) -> None:
        with self._freezing:
            released, self._frozen = self._frozen, None
        if released:
            field = cut(released.frame.pixels, released.finding.field)
            self._kept.appendleft(Picture(released.frame.time, _small(field), released.finding))

    def _explain_frozen(self) -> None:
        frozen = self._frozen
        if frozen and self._state.overlay:
            # The analysis thread owns the interpreter: it sees the frozen frame as the newest.
            self._frames.put(Asked(frozen.frame, again=True))

    def _save(self) -> None:
        self._settings_trouble = ""
        if self._state_folder is None:
            return
        chosen = Preferences(language=self._state.language, opacity=self._state.opacity)
        try:
            save_preferences(self._state_folder, chosen)
        except ScreenError as error:
            self._settings_trouble = str(error)

    def _capture(self) -> None:
        while not self._stop.is_set():
            try:
                frame = self._source.read()
            except SourceError as error:
                self._camera_trouble = Trouble(str(error))
                self._stop.wait(_RETRY_SECONDS)
                continue
            except Exception as error:
                self._camera_trouble = _unforeseen(CAMERA_FAILED, error)
                self._stop.wait(_RETRY_SECONDS)
                continue
            self._camera_trouble = None
            if frame is None:
                return
            if self._frozen is None:
                self._frames.put(Asked(frame))

    def _analyze(self) -> None:
        seen = 0
        while not self._stop.is_set():
            seen, asked = self._frames.next(seen, _WAIT_SECONDS)
            if asked is None:
                continue
            try:
                judged = Judged(asked.frame, self._finding(asked.frame))
            except Exception as error:
                self._analysis_trouble = _unforeseen(ANALYSIS_FAILED, error)
                continue
            self._analysis_trouble = None
            if not asked.again:
                self._judged.put(judged)
            with self._freezing:
                # Released in the meantime, it must not come back.
                if self._frozen is not None and self._frozen.frame is asked.frame:
                    self._frozen = judged

    def _finding(self, frame: Frame) -> Finding:
        state = self._state
        finding = self._analyzer.analyze(frame)
        if not state.overlay:
            return finding
        code = state.code or code_to_explain(finding.probabilities)
        if finding.saliency is not None and finding.saliency.code == code:
            return finding
        return replace(finding, saliency=self._analyzer.explain(frame, code))


def _cut_field(frame: Frame, field: FieldOfView) -> NDArray[np.uint8]:
    return cut(frame.pixels, field)


def _small(field: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy of a field that is no larger than it will be shown."""
    side = field.shape[0]
    if side <= _EARLIER_SIDE:
        return field.copy()
    size = (_EARLIER_SIDE, _EARLIER_SIDE)
    return cv2.resize(field, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _unforeseen(words: str, error: Exception) -> Trouble:
    _log.error("%s", words, exc_info=error)
    return Trouble(words, f"{type(error).__name__}: {error}")


def _checked_pedal(name: str) -> str:
    if not name:
        return name
    try:
        pygame.key.key_code(name)
    except ValueError:
        raise ConfigError(
            f'pedal_key: no key is named "{name}"; use a name such as b, f5 or page down'
        ) from None
    if name in USED_KEYS:
        raise ConfigError(f'pedal_key: the screen itself uses "{name}"; choose another key')
    return name
