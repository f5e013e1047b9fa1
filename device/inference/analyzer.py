"""From a frame to a finding."""

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from device.capture.frame import Frame
from device.diagnoses import CODES, MALIGNANT, SCREEN_ORDER, Code
from device.imaging.field import cut, find_field
from device.imaging.preprocessing import reduced, reduction, resize
from device.imaging.quality import measure_quality
from device.inference import calibration
from device.inference.bundle import Bundle
from device.inference.finding import Finding, SaliencyMap
from device.inference.interpreter import Network
from device.inference.manifest import Manifest
from device.inference.saliency import activation_map, occlusion_map


class Analyzer:
    """Turns frames into findings with one bundle. Not for use by two threads at once.

    Parameters
    ----------
    bundle
        A verified bundle.
    threads
        Threads that the runtime may use.
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        self.manifest: Manifest = bundle.manifest
        self._network = Network(bundle, threads)

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
        manifest = self.manifest
        start = perf_counter()
        small = reduced(frame.pixels)
        field = find_field(small)
        pixels = resize(small, manifest.input, field)
        resized = perf_counter()
        logits, class_map = self._network.run(pixels)
        inferred = perf_counter()
        quality = measure_quality(cut(small, field), manifest.quality, motion)
        measured = perf_counter()
        probability = calibration.probabilities(logits, manifest.calibration)
        doubt = calibration.doubt(logits, probability, manifest.abstention)
        saliency = None
        if class_map is not None and manifest.saliency.method == "class-activation-map":
            saliency = activation_map(class_map, code_to_explain(tuple(probability)))
        done = perf_counter()
        return Finding(
            model=manifest.model_id,
            probabilities=tuple(float(p) for p in probability),
            malignancy=float(calibration.malignancy(probability)),
            prediction_set=calibration.prediction_set(probability, manifest.conformal),
            doubt=doubt,
            field=field.times(reduction(*frame.pixels.shape[:2])),
            quality=quality,
            saliency=saliency,
            timings={
                "resize": (resized - start) * 1e3,
                "network": (inferred - resized) * 1e3,
                "quality": (measured - inferred) * 1e3,
                "total": (done - start) * 1e3,
            },
        )

    def explain(self, frame: Frame, code: Code) -> SaliencyMap:
        """Return where a frame speaks for one diagnosis, whatever number of passes that takes."""
        pixels = resize(frame.pixels, self.manifest.input)
        method = self.manifest.saliency
        if method.method == "class-activation-map":
            class_map = self._network.run(pixels)[1]
            if class_map is None:
                raise AssertionError("a manifest with this method has the output")
            return activation_map(class_map, code)
        return occlusion_map(pixels, code, self._logits, method.patch, method.stride)

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the raw logits, float32 (7,), of an RGB image of any size."""
        return self._logits(resize(pixels, self.manifest.input))

    def flags(self, finding: Finding) -> list[str]:
        """Return the names of the operating points whose threshold the finding reaches."""
        scores = {"mel": finding.probability("mel"), "malignant": finding.malignancy}
        return [p.name for p in self.manifest.operating_points if scores[p.score] >= p.threshold]

    def _logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._network.run(pixels)[0]


def code_to_explain(probabilities: tuple[float, ...]) -> Code:
    """Return the diagnosis whose map is shown unasked: the likeliest malignant one."""
    malignant = [code for code in SCREEN_ORDER if code in MALIGNANT]
    return max(malignant, key=lambda code: probabilities[CODES.index(code)])
