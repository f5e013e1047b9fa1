"""What the live page shows: the newest frame or the held picture, and what was found of it."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from device.diagnoses import Code
from device.frame import Frame
from device.imaging.field_of_view import FieldOfView, central_field, crop, saliency_over_field
from device.inference.analyzer import likeliest_malignant
from device.inference.finding import Finding
from device.latest import Latest
from device.models.manifest import Manifest
from device.optics import Optics
from device.runtime.analysis import Analysis
from device.runtime.camera import Camera
from device.runtime.messages import AnalyzedFrame, Capture
from device.runtime.recorder import Recorder
from device.screen.state import State
from device.screen.view import KeepStatus, LiveView


class LivePicture:
    """Makes the live view of the threads' newest results.

    Parameters
    ----------
    camera, analysis, recorder
        The threads' work.
    manifest
        Of the model in use.
    optics
        How large a pixel is, where that is known.
    """

    def __init__(
        self,
        camera: Camera,
        analysis: Analysis,
        recorder: Recorder,
        manifest: Manifest,
        optics: Latest[Optics] | None,
    ) -> None:
        self._camera = camera
        self._analysis = analysis
        self._recorder = recorder
        self._manifest = manifest
        self._optics = optics
        # The same frame gives the same array: the screen draws again only what is another object.
        self._cropped = lru_cache(maxsize=2)(_crop_frame)
        self._saliency = lru_cache(maxsize=2)(self._saliency_of)

    def view(
        self, state: State, capture: Capture | None, live_before: Finding | None, *, flash: bool
    ) -> LiveView:
        """Return what is shown now.

        Parameters
        ----------
        state
            Where the clinician is.
        capture
            The picture that is held; None where none is.
        live_before
            What the live view said as it was taken.
        flash
            Whether the shutter was pressed a moment ago.
        """
        analyzed = capture.analyzed if capture else self._analysis.live.peek()
        frame = analyzed.frame if capture and analyzed else self._camera.frames.peek()
        if analyzed and frame and analyzed.frame.pixels.shape != frame.pixels.shape:
            # Of another camera, or another size: neither its field nor its call is this frame's.
            analyzed = None
        finding = analyzed.finding if analyzed else None
        field = finding.field if finding else None
        if frame and not field:
            field = central_field(*frame.pixels.shape[:2])
        code = explained(state, finding)
        shown = False
        if state.overlay and finding and finding.saliency and code:
            shown = finding.saliency.code == code and finding.explainable(code)
        age = frame.instant - analyzed.frame.instant if frame and analyzed else 0.0
        progress = self._analysis.progress or (0, 0)
        return LiveView(
            field=self._cropped(frame, field) if frame and field else None,
            finding=finding,
            finding_age=age,
            overlay=self._saliency(analyzed) if shown and analyzed else None,
            overlay_wanted=state.overlay,
            explained=code,
            opacity=state.opacity,
            frozen=frame.time if capture and frame else None,
            measures=capture.measures if capture else None,
            outline=capture.outline if capture else None,
            progress=progress if state.frozen and not capture else None,
            kept=self._kept(capture) if capture else None,
            lost=frame.time if frame and not capture and self._camera.lost else None,
            field_mm=self._field_mm(frame, field) if frame and field else None,
            live_before=live_before if capture else None,
            flash=flash,
        )

    def mm_per_pixel(self) -> float | None:
        """Return how large a pixel of the newest frame is, where that is known."""
        frame = self._camera.frames.peek()
        return self._scale(frame) if frame else None

    def _kept(self, capture: Capture) -> KeepStatus | None:
        kept = self._recorder.kept.peek()
        if kept is None or kept.shot is not capture.shot:
            return None
        if kept.fault is not None:
            locked = self._recorder.desk.locked
            return KeepStatus.LOCKED if locked else KeepStatus.NOT_KEPT
        if kept.sealed:
            return KeepStatus.SEALED
        return KeepStatus.KEPT if self._recorder.permanent else KeepStatus.UNTIL_THE_END

    def _saliency_of(self, analyzed: AnalyzedFrame) -> NDArray[np.float32] | None:
        saliency = analyzed.finding.saliency
        if saliency is None:
            return None
        shape, field = analyzed.frame.pixels.shape, analyzed.finding.field
        spec = self._manifest.network_for(as_captured=analyzed.finding.as_captured)
        return saliency_over_field(saliency.values, shape, spec.input.geometry, field)

    def _field_mm(self, frame: Frame, field: FieldOfView) -> float | None:
        scale = self._scale(frame)
        return None if scale is None else scale * field.side

    def _scale(self, frame: Frame) -> float | None:
        height, width = frame.pixels.shape[:2]
        optics = self._optics.peek() if self._optics else None
        return optics.mm_per_pixel_at(width, height) if optics else None


def explained(state: State, finding: Finding | None) -> Code | None:
    """Return what the overlay is about: what was chosen, or the likeliest malignant diagnosis."""
    if state.code is None and finding is not None:
        return likeliest_malignant(finding.probabilities)
    return state.code


def _crop_frame(frame: Frame, field: FieldOfView) -> NDArray[np.uint8]:
    return crop(frame.pixels, field)
