from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from build_host.datasets.ham10000 import read_ham10000
from build_host.datasets.image_cache import resized_images
from device.diagnoses import CODES
from device.imaging.preprocessing import InputSpec, resize_to_input, scale_pixels, scale_table
from device.inference.network import dequantize, quantize
from tests.build_host import drawn
from tests.build_host.conftest import Stage

pytestmark = pytest.mark.tensorflow

SPEC = InputSpec(height=16, width=20, geometry="full-frame", scale=1 / 127.5, offset=-1.0)


def interpreter_of(model: bytes) -> Interpreter:
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    return interpreter


@pytest.fixture(scope="module")
def converted():
    """A small network with a map, given out before the logits, and its int8 file."""
    from build_host.compression.quantization import to_int8
    from build_host.keras import keras

    layers = keras.layers
    keras.utils.set_random_seed(3)
    image = keras.Input((16, 20, 3))
    x = layers.Conv2D(12, 3, strides=2, padding="same")(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    seen = layers.Conv2D(7, 1, name="map")(x)
    logits = layers.GlobalAveragePooling2D(name="logits")(seen)
    network = keras.Model(image, [seen, logits])
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 20, 3)).astype(np.uint8)
    return network, images, to_int8(network, images, SPEC)


def assert_integer_throughout(model: bytes) -> None:
    interpreter = interpreter_of(model)
    operations = {op["op_name"] for op in interpreter._get_ops_details()}
    assert not operations & {"QUANTIZE", "DEQUANTIZE", "CAST", "FAKE_QUANT"}
    assert not any(name.startswith(("Flex", "CUSTOM")) for name in operations)
    dtypes = {np.dtype(t["dtype"]).name for t in interpreter.get_tensor_details()}
    assert dtypes <= {"int8", "int32"}
    for details in (*interpreter.get_input_details(), *interpreter.get_output_details()):
        assert details["dtype"] == np.int8
        assert details["quantization"][0] > 0.0


def test_no_float_is_left_in_the_file(converted) -> None:
    assert_integer_throughout(converted[2])


def test_no_float_is_left_in_the_papers_network(compressed: Stage) -> None:
    assert_integer_throughout((compressed.folder / "model.tflite").read_bytes())


def test_the_outputs_are_told_apart_by_their_shape(converted) -> None:
    from build_host.compression.quantization import describe_tensors

    model = converted[2]
    taken, given = describe_tensors(model)
    assert taken.index == 0
    assert (taken.shape, taken.dtype) == ((16, 20, 3), "int8")
    assert (given.logits.shape, given.logits.dtype) == ((7,), "int8")
    assert given.class_activation_map is not None
    assert given.class_activation_map.shape == (8, 10, 7)
    details = interpreter_of(model).get_output_details()
    for spec in (given.logits, given.class_activation_map):
        assert tuple(details[spec.index]["shape"][1:]) == spec.shape
        assert details[spec.index]["quantization"] == (spec.quantization_scale, spec.zero_point)


def test_a_network_without_a_map_has_none(compressed: Stage) -> None:
    from build_host.compression.quantization import describe_tensors

    taken, given = describe_tensors((compressed.folder / "model.tflite").read_bytes())
    assert taken.shape == (28, 28, 3)
    assert given.logits.shape == (7,)
    assert given.class_activation_map is None


def test_every_pixel_value_has_an_int8_of_its_own() -> None:
    from build_host.compression.quantization import describe_tensors, to_int8
    from build_host.keras import keras

    spec = InputSpec(height=16, width=20, geometry="full-frame")
    layers = [keras.Input((16, 20, 3)), keras.layers.Flatten(), keras.layers.Dense(7)]
    # Dark images alone: the range must not be theirs.
    dark = np.random.default_rng(0).integers(0, 60, (4, 16, 20, 3)).astype(np.uint8)
    taken, _ = describe_tensors(to_int8(keras.Sequential(layers), dark, spec))
    assert quantize(scale_table(spec), taken).tolist() == list(range(-128, 128))


def test_int8_logits_and_maps_are_near_the_floating_ones(converted) -> None:
    from build_host.compression.quantization import describe_tensors

    network, images, model = converted
    taken, given = describe_tensors(model)
    maps, logits = network.predict(scale_pixels(images, SPEC), verbose=0)
    interpreter = interpreter_of(model)
    details = interpreter.get_output_details()
    for pixels, map_, own in zip(images, maps, logits, strict=True):
        interpreter.set_tensor(
            interpreter.get_input_details()[0]["index"],
            quantize(scale_pixels(pixels, SPEC), taken)[None],
        )
        interpreter.invoke()
        for spec, expected in ((given.logits, own), (given.class_activation_map, map_)):
            found = dequantize(interpreter.get_tensor(details[spec.index]["index"])[0], spec)
            reach = 6 * spec.quantization_scale
            np.testing.assert_allclose(found, expected, atol=reach)


def run_float(model: bytes, images: np.ndarray) -> np.ndarray:
    interpreter = interpreter_of(model)
    outputs = interpreter.get_output_details()
    (index,) = (d["index"] for d in outputs if len(d["shape"]) == 2)
    logits = []
    for pixels in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels[None])
        interpreter.invoke()
        logits.append(interpreter.get_tensor(index)[0])
    return np.array(logits)


def test_files_with_float_inputs_say_what_the_network_says(converted) -> None:
    from build_host.compression import quantization

    network, images, _ = converted
    seen = scale_pixels(images[:8], SPEC)
    expected = network.predict(seen, verbose=0)[1]
    whole = quantization.to_float32(network)
    np.testing.assert_allclose(run_float(whole, seen), expected, atol=1e-5)
    half = quantization.to_float16(network)
    np.testing.assert_allclose(run_float(half, seen), expected, atol=1e-2)
    dynamic = quantization.to_dynamic_range(network)
    np.testing.assert_allclose(run_float(dynamic, seen), expected, atol=0.1)
    for model in (whole, half, dynamic):
        taken, given = quantization.describe_tensors(model)
        assert (taken.dtype, given.logits.dtype) == ("float32", "float32")


def test_the_compressed_run_says_nearly_what_the_trained_one_said(
    trained: Stage, compressed: Stage, ham10000: Path, tmp_path: Path
) -> None:
    from build_host.compression.quantization import describe_tensors
    from build_host.training.architectures import build_network
    from build_host.training.config import read_run_config

    config = read_run_config(trained.folder / "run.toml")
    network = build_network(config)
    network.load_weights(trained.folder / "weights.h5")
    dataset = read_ham10000(ham10000).subset(np.arange(0, 176, 8))
    images = resized_images(dataset, config.input, tmp_path, quiet=True)
    expected = network.predict(scale_pixels(np.asarray(images), config.input), verbose=0)
    model = (compressed.folder / "model.tflite").read_bytes()
    taken, given = describe_tensors(model)
    interpreter = interpreter_of(model)
    found = []
    for record in dataset.records:
        pixels = resize_to_input(dataset.read(record), config.input)
        interpreter.set_tensor(
            interpreter.get_input_details()[0]["index"],
            quantize(scale_pixels(pixels, config.input), taken)[None],
        )
        interpreter.invoke()
        output = interpreter.get_output_details()[given.logits.index]["index"]
        found.append(dequantize(interpreter.get_tensor(output)[0], given.logits))
    difference = np.abs(np.array(found) - expected)
    assert difference.mean() < 0.05 * np.ptp(expected)
    assert np.corrcoef(np.array(found).ravel(), expected.ravel())[0, 1] > 0.98


def test_the_int8_file_says_what_quantization_aware_training_has_fitted() -> None:
    from build_host.compression.quantization import describe_tensors, quantization_aware, to_int8
    from build_host.keras import keras

    layers = keras.layers
    keras.utils.set_random_seed(5)
    spec = InputSpec(height=24, width=32, geometry="full-frame")
    image = keras.Input((24, 32, 3))
    first = layers.Conv2D(8, 3, padding="same", activation="relu")
    # Few steps must show that a channel never varies.
    x = layers.BatchNormalization(momentum=0.8)(layers.MaxPooling2D()(first(image)))
    x = layers.Conv2D(12, 3, padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(layers.MaxPooling2D(4)(x))
    x = layers.BatchNormalization()(layers.Dense(16, activation="relu")(layers.Flatten()(x)))
    network = keras.Model(image, layers.Dense(7)(x))
    # As pruning does, which leaves a bias where it has taken all weights.
    kernel, bias = first.get_weights()
    kernel[..., :3], bias[:3] = 0.0, (0.06, 0.2, 0.4)
    first.set_weights([kernel, bias])
    pictures = [(CODES.index(dx), drawn.picture(dx, n)) for n in range(20) for dx in CODES]
    images = np.stack([resize_to_input(np.asarray(picture), spec) for _, picture in pictures])
    truth = np.eye(7, dtype=np.float32)[[label for label, _ in pictures]]
    aware = quantization_aware(network, preserve_sparsity=True)
    aware.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    aware.fit(scale_pixels(images, spec), truth, batch_size=20, epochs=12, verbose=0)
    expected = aware.predict(scale_pixels(images, spec), verbose=0)
    model = to_int8(aware, images[:40], spec)
    np.testing.assert_array_equal(aware.predict(scale_pixels(images, spec), verbose=0), expected)
    taken, given = describe_tensors(model)
    interpreter = interpreter_of(model)
    output = interpreter.get_output_details()[given.logits.index]["index"]
    found = []
    for pixels in images:
        interpreter.set_tensor(
            interpreter.get_input_details()[0]["index"],
            quantize(scale_pixels(pixels, spec), taken)[None],
        )
        interpreter.invoke()
        found.append(dequantize(interpreter.get_tensor(output)[0], given.logits))
    assert np.corrcoef(np.array(found).ravel(), expected.ravel())[0, 1] > 0.98
