"""From a frame to a finding."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from device.diagnoses import CODES, MALIGNANT, SCREEN_ORDER, Code
from device.faults import Fault
from device.frame import Frame
from device.imaging.burst import motion_in_burst, sharpest_frame
from device.imaging.field_of_view import FieldOfView
from device.imaging.preprocessing import (
    CroppedField,
    crop_field,
    dihedral_views,
    resize_known_field,
    resize_to_input,
    undo_dihedral_views,
)
from device.imaging.quality import Quality, measure_quality, with_motion
from device.inference import calibration
from device.inference.finding import Finding, SaliencyMap
from device.inference.likeness import likeness_of
from device.inference.network import Network, NetworkOutput
from device.inference.recommendation import recommend
from device.inference.runtimes import Runtime
from device.inference.saliency import activation_map, occlusion_map, rise_map
from device.inference.similar_cases import SimilarCases
from device.models.bundle import Bundle
from device.models.manifest import Manifest
from device.models.network_spec import NetworkSpec
from device.platform.clock import Clock

MAX_MEASUREMENT_AGE_SECONDS: Final = 0.25
"""How old a live view's field and quality may be when the next finding replaces them."""

_ALIKE: Final = 2.0
_NETWORK_NAME: Final = 16
"""Digits of its file's SHA-256 that tell a network from others."""

Progress = Callable[[int, int], None]
"""Called with how many steps are done, and of how many."""


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """What was measured of a good frame, and how the model saw it."""

    shape: tuple[int, ...]
    field: FieldOfView
    quality: Quality
    pixels: NDArray[np.uint8]
    at: float


class FrameAnalyzer(Protocol):
    """What the instrument asks of whatever analyzes its frames; see `Analyzer`.

    Used by one thread.
    """

    @property
    def manifest(self) -> Manifest:
        """The model's."""
        ...

    def analyze_live(
        self, frame: Frame, motion: float | None = None, *, as_captured: bool = False
    ) -> Finding:
        """Return the finding of the next frame of a live view."""
        ...

    def analyze_burst(
        self, frames: Sequence[Frame], progress: Progress, chosen: Callable[[Frame], None]
    ) -> tuple[Frame, Finding]:
        """Return the sharpest frame of a burst, and its finding."""
        ...

    def explain(
        self, frame: Frame, code: Code, done: Callable[[], None], *, as_captured: bool
    ) -> SaliencyMap:
        """Return where a frame points to one diagnosis."""
        ...

    def saliency_method(self, *, as_captured: bool) -> str:
        """Return the name of the method that `explain` uses."""
        ...

    def reached_operating_points(self, finding: Finding) -> list[str]:
        """Return the names of the operating points whose threshold a finding reaches."""
        ...


class Analyzer:
    """Turns frames into findings with one bundle. Not for use by two threads at once.

    Parameters
    ----------
    bundle
        A verified bundle.
    threads
        Threads that the runtime may use.
    clock
        For the age of what was measured, in `analyze_live`.
    runtime
        Runs the networks; by default what is installed.
    """

    def __init__(
        self,
        bundle: Bundle,
        threads: int = 1,
        clock: Clock | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        self.manifest: Manifest = bundle.manifest
        self._live = Network(bundle, bundle.manifest.live, threads, runtime)
        own = bundle.manifest.captured
        self._captured = self._live if own is None else Network(bundle, own, threads, runtime)
        self._cases = SimilarCases(bundle) if bundle.manifest.similar_cases else None
        self._clock = clock or Clock()
        self._measured: _Measured | None = None
        self._last_live = self._clock.monotonic()

    @property
    def runtime(self) -> str:
        """Name of the TensorFlow Lite runtime in use."""
        return self._live.runtime

    @property
    def fault(self) -> Fault | None:
        """Why a network does not run on the Edge TPU that it is meant for; None where it does."""
        return self._live.fault or self._captured.fault

    def analyze(
        self, frame: Frame, motion: float | None = None, *, as_captured: bool = False
    ) -> Finding:
        """Return the finding of one frame; its saliency only where it costs no second pass.

        Parameters
        ----------
        frame
            Of any size.
        motion
            How far the skin moved since the frame before (`device.imaging.motion`), where that
            is known.
        as_captured
            Analyze it as a captured picture is (`analyze_burst`).
        """
        return self._analyze(frame, motion, as_captured)

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
            Analyze it as a captured picture is (`analyze_burst`), so that the two can be compared.
        """
        now = self._clock.monotonic()
        before, period = self._measured, now - self._last_live
        self._last_live = now
        if before is not None and now - before.at + period >= MAX_MEASUREMENT_AGE_SECONDS:
            before = None
        return self._analyze(frame, motion, as_captured, before)

    def analyze_burst(
        self,
        frames: Sequence[Frame],
        progress: Progress = lambda done, of: None,
        chosen: Callable[[Frame], None] = lambda frame: None,
    ) -> tuple[Frame, Finding]:
        """Return the sharpest frame of a burst, and its finding.

        The network is the bundle's for captured pictures, where it has one; the logits are averaged
        over the eight flips and rotations of its input where the bundle says so. How far the skin
        moved is measured from the frame before, or, for the first, from the one after it.

        Parameters
        ----------
        frames
            In the order in which they were taken, at least one.
        progress
            Called with how many steps are done, and of how many.
        chosen
            Called with the sharpest frame before anything else is done with it.

        Raises
        ------
        ValueError
            If there is no frame.
        """
        if not frames:
            raise ValueError("a burst needs at least one frame")
        steps = itertools.count(1)
        spec = self._captured.spec
        of = len(frames) + (8 if spec.test_time_augmentation == "dihedral" else 1)
        crops = [_crop(frame, spec) for frame in frames]
        kept = sharpest_frame(
            [crop.pixels for crop in crops],
            self.manifest.quality,
            lambda: progress(next(steps), of),
        )
        sharpest = frames[kept]
        chosen(sharpest)
        moved = motion_in_burst([frame.pixels for frame in frames], kept, crops[kept].field)
        finding = self._analyze(
            sharpest, moved, True, crop=crops[kept], done=lambda: progress(next(steps), of)
        )
        return sharpest, finding

    def _analyze(
        self,
        frame: Frame,
        motion: float | None,
        as_captured: bool,
        before: _Measured | None = None,
        crop: CroppedField | None = None,
        done: Callable[[], None] = lambda: None,
    ) -> Finding:
        """Return the finding of a frame, of which the same field or the crop may be known."""
        network = self._captured if as_captured else self._live
        manifest, spec = self.manifest, network.spec
        averaged = as_captured and spec.test_time_augmentation == "dihedral"
        start = perf_counter()
        shape = frame.pixels.shape
        if before is not None and shape == before.shape:
            pixels = resize_known_field(frame.pixels, spec.input, before.field)
            if not _alike(pixels, before.pixels):
                before = None
        else:
            before = None
        if before is None:
            look = crop or _crop(frame, spec)
            pixels = resize_to_input(frame.pixels, spec.input, look)
        resized = perf_counter()
        views = dihedral_views(pixels) if averaged else (pixels,)
        output = mean_over_views(network, views, done)
        inferred = perf_counter()
        if before is None:
            quality = measure_quality(look.pixels, manifest.quality, motion)
            before = _Measured(shape, look.field, quality, pixels, self._clock.monotonic())
        else:
            quality = with_motion(before.quality, manifest.quality, motion)
        self._measured = before if quality.sufficient else None
        measured = perf_counter()
        probability = calibration.probabilities(output.logits, spec.calibration)
        agreed = calibration.agreement(output, spec.calibration)
        abstention = calibration.abstention_reason(output, probability, spec.abstention, agreed)
        similar: tuple[Code, ...] = ()
        if as_captured and self._cases is not None and output.embedding is not None:
            similar = self._cases.nearest(output.embedding)
        likeness = None
        if as_captured and output.embedding is not None:
            likeness = likeness_of(spec.sha256[:_NETWORK_NAME], output.embedding)
        saliency = None
        if spec.saliency.method == "class-activation-map":
            saliency = _own_map(spec, output, likeliest_malignant(tuple(probability)), probability)
        malignancy = float(calibration.malignancy(probability))
        recommendation = recommend(
            float(probability[CODES.index(Code.MEL)]),
            malignancy,
            spec.operating_points,
            called=abstention is None and quality.sufficient,
        )
        end = perf_counter()
        return Finding(
            model=manifest.model_id,
            probabilities=tuple(float(p) for p in probability),
            malignancy=malignancy,
            prediction_set=calibration.prediction_set(probability, spec.conformal),
            abstention=abstention,
            field=before.field,
            quality=quality,
            saliency=saliency,
            case_mix=manifest.case_mix,
            similar=similar,
            likeness=likeness,
            as_captured=as_captured or not self._captures_differ,
            recommendation=recommendation,
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
        as_captured: bool = False,
    ) -> SaliencyMap:
        """Return where a frame points to one diagnosis, whatever number of passes that takes.

        Parameters
        ----------
        frame
            Of any size.
        code
            The diagnosis.
        done
            Called after each pass of the network; what it raises ends the work.
        as_captured
            Make the map that the bundle names for a captured picture (`saliency_method`).
        """

        def logits(image: NDArray[np.uint8]) -> NDArray[np.float32]:
            found = network.run(image).logits
            done()
            return found

        network = self._captured if as_captured else self._live
        spec = network.spec
        pixels = resize_to_input(frame.pixels, spec.input)
        method = spec.saliency
        if as_captured and method.captured_method == "rise":
            return rise_map(pixels, code, logits, method.masks, method.cells)
        if method.method == "class-activation-map":
            averaged = as_captured and spec.test_time_augmentation == "dihedral"
            views = dihedral_views(pixels) if averaged else (pixels,)
            output = mean_over_views(network, views, done)
            probability = calibration.probabilities(output.logits, spec.calibration)
            return _own_map(spec, output, code, probability)
        return occlusion_map(pixels, code, logits, method.patch, method.stride)

    def saliency_method(self, *, as_captured: bool) -> str:
        """Return the name of the method that `explain` uses."""
        method = self.manifest.network_for(as_captured=as_captured).saliency
        return (as_captured and method.captured_method) or method.method

    def reached_operating_points(self, finding: Finding) -> list[str]:
        """Return the names of the operating points whose threshold the finding reaches."""
        scores = {"mel": finding.probability(Code.MEL), "malignant": finding.malignancy}
        points = self.manifest.network_for(as_captured=finding.as_captured).operating_points
        return [p.name for p in points if scores[p.score] >= p.threshold]

    @property
    def _captures_differ(self) -> bool:
        """Whether a captured picture is analyzed in another way than a frame of the live view."""
        return (
            self._captured is not self._live or self._captured.spec.test_time_augmentation != "none"
        )


def _crop(frame: Frame, spec: NetworkSpec) -> CroppedField:
    return crop_field(frame.pixels, max(spec.input.height, spec.input.width))


def _own_map(
    spec: NetworkSpec, output: NetworkOutput, code: Code, probability: NDArray[np.float64]
) -> SaliencyMap:
    class_map = output.class_activation_map
    if class_map is None:
        raise AssertionError("a manifest with this method has the output")
    return activation_map(class_map, code, probability, spec.calibration.temperature)


def mean_over_views(
    network: Network,
    views: Sequence[NDArray[np.uint8]],
    done: Callable[[], None] = lambda: None,
) -> NetworkOutput:
    """Return what a network gives for the first of several views, with their means.

    Parameters
    ----------
    views
        One, or all that `device.imaging.preprocessing.dihedral_views` returns of one picture.
    done
        Called after each.

    Returns
    -------
    NetworkOutput
        The logits and the class activation map are means over the views, the maps turned back onto
        the first; the rest is that of the first.
    """
    outputs = []
    for view in views:
        outputs.append(network.run(view))
        done()
    if len(outputs) == 1:
        return outputs[0]
    logits = np.stack([o.logits for o in outputs])
    maps = [o.class_activation_map for o in outputs if o.class_activation_map is not None]
    return outputs[0]._replace(
        logits=np.mean(logits, axis=0, dtype=np.float32),
        class_activation_map=(
            np.mean(undo_dihedral_views(maps), axis=0, dtype=np.float32) if maps else None
        ),
        views=logits,
    )


def _alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Return whether two pictures differ by no more than noise and a steady hand's tremor do.

    On the demonstration those make up 1.6 grey levels at most; a picture that is blurred by a
    hundredth of its side 2.9, one that is covered by a seventh 21.
    """
    return one.shape == other.shape and max(cv2.mean(cv2.absdiff(one, other))) <= _ALIKE


def likeliest_malignant(probabilities: tuple[float, ...]) -> Code:
    """Return the diagnosis whose map is shown unasked: the likeliest malignant one."""
    malignant = [code for code in SCREEN_ORDER if code in MALIGNANT]
    return max(malignant, key=lambda code: probabilities[CODES.index(code)])
