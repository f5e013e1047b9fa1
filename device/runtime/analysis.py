"""The analysis's thread: findings of the live view, and all that follows a press of the shutter."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final, assert_never

from device.faults import Fault, unexpected
from device.frame import Frame
from device.imaging.abcd import measure_abcd
from device.imaging.codes import read_code
from device.imaging.field_of_view import FieldOfView, crop
from device.imaging.lesion import lesion_contour, segment_lesion
from device.inference.analyzer import FrameAnalyzer, likeliest_malignant
from device.inference.finding import Finding
from device.language import translatable
from device.latest import Latest
from device.optics import Optics
from device.platform.clock import Clock
from device.records.model import PictureKind
from device.runtime.health import RESTART_AND_REPORT, Health, Part, report_unexpected
from device.runtime.inbox import Inbox
from device.runtime.messages import (
    AnalyzedFrame,
    Burst,
    Capture,
    ExplainCapture,
    KeepExamination,
    LiveFrame,
    OverlayRequest,
    Shot,
)

FAILED: Final = translatable("The analysis failed.")
NOT_JUDGED: Final = translatable("The analysis failed; the picture is kept without a finding.")

_WAIT_SECONDS: Final = 0.5
_PAUSE_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class Analysis:
    """Analyzes what the camera gives.

    Parameters
    ----------
    analyzer
        Used by this thread alone.
    inbox
        Where frames and commands come in.
    health
        Notified of every step.
    clock
        Time source for waits.
    use_field
        Called with the field of view of every finding.
    keep
        Given what the shutter took; None to keep nothing.
    optics
        How large a pixel is, where that is known.

    Attributes
    ----------
    inbox
        Where frames and commands come in.
    live
        The newest finding of the live view.
    capture
        What came of the last shot.
    overlay_request
        What is to be explained; written by the session alone.
    code
        What was read of a patient's code in the newest frame, while one is looked for.
    """

    def __init__(
        self,
        analyzer: FrameAnalyzer,
        inbox: Inbox[Burst | ExplainCapture, LiveFrame],
        health: Health,
        clock: Clock,
        use_field: Callable[[FieldOfView], None],
        keep: Callable[[KeepExamination], None] | None = None,
        optics: Latest[Optics] | None = None,
    ) -> None:
        self._analyzer = analyzer
        self.inbox = inbox
        self._health = health
        self._clock = clock
        self._use_field = use_field
        self._keep = keep
        self._optics = optics
        self._stop = threading.Event()
        self._progress: tuple[int, int] | None = None
        self._fault: Fault | None = None
        self.live: Latest[AnalyzedFrame] = Latest(clock)
        self.capture: Latest[Capture] = Latest(clock)
        self.overlay_request: Latest[OverlayRequest] = Latest(clock)
        self.code: Latest[str | None] = Latest(clock)

    @property
    def fault(self) -> Fault | None:
        """Why the last step failed, or None where it did not."""
        return self._fault

    @property
    def progress(self) -> tuple[int, int] | None:
        """How many steps of a capture are done, and of how many; None where none is analyzed."""
        return self._progress

    def run(self, stop: threading.Event) -> None:
        """Analyze until told to stop; what the shutter took before is still analyzed."""
        self._stop = stop
        while not stop.is_set() or self.inbox.commands_waiting():
            work = self.inbox.take(_WAIT_SECONDS)
            if work is None:
                self._health.waiting(Part.ANALYSIS)
                continue
            try:
                analyzed = self._do(work)
            except Exception as error:
                self._fail(work, error)
                # What fails at every frame must not keep the processor busy.
                self._clock.wait(stop, _PAUSE_SECONDS)
            else:
                self._fault = None
                if analyzed:
                    self._health.worked(Part.ANALYSIS)
                else:
                    self._health.waiting(Part.ANALYSIS)
            finally:
                self._progress = None

    def _do(self, work: Burst | ExplainCapture | LiveFrame) -> bool:
        """Do what is asked for; return whether anything was analyzed."""
        match work:
            case LiveFrame() if self._request().scanning:
                self.code.put(read_code(work.frame.pixels))
            case LiveFrame():
                comparing = self._request().comparing
                with self._model():
                    finding = self._analyzer.analyze_live(
                        work.frame, work.motion, as_captured=comparing
                    )
                self._use_field(finding.field)
                analyzed = AnalyzedFrame(work.frame, finding)
                # No map is shown beside an earlier picture.
                self.live.put(analyzed if comparing else self._explained(analyzed))
            case Burst():
                if not work.frames:
                    self.capture.put(Capture(work.shot, None, fault=work.fault))
                    return False
                if work.shot.filing.kind is PictureKind.REGION:
                    # It shows where the lesion is: nothing is said of it.
                    self._keep_as(KeepExamination(work.shot, work.frames[len(work.frames) // 2]))
                    self.capture.put(Capture(work.shot, None))
                    return True
                self._capture(work)
                self._explain_capture()
            case ExplainCapture():
                return self._explain_capture()
            case _:
                assert_never(work)
        return True

    @contextmanager
    def _model(self) -> Iterator[None]:
        """Report whether the model does its work, apart from whatever else is done with frames."""
        try:
            yield
        except _Superseded:
            raise
        except Exception as error:
            self._health.failed(Part.MODEL, unexpected(FAILED, RESTART_AND_REPORT, error))
            raise
        self._health.worked(Part.MODEL)

    def _fail(self, work: Burst | ExplainCapture | LiveFrame, error: Exception) -> None:
        capture = self.capture.peek()
        shot = work.shot if isinstance(work, Burst) else None
        if capture is not None and capture.shot is shot:
            shot = None
        message = NOT_JUDGED if shot is not None and self._keep is not None else FAILED
        self._fault = fault = report_unexpected(_log, self._health, Part.ANALYSIS, message, error)
        if shot is not None:
            self.capture.put(Capture(shot, None, fault=fault))

    def _capture(self, burst: Burst) -> None:
        chosen: list[Frame] = []

        def keep_chosen(frame: Frame) -> None:
            chosen.append(frame)
            self._keep_as(KeepExamination(burst.shot, frame))

        try:
            with self._model():
                frame, finding = self._analyzer.analyze_burst(
                    burst.frames, self._step_done, keep_chosen
                )
        except Exception:
            if not chosen:
                keep_chosen(burst.frames[0])
            raise
        capture = Capture(burst.shot, AnalyzedFrame(frame, finding))
        try:
            capture = self._measured(capture, frame, finding.field)
        finally:
            # The clinician sees it before it is on the disk, but not that it is kept.
            self.capture.put(capture)
            flags = tuple(self._analyzer.reached_operating_points(finding))
            self._keep_as(KeepExamination(burst.shot, frame, finding, flags, capture.measures))

    def _measured(self, capture: Capture, frame: Frame, found: FieldOfView) -> Capture:
        """Return a capture with the lesion's outline and measures, where there is one."""
        field = crop(frame.pixels, found)
        lesion = segment_lesion(field)
        if lesion is None:
            return capture
        height, width = frame.pixels.shape[:2]
        optics = self._optics.peek() if self._optics else None
        scale = optics.mm_per_pixel_at(width, height) if optics else None
        return replace(
            capture,
            outline=lesion_contour(lesion),
            measures=measure_abcd(field, lesion, scale),
        )

    def _keep_as(self, examination: KeepExamination) -> None:
        if self._keep is not None:
            self._keep(examination)

    def _explain_capture(self) -> bool:
        """Explain the captured picture as requested now; return whether that was needed."""
        capture = self.capture.peek()
        if capture is None or capture.analyzed is None:
            return False
        analyzed = self._explained(capture.analyzed, capture.shot)
        if analyzed is capture.analyzed:
            return False
        self.capture.put(replace(capture, analyzed=analyzed))
        return True

    def _step_done(self, done: int, of: int) -> None:
        self._progress = (done, of)
        self._health.progressed(Part.ANALYSIS)

    def _request(self) -> OverlayRequest:
        return self.overlay_request.peek() or OverlayRequest()

    def _explained(self, analyzed: AnalyzedFrame, shot: Shot | None = None) -> AnalyzedFrame:
        """Return a finding with the requested map, unless something more urgent waits.

        Parameters
        ----------
        shot
            That the frame was captured by; None for one of the live view.
        """
        while not self._must_yield(shot):
            request = self._request()
            if not request.enabled:
                break
            finding: Finding = analyzed.finding
            code = request.code or likeliest_malignant(finding.probabilities)
            if not finding.explainable(code):
                break
            as_captured = shot is not None
            have = finding.saliency
            if have is not None and (have.code, have.method) == (
                code,
                self._analyzer.saliency_method(as_captured=as_captured),
            ):
                break
            step = partial(self._pass_done, request, shot)
            try:
                with self._model():
                    saliency = self._analyzer.explain(
                        analyzed.frame, code, step, as_captured=as_captured
                    )
            except _Superseded:
                continue
            return AnalyzedFrame(analyzed.frame, replace(finding, saliency=saliency))
        return analyzed

    def _pass_done(self, request: OverlayRequest, shot: Shot | None) -> None:
        """Give a map up between two of its passes, where it has come to be in the way."""
        self._health.progressed(Part.ANALYSIS)
        if self._request() != request or self._must_yield(shot):
            raise _Superseded

    def _must_yield(self, shot: Shot | None) -> bool:
        """Return whether something more urgent waits, or the picture was released."""
        return (
            self._stop.is_set()
            or self.inbox.commands_waiting()
            or (shot is not None and shot.released)
        )


class _Superseded(Exception):  # noqa: N818 -- it is no error
    """A map is no longer wanted, or must wait."""
