import json
import os
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from device.errors import BundleError
from device.frame import Frame
from device.imaging.preprocessing import resize_to_input, scale_pixels
from device.inference.network import Network, dequantize, quantize
from device.inference.runtimes import installed_runtime
from device.models.bundle import Bundle
from device.models.manifest import MODEL_FILE
from device.models.network_spec import TensorSpec
from tests.device.inference.make_golden import GOLDEN, outputs

FLOAT = TensorSpec(index=0, shape=(4,), dtype="float32")

specs = st.builds(
    TensorSpec,
    index=st.just(0),
    shape=st.just((7,)),
    dtype=st.just("int8"),
    quantization_scale=st.floats(2**-14, 8, width=32),
    zero_point=st.integers(-128, 127),
)


def int8(scale: float, zero_point: int) -> TensorSpec:
    return TensorSpec(
        index=0, shape=(4,), dtype="int8", quantization_scale=scale, zero_point=zero_point
    )


@given(spec=specs, places=arrays(np.float64, 7, elements=st.floats(0, 1)))
def test_round_trip_is_within_half_a_step(spec: TensorSpec, places: np.ndarray) -> None:
    low, high = (spec.quantization_scale * (end - spec.zero_point) for end in (-128, 127))
    values = (low + places * (high - low)).astype(np.float32)
    error = np.abs(dequantize(quantize(values, spec), spec).astype(float) - values)
    assert (error <= spec.quantization_scale * (0.5 + 1e-4)).all()


@given(spec=specs, counts=arrays(np.int8, 7))
def test_what_a_tensor_holds_survives_the_way_there_and_back(
    spec: TensorSpec, counts: np.ndarray
) -> None:
    np.testing.assert_array_equal(quantize(dequantize(counts, spec), spec), counts)


def test_values_beyond_the_range_are_clipped_and_do_not_wrap() -> None:
    counts = quantize(np.array([-1e6, -12.9, 12.8, 1e6], np.float32), int8(0.1, 0))
    assert counts.dtype == np.int8
    assert counts.tolist() == [-128, -128, 127, 127]


def test_ties_go_to_the_even_count() -> None:
    values = np.array([0.5, 1.5, 2.5, -0.5], np.float32)
    assert quantize(values, int8(1.0, 0)).tolist() == [0, 2, 2, 0]


def test_zero_point_stands_for_zero() -> None:
    assert quantize(np.zeros(1, np.float32), int8(0.3, -56)).tolist() == [-56]
    assert dequantize(np.array([-56], np.int8), int8(0.3, -56)).tolist() == [0.0]


def test_float_tensors_are_left_as_they_are() -> None:
    values = np.array([1.5, -2.25, 1e9, 0.0], np.float32)
    np.testing.assert_array_equal(quantize(values, FLOAT), values)
    back = dequantize(values, FLOAT)
    np.testing.assert_array_equal(back, values)
    assert not np.shares_memory(back, values)


def test_pixels_reach_the_network_scaled_and_quantized(
    bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    """The table must give what preprocessing and quantization give one after the other."""
    live = bundle.manifest.live
    bare = installed_runtime().load(bundle.live_model, 1)
    given_in, given_out = bare.get_input_details()[0], bare.get_output_details()[0]
    network = Network(bundle, live)
    for frame in frames[:3]:
        scaled = scale_pixels(resize_to_input(frame.pixels, live.input), live.input)
        tensor = quantize(scaled[None], live.input_tensor)
        bare.set_tensor(given_in["index"], tensor)
        bare.invoke()
        raw = bare.get_tensor(given_out["index"])[0]
        given = network.run(resize_to_input(frame.pixels, live.input))
        assert given.logits.dtype == np.float32
        np.testing.assert_array_equal(given.logits, dequantize(raw, live.outputs.logits))
        assert (given.class_activation_map is None) == (live.outputs.class_activation_map is None)
        assert (given.dermoscopic is None) == (live.outputs.dermoscopic is None)
        assert given.views is None


def test_same_pixels_give_the_same_logits_whatever_came_before(
    bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    network = Network(bundle, bundle.manifest.live)
    first, other = (resize_to_input(f.pixels, bundle.manifest.live.input) for f in frames[:2])
    before = network.run(first)[0]
    kept = before.copy()
    assert (network.run(other)[0] != before).any()
    np.testing.assert_array_equal(before, kept)
    np.testing.assert_array_equal(network.run(first)[0], before)


def test_number_of_threads_changes_nothing(bundle: Bundle, frames: tuple[Frame, ...]) -> None:
    pixels = resize_to_input(frames[0].pixels, bundle.manifest.live.input)
    one, two = (Network(bundle, bundle.manifest.live, threads).run(pixels)[0] for threads in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_shipped_model_gives_its_golden_logits(bundle: Bundle, frames: tuple[Frame, ...]) -> None:
    golden = json.loads(GOLDEN.read_text())
    again = "if the shipped model was meant to change: python -m tests.device.inference.make_golden"
    assert set(golden) == {spec.sha256 for spec in bundle.manifest.networks}, again
    for spec in bundle.manifest.networks:
        runtime, raw = outputs(bundle, spec, frames)
        if runtime not in golden[spec.sha256]:
            pytest.skip(f"no golden logits for {runtime}")
        assert raw == golden[spec.sha256][runtime], again


@pytest.mark.parametrize(
    "change",
    [{"dtype": "float32"}, {"zero_point": 0}, {"quantization_scale": 1.0}],
)
def test_input_tensor_that_is_not_the_models_is_refused(
    bundle: Bundle, change: dict[str, object]
) -> None:
    spec = msgspec.structs.replace(bundle.manifest.live.input_tensor, **change)
    live = msgspec.structs.replace(bundle.manifest.live, input_tensor=spec)
    with pytest.raises(BundleError, match="has no tensor 0 of shape"):
        Network(bundle, live)


def test_loading_says_nothing(bundle: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    Network(bundle, bundle.manifest.live)
    assert capfd.readouterr() == ("", "")


def test_refusal_says_nothing_beside_its_message(
    bundle: Bundle, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BundleError) as caught:
        Network(replace(bundle, models={MODEL_FILE: b"hello" * 100}), bundle.manifest.live)
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")


def test_loading_leaves_standard_error_as_it_was(
    bundle: Bundle, capfd: pytest.CaptureFixture[str]
) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    Network(bundle, bundle.manifest.live)
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
