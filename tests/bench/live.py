"""``make bench-live``: the live loop for some minutes, as a clinician leaves it running.

The program's own demonstration gives 30 frames a second to all of it: capture, analysis, and a
headless screen. For some seconds before and after, the analysis rests: what of the preview is lost
then is not its fault.
"""

import argparse
import os
import time
from array import array
from collections import Counter
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pygame
from rich.console import Console
from rich.table import Table

from device.app import App
from device.capture.demo import FRAMES_PER_SECOND, SCENES, DemoSource
from device.config import load_config, model_folder
from device.frame import Frame
from device.inference.analyzer import Analyzer
from device.inference.finding import Finding
from device.models.bundle import Bundle, load_bundle
from device.models.manifest import Manifest
from device.platform.clock import Clock
from device.preferences import Preferences
from device.screen.display import close_screen, open_offscreen
from device.screen.renderer import Renderer
from device.screen.view import LiveView, PageView

Phase = Literal["warm-up", "rest", "work"]

SIZE: Final = (1024, 600)
WARM_UP_SECONDS: Final = 5.0
REST_SECONDS: Final = 15.0
MOST_GROWTH: Final = 8.0
"""MiB: less than a frame of a camera in every minute of ten."""


class Demonstration(DemoSource):
    """The demonstration, and when each of its frames was there.

    One scene: drawing the next one takes longer than a frame, and has nothing to do with the loop.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, scenes=(SCENES[1],))
        self.count = 0
        self.arrived: dict[int, tuple[int, float]] = {}

    def read(self, timeout: float = 1.0) -> Frame:
        frame = super().read(timeout)
        # By the address of its pixels, which nothing else has while it is shown.
        self.arrived[id(frame.pixels)] = (self.count, time.monotonic())
        self.count += 1
        return frame


class Restful(Analyzer):
    """The analyzer; while it rests it gives its last finding at once."""

    resting = False
    last: Finding | None = None

    def analyze_live(
        self, frame: Frame, motion: float | None = None, *, as_captured: bool = False
    ) -> Finding:
        if self.last is None or not self.resting:
            self.last = super().analyze_live(frame, motion, as_captured=as_captured)
        return self.last


class Witness(Renderer):
    """Draws, and notes which frames were drawn and how old each new finding was then."""

    def __init__(
        self, manifest: Manifest, source: Demonstration, analyzer: Restful, work_seconds: float
    ) -> None:
        super().__init__(SIZE, manifest)
        self._source = source
        self._analyzer = analyzer
        self._ends = np.cumsum([WARM_UP_SECONDS, REST_SECONDS, work_seconds, REST_SECONDS])
        self._start = time.monotonic()
        self._phase: Phase = "warm-up"
        self._shown: int | None = None
        self._finding: Finding | None = None
        self.drawn: Counter[Phase] = Counter()
        self.missed: Counter[Phase] = Counter()
        self.latency = array("d")
        self.since = array("d")
        self.memory: list[float] = []

    @property
    def seconds(self) -> float:
        """How long all of it takes."""
        return float(self._ends[-1])

    def draw(self, screen: pygame.Surface, view: PageView) -> None:
        super().draw(screen, view)
        now = time.monotonic()
        self._turn(now - self._start)
        if not isinstance(view, LiveView) or view.field is None:
            return
        number, at = self._source.arrived[id(view.field.base)]
        if self._shown is not None and number != self._shown:
            self.drawn[self._phase] += 1
            self.missed[self._phase] += number - self._shown - 1
        self._shown = number
        if view.finding is not None and view.finding is not self._finding:
            self._finding = view.finding
            if self._phase == "work":
                self.latency.append(now - at + view.finding_age)
                self.since.append(now)

    def _turn(self, elapsed: float) -> None:
        phases: list[Phase] = ["warm-up", "rest", "work", "rest"]
        phase = phases[min(int(np.searchsorted(self._ends, elapsed)), 3)]
        if phase != self._phase:
            self._phase = phase
            self._analyzer.resting = phase == "rest"
            # A frame that was missed between two phases belongs to neither.
            self._shown = None
            self.memory.append(resident())


def resident() -> float:
    """Return this process's resident memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def quantiles(seconds: np.ndarray) -> str:
    """Return the median, and what 95 and 99 of 100 do not exceed."""
    return " / ".join(f"{1e3 * q:.0f}" for q in np.quantile(seconds, (0.5, 0.95, 0.99))) + " ms"


def measure(bundle: Bundle, minutes: float, overlay: bool) -> Table:
    """Run the loop and return what was seen."""
    clock = Clock()
    source, analyzer = Demonstration(clock), Restful(bundle, clock=clock)
    surface = open_offscreen(SIZE)
    try:
        witness = Witness(bundle.manifest, source, analyzer, 60.0 * minutes)
        app = App(
            source,
            analyzer,
            witness,
            signed_by=bundle.signed_by,
            clock=clock,
            preferences=Preferences(limits_read=True),
        )
        if overlay:
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_o))
        with source:
            app.run(surface, witness.seconds)
    finally:
        close_screen()
    title = f"{bundle.manifest.model_id}, {minutes:g} minutes" + (", overlay" if overlay else "")
    table = Table("what", "measured", "limit", title=title)
    drawn, missed = witness.drawn, witness.missed
    frames = {phase: drawn[phase] + missed[phase] for phase in ("work", "rest")}
    resting = missed["rest"] / max(1, frames["rest"])
    because = max(0, round(missed["work"] - resting * frames["work"]))
    rate = frames["work"] / (60.0 * minutes)
    table.add_row("frames a second", f"{rate:.1f}", f"{FRAMES_PER_SECOND:.0f}")
    table.add_row(
        "frames never drawn, analysis at work", f"{missed['work']} of {frames['work']}", ""
    )
    table.add_row(
        "frames never drawn, analysis at rest", f"{missed['rest']} of {frames['rest']}", ""
    )
    table.add_row("frames dropped because of the analysis", f"{because}", "0")
    start, end = witness.memory[1], witness.memory[2]
    table.add_row("resident memory at the start", f"{start:.1f} MiB", "")
    table.add_row("resident memory at the end", f"{end:.1f} MiB", f"{start + MOST_GROWTH:.1f} MiB")
    latency, since = np.array(witness.latency), np.array(witness.since)
    part = min(60.0, 60.0 * minutes / 4)
    first = latency[since < since[0] + part]
    last = latency[since > since[-1] - part]
    table.add_row("findings a second", f"{len(latency) / (60.0 * minutes):.1f}", "")
    words = "frame to finding on the screen, p50 / p95 / p99"
    table.add_row(f"{words}, first {part:.0f} s", quantiles(first), "")
    table.add_row(f"{words}, last {part:.0f} s", quantiles(last), "no more")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--overlay", action="store_true", help="with a map of every finding")
    options = parser.parse_args()
    config = load_config()
    bundle = load_bundle(model_folder(config), config.trusted_keys)
    Console(width=110).print(measure(bundle, options.minutes, options.overlay))


if __name__ == "__main__":
    main()
