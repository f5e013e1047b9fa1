"""The instrument's screen loop: what is shown, and what the clinician's hands do.

Camera and analysis have a thread each (`device.runtime`) and pass on their **latest** value, never
a queue: a slow analysis costs the freshness of the finding, never the smoothness of the preview.
"""

import threading
import time
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import pygame
from numpy.typing import NDArray

from device.errors import ConfigError
from device.faults import Fault
from device.frame import Frame, FrameSource
from device.imaging.field_of_view import FieldOfView, central_field, crop, saliency_over_field
from device.inference.analyzer import Analyzer, likeliest_malignant
from device.latest import Latest
from device.optics import Optics
from device.platform.systemd import Heartbeat, Notifier
from device.preferences import Preferences
from device.records.folder import Archive
from device.runtime.analysis import Analysis, OverlayRequest
from device.runtime.camera import Camera
from device.runtime.messages import AnalyzedFrame, Capture, ExplainCapture, Work
from device.runtime.preferences import Choices
from device.runtime.recent import RecentPictures
from device.screen.navigation import (
    USED_KEYS,
    Ending,
    Input,
    Key,
    Lift,
    Request,
    State,
    Target,
    step,
)
from device.screen.renderer import Renderer
from device.screen.view import (
    AboutView,
    CompareView,
    LiveView,
    OffView,
    Picture,
    SettingsView,
    TroubleView,
    View,
)

FRAMES_PER_SECOND: Final = 30
"""How often the screen is drawn, where no frame comes to be drawn."""

MOST_PER_SECOND: Final = 60
_TOLD_SECONDS: Final = 6.0
_CLOSING_SECONDS: Final = 9.0
"""Less than systemd waits (TimeoutStopSec), with what the source takes to close."""

_PRESSED: Final = pygame.event.custom_type()


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
    records
        Keeps what the shutter takes; None to keep nothing.
    optics
        How large a pixel is, where that is known.
    heartbeat
        Tells the service manager that all is well.
    appliance
        There is nothing behind the program that a finger could reach: offer to restart and to
        switch off instead of to quit.

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
        records: Archive | None = None,
        optics: Optics | None = None,
        heartbeat: Heartbeat | None = None,
        appliance: bool = False,
    ) -> None:
        self._source = source
        self._manifest = analyzer.manifest
        self._renderer = renderer
        self._signed_by = signed_by
        self._pedal = _checked_pedal(pedal_key)
        self._optics = optics
        self._heartbeat = heartbeat or Heartbeat(Notifier({}))
        self._work: Latest[Work] = Latest()
        self._camera = Camera(source, self._work, self._heartbeat)
        self._analysis = Analysis(
            analyzer, self._work, self._heartbeat, self._camera.see, records, optics
        )
        self._stop = threading.Event()
        chosen = preferences or Preferences()
        self._state = State(language=chosen.language, opacity=chosen.opacity, appliance=appliance)
        self._ending: Ending = "quit"
        self._choices = Choices(state_folder)
        self._held: Target | None = None
        self._told: tuple[Fault, float] | None = None
        self._record_trouble: Fault | None = None
        self._press = 0
        self._earlier = RecentPictures(records, self._tell)
        # The same frame gives the same array: the screen draws again only what is another object.
        self._cut = lru_cache(maxsize=2)(_cut_field)
        self._over_field = lru_cache(maxsize=2)(self._map_over_field)
        runs = {
            "capture": self._camera.run,
            "analysis": self._analysis.run,
            "records": self._earlier.run,
            "settings": self._choices.run,
        }
        self._threads = [
            threading.Thread(target=run, args=(self._stop,), name=name, daemon=True)
            for name, run in runs.items()
        ]

    def run(self, screen: pygame.Surface, seconds: float | None = None) -> Ending:
        """Run until the clinician ends it, or for so many seconds; return what is to follow."""
        for thread in self._threads:
            thread.start()
        clock = pygame.time.Clock()
        seen = 0
        end = None if seconds is None else time.monotonic() + seconds
        try:
            while not self._stop.is_set() and (end is None or time.monotonic() < end):
                for event in pygame.event.get():
                    self._handle(event)
                self._look_after_the_shutter()
                view = self.view()
                self._renderer.draw(screen, view)
                pygame.display.flip()
                self._tell_the_manager(view)
                # With the camera's own beat: two clocks beside each other would miss frames.
                seen, _ = self._camera.frames.next(seen, 1.0 / FRAMES_PER_SECOND)
                clock.tick(MOST_PER_SECOND)
        finally:
            self._heartbeat.stopping()
            self.close()
        return self._ending

    def close(self) -> None:
        """Stop the threads and close the source. May be called more than once."""
        self._stop.set()
        end = time.monotonic() + _CLOSING_SECONDS
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout=max(0.0, end - time.monotonic()))
        self._source.close()

    def press_shutter(self) -> None:
        """Do what the space bar does; may be called from any thread, as a button's."""
        pygame.event.post(pygame.event.Event(_PRESSED))

    def earlier_pictures(self) -> list[Picture]:
        """Return what the present picture can be compared with, the newest first."""
        return self._earlier.pictures()

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
            return SettingsView(
                live, self._mm_per_pixel(), self._choices.trouble, appliance=state.appliance
            )
        if state.page == "off":
            return OffView(live)
        if state.page == "compare":
            return self._compare_view(live)
        trouble = self._trouble()
        if trouble is None:
            return live
        return TroubleView(trouble.words, live, trouble.detail, trouble.values)

    def _trouble(self) -> Fault | None:
        if self._analysis.trouble or self._taken():
            return self._analysis.trouble
        if self._told and not self._state.frozen and time.monotonic() < self._told[1]:
            return self._told[0]
        return self._camera.trouble

    def _taken(self) -> Capture | None:
        """Return what came of the last press of the shutter, while it is held."""
        taken = self._analysis.taken.peek()
        if taken is None or taken.press != self._press or not self._state.frozen:
            return None
        return taken if taken.judged else None

    def _live_view(self) -> LiveView:
        state, taken = self._state, self._taken()
        judged = taken.judged if taken else self._analysis.judged.peek()
        frame = taken.judged.frame if taken and taken.judged else self._camera.frames.peek()
        if judged and frame and judged.frame.pixels.shape != frame.pixels.shape:
            # Of another camera, or another size: neither its field nor its call is this frame's.
            judged = None
        finding = judged.finding if judged else None
        field = finding.field if finding else None
        if frame and not field:
            field = central_field(*frame.pixels.shape[:2])
        code = state.code
        if code is None and finding is not None:
            code = likeliest_malignant(finding.probabilities)
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
            frozen=frame.time if taken and frame else None,
            measures=taken.measures if taken else None,
            outline=taken.outline if taken else None,
            progress=(self._analysis.progress or (0, 0)) if state.frozen and not taken else None,
            kept=taken.kept if taken else None,
            lost=frame.time if frame and not taken and self._camera.lost else None,
        )

    def _map_over_field(self, judged: AnalyzedFrame) -> NDArray[np.float32] | None:
        saliency = judged.finding.saliency
        if saliency is None:
            return None
        shape, field = judged.frame.pixels.shape, judged.finding.field
        return saliency_over_field(saliency.values, shape, self._manifest.input.geometry, field)

    def _mm_per_pixel(self) -> float | None:
        frame = self._camera.frames.peek()
        if frame is None or self._optics is None:
            return None
        height, width = frame.pixels.shape[:2]
        return self._optics.at(width, height)

    def _compare_view(self, live: LiveView) -> CompareView:
        earlier = self.earlier_pictures()
        place = self._state.earlier
        present = None
        if live.field is not None:
            finding = live.finding
            # What was judged before this page was opened may differ with the skin the same.
            if finding is not None and not finding.as_captured:
                finding = None
            present = Picture(live.frozen, live.field, finding)
        return CompareView(
            earlier=earlier[place] if place < len(earlier) else None,
            present=present,
            number=place + 1 if earlier else 0,
            count=len(earlier),
            lost=live.lost,
        )

    def _handle(self, event: pygame.event.Event) -> None:
        if event.type == pygame.QUIT:
            self._stop.set()
        elif event.type == _PRESSED:
            self._act(Key("space"))
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
        earlier = len(self._earlier)
        self._state, request = step(self._state, given, earlier=earlier, pedal=self._pedal)
        if self._held and self._held not in self._renderer.layout.targets[self._state.page]:
            self._held = None
        self._tell_the_analysis()
        if request is not None:
            self._meet(request)

    def _tell_the_analysis(self) -> None:
        state, before = self._state, self._analysis.wish
        # No map is shown beside an earlier picture, and none may hold the comparison up.
        comparing = state.page == "compare"
        self._analysis.wish = OverlayRequest(state.overlay and not comparing, state.code, comparing)
        if self._analysis.wish.overlay and before.comparing and self._taken():
            self._work.put(ExplainCapture(state.code))

    def _meet(self, request: Request) -> None:
        if request in ("quit", "restart", "off"):
            self._ending = request
            self._stop.set()
        elif request == "take":
            self._press += 1
            self._told = None
            self._camera.take(self._press)
        elif request == "release":
            self._release()
        elif request == "explain":
            if self._taken():
                self._work.put(ExplainCapture(self._state.code))
        else:
            chosen = Preferences(language=self._state.language, opacity=self._state.opacity)
            self._choices.keep(chosen)

    def _release(self) -> None:
        # What is held belongs to the state before this request.
        taken = self._analysis.taken.peek()
        if taken is None or taken.press != self._press:
            # It is still being taken and will be kept: it must be seen before it is let go of.
            self._state = replace(self._state, frozen=True)
            return
        if taken.judged:
            self._earlier.add(taken.judged.frame, taken.judged.finding)
        self._press += 1
        self._camera.release()

    def _look_after_the_shutter(self) -> None:
        """Go back to the live view where nothing was taken, and tell what would go unseen."""
        taken = self._analysis.taken.peek()
        if self._state.frozen and taken and taken.press == self._press and not taken.judged:
            self._state = replace(self._state, page="live", focus=None, frozen=False)
            self._tell_the_analysis()
            self._press += 1
            self._camera.release()
            self._tell(taken.trouble)
        trouble = self._analysis.record_trouble
        if trouble is not self._record_trouble:
            self._record_trouble = trouble
            # A picture that is held says itself that it is not kept.
            if not self._taken():
                self._tell(trouble)

    def _tell(self, trouble: Fault | None) -> None:
        """Show for a while what would else be gone with the next frame."""
        self._told = (trouble, time.monotonic() + _TOLD_SECONDS) if trouble else None

    def _tell_the_manager(self, view: View) -> None:
        self._heartbeat.mark("screen")
        trouble = self._trouble() or self._analysis.record_trouble
        if trouble or not isinstance(view, LiveView) or view.field is not None:
            self._heartbeat.first_frame_drawn()
            self._heartbeat.status(trouble.in_english if trouble else "Live")
        self._heartbeat.beat()


def _cut_field(frame: Frame, field: FieldOfView) -> NDArray[np.uint8]:
    return crop(frame.pixels, field)


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
