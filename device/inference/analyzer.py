"""From a frame to a finding."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from device.diagnoses import CODES, MALIGNANT, SCREEN_ORDER, Code
from device.frame import Frame
from device.imaging.field_of_view import FieldOfView
from device.imaging.motion import estimate_motion as motion_between
from device.imaging.motion import motion_thumbnail
from device.imaging.preprocessing import (
    CroppedField,
    crop_field,
    dihedral_views,
    resize_to_input,
    working_side,
)
from device.imaging.quality import Quality, measure_quality, with_motion
from device.inference import calibration
from device.inference.finding import Finding, SaliencyMap
from device.inference.network import Network, NetworkOutput
from device.inference.saliency import activation_map, occlusion_map, rise_map
from device.models.bundle import Bundle
from device.models.manifest import Manifest

MAX_MEASUREMENT_AGE_SECONDS: Final = 0.25
"""How old a live view's field and quality may be when the next finding replaces them."""

_ALIKE: Final = 2.0

Progress = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """What was measured of a good frame, and how the model saw it."""

    shape: tuple[int, ...]
    field: FieldOfView
    quality: Quality
    pixels: NDArray[np.uint8]
    at: float


class Analyzer:
    """Turns frames into findings with one bundle. Not for use by two threads at once.

    Parameters
    ----------
    bundle
        A verified bundle.
    threads
        Threads that the runtime may use.
    clock
        Seconds that never go back, for `analyze_live`.
    """

    def __init__(
        self, bundle: Bundle, threads: int = 1, clock: Callable[[], float] = monotonic
    ) -> None:
        self.manifest: Manifest = bundle.manifest
        self._network = Network(bundle, threads)
        self._clock = clock
        self._measured: _Measured | None = None
        self._followed = clock()

    @property
    def runtime(self) -> str:
        """Name of the TensorFlow Lite runtime in use."""
        return self._network.runtime

    def analyze(self, frame: Frame, motion: float | None = None) -> Finding:
        """Return the finding of one frame; its saliency only where it costs no second pass.

        Parameters
        ----------
        frame
            Of any size.
        motion
            How far the skin moved since the frame before (`device.imaging.motion`), where that
            is known.
        """
        return self._judge(frame, motion, False, None, lambda: None)

    def analyze_live(
        self, frame: Frame, motion: float | None = None, *, as_captured: bool = False
    ) -> Finding:
        """Return the finding of the next frame of a live view, as `analyze` does.

        The field of view and the quality are those of a frame before where that was good, this
        one looks like it, and it will be no older than `MAX_MEASUREMENT_AGE_SECONDS` when the next
        finding comes: so a slow device measures every frame, and what is wrong is measured with
        every frame until it is right.

        Parameters
        ----------
        frame, motion
            As in `analyze`.
        as_captured
            Judge it as the shutter would (`analyze_burst`), so that the two can be compared.
        """
        now = self._clock()
        before, period = self._measured, now - self._followed
        self._followed = now
        if before is not None and now - before.at + period >= MAX_MEASUREMENT_AGE_SECONDS:
            before = None
        return self._judge(frame, motion, as_captured, before, lambda: None)

    def analyze_burst(
        self, frames: Sequence[Frame], progress: Progress = lambda done, of: None
    ) -> tuple[Frame, Finding]:
        """Return the sharpest frame of a burst, and its finding.

        The logits are averaged over the eight flips and rotations of the model's input where the
        bundle says so. How far the skin moved is told from the frame before, or, for the first,
        from the one after it.

        Parameters
        ----------
        frames
            In the order in which they were taken, at least one.
        progress
            Called with how many steps are done, and of how many.

        Raises
        ------
        ValueError
            If there is no frame.
        """
        if not frames:
            raise ValueError("a burst needs at least one frame")
        steps = itertools.count(1)
        of = len(frames) + (8 if self.manifest.averaging == "dihedral" else 1)
        looks: list[CroppedField] = []
        focus: list[float] = []
        for frame in frames:
            look = self._look_at(frame)
            looks.append(look)
            focus.append(measure_quality(look.pixels, self.manifest.quality).focus)
            progress(next(steps), of)
        best = int(np.argmax(focus))
        chosen = frames[best]
        moved = None
        if len(frames) > 1:
            field = looks[best].field
            pair = (best - 1, best) if best else (0, 1)
            moved = motion_between(*(motion_thumbnail(frames[i].pixels, field) for i in pair))
        return chosen, self._judge(chosen, moved, True, None, lambda: progress(next(steps), of))

    def _judge(
        self,
        frame: Frame,
        motion: float | None,
        as_captured: bool,
        before: _Measured | None,
        done: Callable[[], None],
    ) -> Finding:
        manifest = self.manifest
        averaged = as_captured and manifest.averaging == "dihedral"
        start = perf_counter()
        shape = frame.pixels.shape
        if before is not None and shape == before.shape:
            look = self._look_at(frame, before.field)
            pixels = resize_to_input(frame.pixels, manifest.input, look)
            if not _alike(pixels, before.pixels):
                before = None
        else:
            before = None
        if before is None:
            look = self._look_at(frame)
            pixels = resize_to_input(frame.pixels, manifest.input, look)
        resized = perf_counter()
        views = dihedral_views(pixels) if averaged else (pixels,)
        answer = self._mean_over(views, done)
        inferred = perf_counter()
        if before is None:
            quality = measure_quality(look.pixels, manifest.quality, motion)
            before = _Measured(shape, look.field, quality, pixels, self._clock())
        else:
            quality = with_motion(before.quality, manifest.quality, motion)
        self._measured = before if quality.sufficient else None
        measured = perf_counter()
        probability = calibration.probabilities(answer.logits, manifest.calibration)
        abstention = calibration.abstention_reason(answer, probability, manifest.abstention)
        saliency = None
        if manifest.saliency.method == "class-activation-map":
            saliency = self._own_map(answer, likeliest_malignant(tuple(probability)), probability)
        end = perf_counter()
        return Finding(
            model=manifest.model_id,
            probabilities=tuple(float(p) for p in probability),
            malignancy=float(calibration.malignancy(probability)),
            prediction_set=calibration.prediction_set(probability, manifest.conformal),
            abstention=abstention,
            field=look.field,
            quality=quality,
            saliency=saliency,
            as_captured=averaged == (manifest.averaging == "dihedral"),
            timings={
                "resize": (resized - start) * 1e3,
                "network": (inferred - resized) * 1e3,
                "quality": (measured - inferred) * 1e3,
                "total": (end - start) * 1e3,
            },
        )

    def explain(
        self,
        frame: Frame,
        code: Code,
        done: Callable[[], None] = lambda: None,
        *,
        frozen: bool = False,
    ) -> SaliencyMap:
        """Return where a frame speaks for one diagnosis, whatever number of passes that takes.

        Parameters
        ----------
        frame
            Of any size.
        code
            The diagnosis.
        done
            Called after each pass of the network; what it raises ends the work.
        frozen
            The picture is held: make the map that the bundle names for that (`saliency_method`).
        """

        def logits(image: NDArray[np.uint8]) -> NDArray[np.float32]:
            found = self._logits(image)
            done()
            return found

        pixels = resize_to_input(frame.pixels, self.manifest.input)
        method = self.manifest.saliency
        if frozen and method.frozen == "rise":
            return rise_map(pixels, code, logits, method.masks, method.cells)
        if method.method == "class-activation-map":
            answer = self._network.run(pixels)
            probability = calibration.probabilities(answer.logits, self.manifest.calibration)
            return self._own_map(answer, code, probability)
        return occlusion_map(pixels, code, logits, method.patch, method.stride)

    def saliency_method(self, *, frozen: bool) -> str:
        """Return the name of the method that `explain` uses."""
        method = self.manifest.saliency
        return (frozen and method.frozen) or method.method

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the raw logits, float32 (7,), of an RGB image of any size."""
        return self.answer(pixels).logits

    def averaged_logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the mean logits, float32 (7,), over the eight flips and rotations of the input."""
        views = dihedral_views(resize_to_input(pixels, self.manifest.input))
        return self._mean_over(views, lambda: None).logits

    def familiarity(self, pixels: NDArray[np.uint8]) -> float:
        """Return the bundle's score of how familiar an RGB image of any size is."""
        answer = self.answer(pixels)
        probability = calibration.probabilities(answer.logits, self.manifest.calibration)
        return calibration.in_distribution_score(answer, probability, self.manifest.abstention)

    def answer(self, pixels: NDArray[np.uint8]) -> NetworkOutput:
        """Return all that the network gives for an RGB image of any size."""
        return self._network.run(resize_to_input(pixels, self.manifest.input))

    def reached_operating_points(self, finding: Finding) -> list[str]:
        """Return the names of the operating points whose threshold the finding reaches."""
        scores = {"mel": finding.probability("mel"), "malignant": finding.malignancy}
        return [p.name for p in self.manifest.operating_points if scores[p.score] >= p.threshold]

    def _look_at(self, frame: Frame, field: FieldOfView | None = None) -> CroppedField:
        return crop_field(frame.pixels, working_side(self.manifest.input), field)

    def _own_map(
        self, answer: NetworkOutput, code: Code, probability: NDArray[np.float64]
    ) -> SaliencyMap:
        class_map = answer.class_activation_map
        if class_map is None:
            raise AssertionError("a manifest with this method has the output")
        return activation_map(class_map, code, probability, self.manifest.calibration.temperature)

    def _mean_over(
        self, views: Sequence[NDArray[np.uint8]], done: Callable[[], None]
    ) -> NetworkOutput:
        """Return what the network gives for the first of several views, with their mean logits."""
        answers = []
        for view in views:
            answers.append(self._network.run(view))
            done()
        mean: NDArray[np.float32] = np.mean(
            np.stack([a.logits for a in answers]), axis=0, dtype=np.float32
        )
        return answers[0]._replace(logits=mean)

    def _logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._network.run(pixels).logits


def _alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Tell whether two pictures differ by no more than noise and a steady hand's tremor do.

    On the demonstration those make up 1.6 grey levels at most; a picture that is blurred by a
    hundredth of its side 2.9, one that is covered by a seventh 21.
    """
    return max(cv2.mean(cv2.absdiff(one, other))) <= _ALIKE


def likeliest_malignant(probabilities: tuple[float, ...]) -> Code:
    """Return the diagnosis whose map is shown unasked: the likeliest malignant one."""
    malignant = [code for code in SCREEN_ORDER if code in MALIGNANT]
    return max(malignant, key=lambda code: probabilities[CODES.index(code)])
