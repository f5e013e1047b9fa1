"""The analysis's thread: findings of the live view, and all that follows a press of the shutter."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from device.diagnoses import Code
from device.errors import RecordError
from device.faults import Fault, expected, unexpected
from device.imaging.field_of_view import FieldOfView, crop
from device.imaging.lesion import lesion_contour, measure_abcd, segment_lesion
from device.inference.analyzer import Analyzer, likeliest_malignant
from device.inference.finding import Finding
from device.language import translatable
from device.latest import Latest
from device.optics import Optics
from device.platform.systemd import Heartbeat
from device.records.folder import Archive
from device.runtime.messages import AnalyzedFrame, Burst, Capture, ExplainCapture, LiveFrame, Work

FAILED: Final = translatable(
    "The analysis failed. Restart the instrument; if it fails again, report it with the line below."
)

NOT_KEPT: Final = translatable(
    "The examination could not be kept. Restart the instrument; if it fails again, report it with "
    "the line below."
)

_WAIT_SECONDS: Final = 0.5
_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class OverlayRequest:
    """What the clinician wants explained: for None, the likeliest malignant diagnosis.

    Attributes
    ----------
    overlay
        Whether anything is to be explained.
    comparing
        Whether the live view stands beside an earlier picture, and must be judged as that was.
    """

    overlay: bool = False
    code: Code | None = None
    comparing: bool = False


class Analysis:
    """Judges what the camera gives.

    Parameters
    ----------
    analyzer
        Used by this thread alone.
    work
        Where the camera puts frames and bursts.
    heartbeat
        Told of every step.
    see
        Told where the field of view lies, with every finding.
    records
        Keeps what the shutter took; None to keep nothing.
    optics
        How large a pixel is, where that is known.
    """

    def __init__(
        self,
        analyzer: Analyzer,
        work: Latest[Work],
        heartbeat: Heartbeat,
        see: Callable[[FieldOfView], None],
        records: Archive | None = None,
        optics: Optics | None = None,
    ) -> None:
        self._analyzer = analyzer
        self._work = work
        self._heartbeat = heartbeat
        self._see = see
        self._records = records
        self._optics = optics
        self._doing: Work | None = None
        self.judged: Latest[AnalyzedFrame] = Latest()
        self.taken: Latest[Capture] = Latest()
        self.wish = OverlayRequest()
        self.progress: tuple[int, int] | None = None
        self.trouble: Fault | None = None
        self.record_trouble: Fault | None = None

    def run(self, stop: threading.Event) -> None:
        """Judge until told to stop."""
        seen = 0
        while not stop.is_set():
            seen, work = self._work.next(seen, _WAIT_SECONDS)
            self._mark()
            if work is None:
                continue
            self._doing = work
            try:
                self._do(work)
            except Exception as error:
                self.trouble = unexpected(FAILED, error)
                taken = self.taken.peek()
                if isinstance(work, Burst) and (taken is None or taken.press != work.press):
                    self.taken.put(Capture(work.press, None, trouble=self.trouble))
                # What fails at every frame must not fill the log.
                stop.wait(_PAUSE_SECONDS)
            else:
                self.trouble = None
            finally:
                self.progress = None

    def _do(self, work: Work) -> None:
        if isinstance(work, LiveFrame):
            finding = self._analyzer.analyze_live(
                work.frame, work.motion, as_captured=self.wish.comparing
            )
            self._see(finding.field)
            self.judged.put(self._explained(AnalyzedFrame(work.frame, finding)))
        elif isinstance(work, ExplainCapture):
            self._explain_taken()
        elif work.frames:
            self._take(work)
            self._explain_taken()
        else:
            self.taken.put(Capture(work.press, None, trouble=work.trouble))

    def _take(self, burst: Burst) -> None:
        frame, finding = self._analyzer.analyze_burst(burst.frames, self._tell)
        field = crop(frame.pixels, finding.field)
        lesion = segment_lesion(field)
        taken = Capture(burst.press, AnalyzedFrame(frame, finding))
        if lesion is not None:
            height, width = frame.pixels.shape[:2]
            scale = self._optics.at(width, height) if self._optics else None
            taken = replace(
                taken, outline=lesion_contour(lesion), measures=measure_abcd(field, lesion, scale)
            )
        # The clinician sees it before it is on the disk, but not that it is kept.
        self.taken.put(taken)
        if self._records is None:
            return
        self._mark()
        try:
            self._records.keep(
                frame, finding, self._analyzer.reached_operating_points(finding), taken.measures
            )
        except RecordError as error:
            self.record_trouble = expected(error)
        except Exception as error:
            self.record_trouble = unexpected(NOT_KEPT, error)
        else:
            self.record_trouble = None
        self._mark()
        self.taken.put(replace(taken, kept=self.record_trouble is None))

    def _explain_taken(self) -> None:
        """Explain the picture that was taken as is wished now, where it is not."""
        taken = self.taken.peek()
        if taken is None or taken.judged is None:
            return
        judged = self._explained(taken.judged, frozen=True)
        if judged is not taken.judged:
            self.taken.put(replace(taken, judged=judged))

    def _tell(self, done: int, of: int) -> None:
        self.progress = (done, of)
        self._mark()

    def _mark(self) -> None:
        self._heartbeat.mark("analysis")

    def _explained(self, judged: AnalyzedFrame, *, frozen: bool = False) -> AnalyzedFrame:
        """Return a finding with the map that is wished, unless there is something better to do."""
        while not self._pressed() and not (frozen and self._released()):
            wish = self.wish
            if not wish.overlay:
                break
            finding: Finding = judged.finding
            code = wish.code or likeliest_malignant(finding.probabilities)
            method = self._analyzer.saliency_method(frozen=frozen)
            have = finding.saliency
            if have is not None and (have.code, have.method) == (code, method):
                break
            step = partial(self._pass, wish, frozen)
            try:
                saliency = self._analyzer.explain(judged.frame, code, step, frozen=frozen)
            except _Overtaken:
                continue
            return AnalyzedFrame(judged.frame, replace(finding, saliency=saliency))
        return judged

    def _pass(self, wish: OverlayRequest, frozen: bool) -> None:
        """Give a map up between two of its passes, where it has come to be in the way."""
        self._mark()
        if self.wish != wish or self._pressed() or (frozen and self._released()):
            raise _Overtaken

    def _pressed(self) -> bool:
        """Return whether the shutter has taken pictures that wait to be judged."""
        waiting = self._work.peek()
        return isinstance(waiting, Burst) and waiting is not self._doing

    def _released(self) -> bool:
        """Return whether the picture that was taken has been let go of: a live frame waits."""
        waiting = self._work.peek()
        return isinstance(waiting, LiveFrame) and waiting is not self._doing


class _Overtaken(Exception):  # noqa: N818 -- it is no error
    """A map is no longer wanted, or must wait."""
