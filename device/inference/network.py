"""One of a bundle's networks: from a resized image to its outputs."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.imaging.preprocessing import scale_table
from device.inference.known_answers import TOLERANCE, known_answers, known_pictures
from device.inference.runtimes import Runtime, installed_runtime
from device.models.bundle import Bundle
from device.models.network_spec import NetworkSpec, TensorSpec


class NetworkOutput(NamedTuple):
    """What a network gives for one image.

    Attributes
    ----------
    logits
        float32, (7,).
    class_activation_map
        float32, (rows, columns, 7), or None where the network has none.
    whitened
        float32, (n,), or None where the network has none.
    dermoscopic
        Log-odds that a dermatoscope took the image, or None where the network has no such output.
    embedding
        float32, (n,), or None where the network has none.
    views
        Where `logits` are a mean over several views, those of each: float32, (views, 7).
    """

    logits: NDArray[np.float32]
    class_activation_map: NDArray[np.float32] | None
    whitened: NDArray[np.float32] | None
    dermoscopic: float | None = None
    embedding: NDArray[np.float32] | None = None
    views: NDArray[np.float32] | None = None


class Network:
    """A network of a bundle, ready to run.

    Not safe for use by two threads at once.

    Parameters
    ----------
    bundle
        A verified bundle.
    spec
        Which of its networks.
    threads
        Threads that the runtime may use.
    runtime
        Runs it; by default what is installed.

    Raises
    ------
    device.errors.BundleError
        If the model file does not load, is not as the manifest says, or fails at its first pass; or
        if this machine computes a known one wrongly.
    """

    def __init__(
        self,
        bundle: Bundle,
        spec: NetworkSpec,
        threads: int = 1,
        runtime: Runtime | None = None,
    ) -> None:
        runtime = runtime or installed_runtime()
        self.spec: Final = spec
        self.runtime: Final = runtime.name
        self._where = f"{bundle.folder}: {spec.file}"
        try:
            self._interpreter = runtime.load(bundle.models[spec.file], threads)
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise BundleError(f"{self._where} does not load in the runtime: {reason}") from None
        self._input = self._match(self._interpreter.get_input_details(), spec.input_tensor)
        details = self._interpreter.get_output_details()
        outputs = spec.outputs
        self._outputs = [
            None if tensor is None else (self._match(details, tensor), tensor)
            for tensor in (
                outputs.logits, outputs.class_activation_map, outputs.whitened, outputs.dermoscopic,
                outputs.embedding,
            )
        ]  # fmt: skip
        self._table: Final = quantize(scale_table(spec.input), spec.input_tensor)
        self._try(_known_answers(bundle, spec))

    def run(self, pixels: NDArray[np.uint8]) -> NetworkOutput:
        """Run the network once.

        Parameters
        ----------
        pixels
            The resized image, uint8, (height, width, 3), RGB, as
            `device.imaging.preprocessing.resize_to_input` returns it.
        """
        # Scaling and quantization act on each pixel value alone, so a table of 256 does both.
        self._interpreter.set_tensor(self._input, cv2.LUT(pixels, self._table)[None])
        self._interpreter.invoke()
        logits, class_map, whitened, dermoscopic, embedding = (
            None if o is None else dequantize(self._interpreter.get_tensor(o[0])[0], o[1])
            for o in self._outputs
        )
        if logits is None:
            raise AssertionError("every manifest names the logits")
        taken = None if dermoscopic is None else float(dermoscopic[0])
        return NetworkOutput(logits, class_map, whitened, taken, embedding)

    def _try(self, answers: Sequence[Sequence[int]] | None) -> None:
        """Run the network on pictures whose answers may be known."""
        spec = self.spec
        for number, pixels in enumerate(known_pictures(spec.input.height, spec.input.width)):
            try:
                output = self.run(pixels)
            except (ValueError, RuntimeError) as error:
                reason = " ".join(str(error).split())
                raise BundleError(
                    f"{self._where} loads, and fails when it is run: {reason}"
                ) from None
            given = [output.logits, output.class_activation_map, output.whitened, output.embedding]
            if not all(x is None or np.isfinite(x).all() for x in (*given, output.dermoscopic)):
                raise BundleError(f"{self._where} gives what is no number; make the bundle again")
            if answers is not None:
                raw = quantize(output.logits, spec.outputs.logits).astype(np.int64)
                if np.abs(raw - answers[number]).max() > TOLERANCE:
                    raise BundleError(
                        f"{self._where}: this machine computes it wrongly (picture {number}); "
                        "findings would be wrong, so use another processor or runtime"
                    )

    def _match(self, details: Sequence[dict[str, Any]], spec: TensorSpec) -> int:
        if spec.index < len(details):
            found = details[spec.index]
            scale, zero_point = found["quantization"]
            same = (
                tuple(int(n) for n in found["shape"][1:]) == spec.shape
                and np.dtype(found["dtype"]).name == spec.dtype
                and np.float32(scale) == np.float32(spec.quantization_scale)
                and zero_point == spec.zero_point
            )
            if same:
                return int(found["index"])
        raise BundleError(
            f"{self._where} has no tensor {spec.index} of shape {spec.shape} and "
            f"type {spec.dtype} as its manifest says; the bundle was not made correctly"
        )


def _known_answers(bundle: Bundle, spec: NetworkSpec) -> Sequence[Sequence[int]] | None:
    """Return what the network answers to known pictures: the program's own, else its maker's."""
    told = known_answers().get(spec.sha256)
    if told is None and bundle.release is not None:
        told = bundle.release.known_answers.get(spec.sha256)
    count = len(known_pictures(spec.input.height, spec.input.width))
    if told is not None and len(told) != count:
        raise BundleError(
            f"{bundle.folder}: {spec.file}: answers to {len(told)} known pictures are told, and "
            f"{count} are asked; make the bundle again"
        )
    return told


def has_known_answers(bundle: Bundle, spec: NetworkSpec) -> bool:
    """Return whether it is known what the network is to answer."""
    return _known_answers(bundle, spec) is not None


def quantize(values: NDArray[np.float32], spec: TensorSpec) -> NDArray[Any]:
    """Return `values` as the tensor holds them (int8 by its scale and zero point, or as they are).

    ``round(value / scale) + zero_point``, ties to even, clipped to int8, as the TensorFlow Lite
    quantization specification has it.
    """
    if spec.dtype == "float32":
        return values
    counts = np.rint(values / np.float32(spec.quantization_scale)) + spec.zero_point
    return np.asarray(np.clip(counts, -128, 127), np.int8)


def dequantize(values: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Return the float32 numbers that a tensor's values stand for."""
    if spec.dtype == "float32":
        return np.array(values, dtype=np.float32)
    counts = values.astype(np.float32) - np.float32(spec.zero_point)
    return counts * np.float32(spec.quantization_scale)
