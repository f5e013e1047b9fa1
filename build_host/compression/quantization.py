"""A trained network as a TensorFlow Lite file: float32, float16, or int8."""

import warnings
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from build_host.compression.embedding import DIMENSIONS
from build_host.compression.pruning import copy_model
from build_host.keras import keras, tf
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec, scale_pixels
from device.inference.runtimes import installed_runtime
from device.models.network_spec import Outputs, TensorSpec
from device.platform.stderr_filter import filtered_stderr

_CHATTER: Final = (b"fully_quantize:", b"INFO:", b"W0000", b"I0000", b"WARNING: All log messages")


def to_float32(model: keras.Model) -> bytes:
    """Return the network as a float32 ``.tflite`` file."""
    return _converted(_converter(model))


def to_float16(model: keras.Model) -> bytes:
    """Return the network as a ``.tflite`` file with float16 weights."""
    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return _converted(converter)


def to_dynamic_range(model: keras.Model) -> bytes:
    """Return the network as a ``.tflite`` file with int8 weights and float activations."""
    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return _converted(converter)


def to_int8(model: keras.Model, representative: NDArray[np.uint8], spec: InputSpec) -> bytes:
    """Return the network as a ``.tflite`` file with int8 weights, activations, input and outputs.

    Parameters
    ----------
    model
        Scaled image in; logits, and where it has one the class activation map, out.
    representative
        Training images, as the model's input before scaling: uint8, (n, height, width, 3), RGB.
        They calibrate the ranges of the activations; a model from quantization-aware training has
        its own. Of such a model, the range of a channel without weights is changed in place.

    Returns
    -------
    bytes
        The ``.tflite`` file.
    """

    def samples() -> Iterator[list[NDArray[np.float32]]]:
        for pixels in representative:
            yield [scale_pixels(pixels, spec)[None]]
        # Black and white make the input's quantization cover every pixel value.
        for value in (0, 255):
            yield [scale_pixels(np.full_like(representative[0], value), spec)[None]]

    _give_empty_channels_a_range(model)
    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return _converted(converter)


def _give_empty_channels_a_range(model: keras.Model) -> None:
    """Give channels whose weights are all zero the widest range of their layer.

    A bias is quantized in multiples of its channel's weight scale. Pruning leaves channels whose
    weights have no range: their scale is so small that the bias overflows int32, and batch
    normalization multiplies that error thirtyfold, since such a channel never varies. In any
    range their zeros stay zero, so the model's output does not change.
    """
    variables = {variable.name: variable for variable in model.weights}
    for name, low in variables.items():
        if name.endswith("/kernel_min:0"):
            high = variables[name.replace("/kernel_min:", "/kernel_max:")]
            lows, highs = low.numpy(), high.numpy()
            empty = lows == highs
            low.assign(np.where(empty, lows.min(), lows))
            high.assign(np.where(empty, highs.max(), highs))


def _converter(model: keras.Model) -> tf.lite.TFLiteConverter:
    """Return a converter of a network for one image at a time.

    Given the Keras model itself, the converter would save it first and trace each of its layers
    four times. Converting the one function that is needed takes a tenth of the time, and half of
    that where it is not saved either.
    """
    image = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="image")
    run = tf.function(lambda pixels: model(pixels, training=False), input_signature=[image])
    holder = tf.Module()
    holder.weights = model.weights
    function = run.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], holder)
    converter.experimental_lower_to_saved_model = False
    return converter


def _converted(converter: tf.lite.TFLiteConverter) -> bytes:
    with warnings.catch_warnings(), filtered_stderr(lambda line: line.startswith(_CHATTER)):
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        return bytes(converter.convert())


def quantization_aware(model: keras.Model, preserve_sparsity: bool) -> keras.Model:
    """Return a copy of a model for quantization-aware training (arXiv:1712.05877).

    Batch normalization that does not directly follow a convolution cannot be folded into one: it
    stays a layer of its own, and its output is quantized.

    Parameters
    ----------
    preserve_sparsity
        Preserve the zeros of a pruned model, which ordinary quantization-aware training loses.
    """
    import tensorflow_model_optimization as tfmot

    quantization = tfmot.quantization.keras
    quantizers = quantization.quantizers

    class QuantizedOutput(quantization.QuantizeConfig):  # type: ignore[misc,name-defined]
        """Quantizes the output of a layer, and nothing inside it."""

        def get_weights_and_quantizers(self, layer: Any) -> list[Any]:
            return []

        def get_activations_and_quantizers(self, layer: Any) -> list[Any]:
            return []

        def set_quantize_weights(self, layer: Any, quantize_weights: Any) -> None:
            pass

        def set_quantize_activations(self, layer: Any, quantize_activations: Any) -> None:
            pass

        def get_output_quantizers(self, layer: Any) -> list[Any]:
            return [
                quantizers.MovingAverageQuantizer(
                    num_bits=8, per_axis=False, symmetric=False, narrow_range=False
                )
            ]

        def get_config(self) -> dict[str, Any]:
            return {}

    def annotate(layer: Any) -> Any:
        if isinstance(layer, keras.layers.BatchNormalization):
            return quantization.quantize_annotate_layer(layer, QuantizedOutput())
        return layer

    annotated = keras.models.clone_model(copy_model(model), clone_function=annotate)
    annotated = quantization.quantize_annotate_model(annotated)
    schemes = {}
    if preserve_sparsity:
        combined = tfmot.experimental.combine
        schemes["scheme"] = combined.Default8BitPrunePreserveQuantizeScheme()
    with quantization.quantize_scope({"QuantizedOutput": QuantizedOutput}):
        return quantization.quantize_apply(annotated, **schemes)


def describe_tensors(model: bytes) -> tuple[TensorSpec, Outputs]:
    """Return the input and outputs of a ``.tflite`` file, for the manifest."""
    interpreter = installed_runtime().load(model, 1)
    outputs = [_spec(i, d) for i, d in enumerate(interpreter.get_output_details())]
    vectors = {o.shape[0]: o for o in outputs if len(o.shape) == 1}
    logits = vectors.pop(len(CODES))
    maps = [o for o in outputs if len(o.shape) == 3]
    return (
        _spec(0, interpreter.get_input_details()[0]),
        Outputs(
            logits=logits,
            class_activation_map=maps[0] if maps else None,
            dermoscopic=vectors.pop(1, None),
            embedding=vectors.pop(DIMENSIONS, None),
            whitened=next(iter(vectors.values()), None),
        ),
    )


def _spec(index: int, details: dict[str, Any]) -> TensorSpec:
    scale_, zero_point = details["quantization"]
    dtype = np.dtype(details["dtype"]).name
    return TensorSpec(
        index=index,
        shape=tuple(int(n) for n in details["shape"][1:]),
        dtype="int8" if dtype == "int8" else "float32",
        quantization_scale=float(scale_),
        zero_point=int(zero_point),
    )
