"""One of a bundle's networks: from a resized image to its outputs."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.faults import Fault
from device.imaging.preprocessing import scale_table
from device.inference.known_answers import TOLERANCE, known_answers, known_pictures
from device.inference.runtimes import Interpreter, Runtime, installed_runtime
from device.language import translatable
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


NO_EDGE_TPU: Final = translatable("no Edge TPU is found, and the processor is used instead")
EDGE_TPU_LOST: Final = translatable("the Edge TPU is gone, and the processor is used instead")
EDGE_TPU_WRONG: Final = translatable("the Edge TPU answers wrongly, and the processor is used")
PLUG_IN_EDGE_TPU: Final = translatable("plug it in and start again, or go on without it")
TELL_THE_MAKER: Final = translatable("go on without it, and tell whoever made the model")


class _Bound(NamedTuple):
    """An interpreter, the place of its input, and its outputs' places with how they are read."""

    interpreter: Interpreter
    input: int
    outputs: list[tuple[int, TensorSpec] | None]


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())


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

    Attributes
    ----------
    fault
        Why it does not run on the Edge TPU that the bundle has a file for; None where it does, or
        where there is no such file.

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
        self.fault: Fault | None = None
        self._where = f"{bundle.folder}: {spec.file}"
        try:
            interpreter = runtime.load(bundle.models[spec.file], threads)
        except (ValueError, RuntimeError) as error:
            raise BundleError(
                f"{self._where} does not load in the runtime: {_reason(error)}"
            ) from None
        self._table: Final = quantize(scale_table(spec.input), spec.input_tensor)
        self._plain: Final = self._bound(interpreter)
        self._used = self._plain
        answers = _known_answers(bundle, spec)
        self._try(answers)
        compiled = bundle.compiled.get(spec.sha256)
        if compiled is not None:
            self._try_edge_tpu(runtime, compiled, answers)

    @property
    def on_edge_tpu(self) -> bool:
        """Whether it runs on an Edge TPU now, and not on the processor."""
        return self._used is not self._plain

    def run(self, pixels: NDArray[np.uint8]) -> NetworkOutput:
        """Run the network once.

        Parameters
        ----------
        pixels
            The resized image, uint8, (height, width, 3), RGB, as
            `device.imaging.preprocessing.resize_to_input` returns it.
        """
        try:
            return self._run(pixels)
        except (OSError, ValueError, RuntimeError) as error:
            if not self.on_edge_tpu:
                raise
            # It was pulled out, or failed: the picture is not lost.
            self._leave_edge_tpu(EDGE_TPU_LOST, PLUG_IN_EDGE_TPU, _reason(error))
            return self._run(pixels)

    def _run(self, pixels: NDArray[np.uint8]) -> NetworkOutput:
        interpreter, place, outputs = self._used
        # Scaling and quantization act on each pixel value alone, so a table of 256 does both.
        interpreter.set_tensor(place, cv2.LUT(pixels, self._table)[None])
        interpreter.invoke()
        logits, class_map, whitened, dermoscopic, embedding = (
            None if o is None else dequantize(interpreter.get_tensor(o[0])[0], o[1])
            for o in outputs
        )
        if logits is None:
            raise AssertionError("every manifest names the logits")
        taken = None if dermoscopic is None else float(dermoscopic[0])
        return NetworkOutput(logits, class_map, whitened, taken, embedding)

    def _bound(self, interpreter: Interpreter) -> "_Bound":
        """Return an interpreter with the places of its tensors, which are as the manifest says."""
        details, told = interpreter.get_output_details(), self.spec.outputs
        return _Bound(
            interpreter,
            self._match(interpreter.get_input_details(), self.spec.input_tensor),
            [
                None if tensor is None else (self._match(details, tensor), tensor)
                for tensor in (
                    told.logits, told.class_activation_map, told.whitened, told.dermoscopic,
                    told.embedding,
                )
            ],
        )  # fmt: skip

    def _try_edge_tpu(
        self, runtime: Runtime, compiled: bytes, answers: Sequence[Sequence[int]] | None
    ) -> None:
        """Run on an Edge TPU from now on, where there is one and its answers are the known ones."""
        try:
            self._used = self._bound(runtime.load_on_edge_tpu(compiled))
        except (OSError, ValueError, RuntimeError) as error:
            self._leave_edge_tpu(NO_EDGE_TPU, PLUG_IN_EDGE_TPU, _reason(error))
            return
        if answers is None:
            self._leave_edge_tpu(EDGE_TPU_WRONG, TELL_THE_MAKER, "its answers are not known")
            return
        try:
            self._try(answers)
        except BundleError as error:
            self._leave_edge_tpu(EDGE_TPU_WRONG, TELL_THE_MAKER, str(error))

    def _leave_edge_tpu(self, message: str, action: str, detail: str) -> None:
        self._used = self._plain
        self.fault = Fault(message, action, detail=detail)

    def _try(self, answers: Sequence[Sequence[int]] | None) -> None:
        """Run the network on pictures whose answers may be known."""
        spec = self.spec
        for number, pixels in enumerate(known_pictures(spec.input.height, spec.input.width)):
            try:
                output = self._run(pixels)
            except (OSError, ValueError, RuntimeError) as error:
                raise BundleError(
                    f"{self._where} loads, and fails when it is run: {_reason(error)}"
                ) from None
            given = [output.logits, output.class_activation_map, output.whitened, output.embedding]
            if not all(x is None or np.isfinite(x).all() for x in (*given, output.dermoscopic)):
                raise BundleError(f"{self._where} gives what is no number; make the bundle again")
            if answers is not None:
                raw = quantize(output.logits, spec.outputs.logits).astype(np.int64)
                if np.abs(raw - answers[number]).max() > TOLERANCE:
                    raise BundleError(
                        "this machine computes it wrongly (picture {number})",
                        action=translatable(
                            "findings would be wrong, so use another processor or runtime"
                        ),
                        where=self._where,
                        number=number,
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
