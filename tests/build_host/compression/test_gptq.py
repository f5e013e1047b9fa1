import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.imaging.preprocessing import InputSpec, scale_pixels

pytestmark = pytest.mark.tensorflow

SPEC = InputSpec(height=20, width=16, geometry="full-frame", scale=1 / 127.5, offset=-1.0)


def nearest(row: NDArray[np.float64]) -> NDArray[np.float64]:
    step = np.abs(row).max() / 127
    return np.rint(row / step) * step


def cost(row: NDArray[np.float64], other: NDArray[np.float64], moments: NDArray) -> float:
    return float((row - other) @ moments @ (row - other))


@given(seed=st.integers(0, 2**32 - 1), inputs=st.integers(1, 40), zeros=st.integers(0, 39))
def test_every_weight_lands_on_the_grid_of_the_largest(seed: int, inputs: int, zeros: int) -> None:
    from build_host.compression.gptq import round_row

    random = np.random.default_rng(seed)
    row = random.normal(0, random.uniform(1e-3, 1e3), inputs)
    row[random.permutation(inputs)[: min(zeros, inputs - 1)]] = 0.0
    seen = random.normal(random.normal(0, 3), 1, (50, inputs))
    rounded = round_row(row, seen.T @ seen / 50)
    steps = rounded / (np.abs(row).max() / 127)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert np.abs(steps).max() == pytest.approx(127)
    largest = np.abs(row).argmax()
    assert rounded[largest] == pytest.approx(row[largest])
    assert (rounded[row == 0.0] == 0.0).all()


def test_a_filter_of_differences_still_takes_no_notice_of_how_bright_it_is() -> None:
    from build_host.compression.gptq import round_row

    random = np.random.default_rng(1)
    plain, aware = [], []
    for _ in range(50):
        row = random.normal(0, 1, 9)
        row -= row.mean()
        bright = random.uniform(3, 6, (200, 1)) + random.normal(0, 0.1, (200, 9))
        moments = bright.T @ bright / len(bright)
        plain.append(cost(row, nearest(row), moments))
        aware.append(cost(row, round_row(row, moments), moments))
    assert np.mean(aware) < 0.1 * np.mean(plain)


def test_inputs_that_hardly_differ_are_no_trouble_although_their_moments_are_float32_sums() -> None:
    from build_host.compression.gptq import round_row

    random = np.random.default_rng(3)
    # Fewer pictures than inputs, all alike but for a millionth: as after a short training.
    seen = random.uniform(1, 2, 400) * (1 + 1e-6 * random.normal(size=(20, 1)))
    moments = (seen.T.astype(np.float32) @ seen.astype(np.float32)).astype(np.float64) / 20
    # What the sums are off by, as measured of such a layer: a millionth of the largest moment.
    off = np.linalg.qr(random.normal(size=(400, 400)))[0]
    moments -= 1.1e-6 * np.linalg.eigvalsh(moments)[-1] * off[:, :20] @ off[:, :20].T
    row = random.normal(size=400)
    rounded = round_row(row, moments)
    steps = rounded / (np.abs(row).max() / 127)
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    assert cost(row, rounded, seen.T @ seen) < cost(row, nearest(row), seen.T @ seen)


def test_a_row_of_zeros_and_inputs_that_never_come_are_no_trouble() -> None:
    from build_host.compression.gptq import round_row

    assert not round_row(np.zeros(4), np.eye(4)).any()
    np.testing.assert_allclose(round_row(np.array([1.0, -0.3]), np.zeros((2, 2))),
                               nearest(np.array([1.0, -0.3])), atol=1e-9)  # fmt: skip


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    shape = (24, 20, 16, 3)
    noise = np.random.default_rng(2).normal(0, 12, shape)
    return np.clip(np.linspace(140, 230, 24)[:, None, None, None] + noise, 0, 255).astype(np.uint8)


def network():
    from build_host.keras import keras

    layers = keras.layers
    keras.utils.set_random_seed(5)
    image = keras.Input((20, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="first")(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, name="deep")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Conv2D(7, 1, name="map")(x)
    made = keras.Model(image, layers.GlobalAveragePooling2D(name="logits")(x))
    deep = made.get_layer("deep")
    kernel = deep.get_weights()[0]
    deep.set_weights([kernel - kernel.mean(axis=(0, 1), keepdims=True)])
    # What training leaves: a mean taken away, and a small spread made large.
    norm = [layer for layer in made.layers if layer.name.startswith("batch_norm")]
    norm[0].set_weights([np.full(8, 0.6), np.full(8, 3.0), np.zeros(8), np.full(8, 0.3)])
    norm[1].set_weights([np.full(8, 1.0), np.full(8, 1.0), np.zeros(8), np.full(8, 1e-3)])
    return made


def test_what_a_layer_sees_is_measured_as_the_layer_sees_it(images: NDArray[np.uint8]) -> None:
    from build_host.compression.gptq import _second_moments
    from build_host.keras import keras

    made = network()
    for name in ("first", "deep", "map"):
        layer = made.get_layer(name)
        moments = _second_moments(made, layer, images, SPEC)
        kernel, *bias = layer.get_weights()
        out = keras.Model(made.input, layer.output)(scale_pixels(images, SPEC)).numpy()
        out = out - (bias[0] if bias else 0.0)
        for channel in range(out.shape[-1]):
            if name == "deep":
                row, own = kernel[:, :, channel, 0].ravel(), moments[channel]
            else:
                row, own = kernel[..., channel].ravel(), moments[0]
            assert row @ own @ row == pytest.approx((out[..., channel] ** 2).mean(), rel=1e-3)


def test_the_int8_file_is_nearer_to_the_network_and_keeps_the_grid(
    images: NDArray[np.uint8],
) -> None:
    from build_host.compression.gptq import round_weights
    from build_host.compression.quantization import to_int8
    from device.inference.runtimes import installed_runtime

    made = network()
    exact = made.predict(scale_pixels(images, SPEC), verbose=0)

    def error(content: bytes) -> float:
        interpreter = installed_runtime().load(content, 1)
        given, taken = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        step, zero = taken["quantization"]
        said = []
        for pixels in scale_pixels(images, SPEC):
            exactly = np.rint(pixels / given["quantization"][0] + given["quantization"][1])
            interpreter.set_tensor(
                given["index"], np.clip(exactly, -128, 127).astype(np.int8)[None]
            )
            interpreter.invoke()
            said.append((interpreter.get_tensor(taken["index"])[0].astype(float) - zero) * step)
        return float(np.abs(np.stack(said) - exact).mean())

    plain = error(to_int8(made, images, SPEC))
    round_weights(made, images, SPEC)
    content = to_int8(made, images, SPEC)
    assert error(content) < 0.6 * plain
    # The converter finds the same grid, and rounds nothing a second time.
    interpreter = installed_runtime().load(content, 1)
    stored = []
    for details in interpreter.get_tensor_details():
        with contextlib.suppress(ValueError):
            stored.append(interpreter.get_tensor(details["index"]))
    for name in ("first", "deep", "map"):
        kernel = made.get_layer(name).get_weights()[0]
        kernel = kernel.transpose(3, 0, 1, 2)
        axes = (0, 1, 2) if name == "deep" else (1, 2, 3)
        steps = np.rint(kernel / (np.abs(kernel).max(axes, keepdims=True) / 127))
        assert any(s.shape == steps.shape and (s == steps).all() for s in stored)
