"""The one seam to the TensorFlow Lite runtime."""

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from device.errors import BundleError
from device.imaging.preprocessing import scale_table
from device.models.bundle import MODEL_FILE, Bundle
from device.models.manifest import TensorSpec
from device.platform.stderr_filter import filtered_stderr


def load_runtime() -> tuple[str, Any]:
    """Return the name of the installed runtime and its ``Interpreter`` class.

    ``ai-edge-litert`` is the maintained successor of ``tflite-runtime``, with the same class;
    the older one serves where only it exists (32-bit Raspberry Pi OS).

    Raises
    ------
    device.errors.BundleError
        If neither is installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter

        return "ai-edge-litert", Interpreter
    except ImportError:
        pass
    try:
        from tflite_runtime.interpreter import Interpreter as OldInterpreter

        return "tflite-runtime", OldInterpreter
    except ImportError:
        raise BundleError(
            "no TensorFlow Lite runtime is installed; install ai-edge-litert"
        ) from None


def open_interpreter(model: bytes, threads: int = 1) -> tuple[str, Any]:
    """Return the runtime's name and an interpreter of a ``.tflite`` file, its tensors allocated.

    Raises
    ------
    ValueError, RuntimeError
        If the runtime refuses the file.
    """
    runtime, interpreter_class = load_runtime()
    # No setting turns these lines off.
    with filtered_stderr(lambda line: line.startswith(b"INFO:")):
        interpreter = interpreter_class(model_content=model, num_threads=threads)
        interpreter.allocate_tensors()
    return runtime, interpreter


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
    """

    logits: NDArray[np.float32]
    class_activation_map: NDArray[np.float32] | None
    whitened: NDArray[np.float32] | None


class Network:
    """A bundle's network, ready to run.

    Not safe for use by two threads at once.

    Parameters
    ----------
    bundle
        A verified bundle.
    threads
        Threads that the runtime may use.

    Raises
    ------
    device.errors.BundleError
        If the model file does not load, or is not as the manifest says.
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        manifest = bundle.manifest
        try:
            self.runtime, self._interpreter = open_interpreter(bundle.model, threads)
        except (ValueError, RuntimeError) as error:
            if isinstance(error, BundleError):
                raise
            reason = " ".join(str(error).split())
            raise BundleError(
                f"{bundle.folder}: {MODEL_FILE} does not load in the runtime: {reason}"
            ) from None
        self._spec = manifest.input_tensor
        self._input = self._match(bundle, self._interpreter.get_input_details(), self._spec)
        outputs = self._interpreter.get_output_details()
        told = manifest.outputs
        self._outputs = [
            None if spec is None else (self._match(bundle, outputs, spec), spec)
            for spec in (told.logits, told.class_activation_map, told.whitened)
        ]
        self._table: Final = quantize(scale_table(manifest.input), self._spec)

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
        logits, class_map, whitened = (
            None if o is None else dequantize(self._interpreter.get_tensor(o[0])[0], o[1])
            for o in self._outputs
        )
        if logits is None:
            raise AssertionError("every manifest names the logits")
        return NetworkOutput(logits, class_map, whitened)

    @staticmethod
    def _match(bundle: Bundle, details: list[dict[str, Any]], spec: TensorSpec) -> int:
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
            f"{bundle.folder}: {MODEL_FILE} has no tensor {spec.index} of shape {spec.shape} and "
            f"type {spec.dtype} as its manifest says; the bundle was not made correctly"
        )


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
