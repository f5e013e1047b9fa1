"""Parts of the instrument that do as a test says, through the interfaces that the program has."""

import threading
import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from device.capture.source import FrameSource
from device.diagnoses import Code
from device.frame import Frame, SourceKind
from device.inference.analyzer import Analyzer, Progress
from device.inference.finding import Finding, SaliencyMap
from device.models.manifest import Manifest
from device.platform.clock import Clock

GIVE_UP_SECONDS = 120.0
"""Far longer than anything takes: a guard against hanging, not a measure of speed."""


def until(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def fails(*given: object, **named: object) -> None:
    raise RuntimeError("no tensor")


class ScriptedAnalyzer:
    """A `FrameAnalyzer` that asks another one, and whose every answer a test can replace."""

    def __init__(self, analyzer: Analyzer) -> None:
        self.asked = analyzer
        self.live: Callable[..., Finding] = analyzer.analyze_live
        self.burst: Callable[..., tuple[Frame, Finding]] = analyzer.analyze_burst
        self.map: Callable[..., SaliencyMap] = analyzer.explain

    @property
    def manifest(self) -> Manifest:
        return self.asked.manifest

    def analyze_live(
        self, frame: Frame, motion: float | None = None, *, as_captured: bool = False
    ) -> Finding:
        return self.live(frame, motion, as_captured=as_captured)

    def analyze_burst(
        self, frames: Sequence[Frame], progress: Progress, chosen: Callable[[Frame], None]
    ) -> tuple[Frame, Finding]:
        return self.burst(frames, progress, chosen)

    def explain(
        self, frame: Frame, code: Code, done: Callable[[], None], *, as_captured: bool
    ) -> SaliencyMap:
        return self.map(frame, code, done, as_captured=as_captured)

    def saliency_method(self, *, as_captured: bool) -> str:
        return self.asked.saliency_method(as_captured=as_captured)

    def reached_operating_points(self, finding: Finding) -> list[str]:
        return self.asked.reached_operating_points(finding)


class ScriptedSource(FrameSource):
    """A camera whose pictures, and faults, a test sets while it runs."""

    def __init__(self) -> None:
        super().__init__("camera", SourceKind.CAMERA, Clock())
        self.attempts = 0
        self.reads = 0
        self.stills = 0
        self.shape = (240, 320)
        self.fault: Exception | None = None
        self.still_fault: Exception | None = None
        self.good_stills = 0
        self.locked: list[bool] = []
        self.new_pictures: set[int] = set()
        self.hold = threading.Event()
        self.hold.set()

    def read(self, timeout: float = 1.0) -> Frame:
        time.sleep(0.005)
        self.attempts += 1
        self.hold.wait(GIVE_UP_SECONDS)
        if self.fault is not None:
            raise self.fault
        self.reads += 1
        return self._picture(self.reads)

    def still(self, timeout: float = 1.0) -> Frame:
        if self.still_fault is not None and self.stills >= self.good_stills:
            raise self.still_fault
        self.stills += 1
        return self._picture(1000 + self.stills)

    def lock_exposure(self, locked: bool) -> None:
        self.locked.append(locked)

    def _picture(self, number: int) -> Frame:
        pixels = np.full((*self.shape, 3), 180, np.uint8)
        cv2.circle(pixels, (self.shape[1] // 2, self.shape[0] // 2), 40, (90, 60, 50), -1)
        return self._frame(pixels, number, new_picture=number in self.new_pictures)
