"""A trained network as a full-integer TensorFlow Lite file."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from build_host.keras import keras, tf
from device.imaging.preprocessing import InputSpec, scale
from device.inference.interpreter import load_runtime
from device.inference.manifest import Outputs, TensorSpec


def to_int8(model: keras.Model, representative: NDArray[np.uint8], spec: InputSpec) -> bytes:
    """Return the network with int8 weights, activations, input and outputs.

    Parameters
    ----------
    model
        Scaled image in; logits, and where it has one the class activation map, out.
    representative
        Training images as the model is shown them: uint8, (n, height, width, 3). The ranges of
        the activations are taken from them.

    Returns
    -------
    bytes
        The ``.tflite`` file.
    """

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        for pixels in representative:
            yield [scale(pixels, spec)[None]]
        # The two ends of the pixel range make the input's quantization exact for every image.
        for value in (0, 255):
            yield [scale(np.full_like(representative[0], value), spec)[None]]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def describe(model: bytes) -> tuple[TensorSpec, Outputs]:
    """Return what a ``.tflite`` file takes and gives, for the manifest."""
    _, interpreter_class = load_runtime()
    interpreter = interpreter_class(model_content=model)
    interpreter.allocate_tensors()
    outputs = [_spec(i, d) for i, d in enumerate(interpreter.get_output_details())]
    logits = next(o for o in outputs if len(o.shape) == 1)
    maps = [o for o in outputs if len(o.shape) == 3]
    return (
        _spec(0, interpreter.get_input_details()[0]),
        Outputs(logits=logits, class_activation_map=maps[0] if maps else None),
    )


def _spec(index: int, details: dict[str, object]) -> TensorSpec:
    scale_, zero_point = details["quantization"]
    dtype = np.dtype(details["dtype"]).name
    return TensorSpec(
        index=index,
        shape=tuple(int(n) for n in details["shape"][1:]),
        dtype=dtype,
        quantization_scale=float(scale_),
        zero_point=int(zero_point),
    )
