"""How fast a model is, relative to a well-known reference measured in the same run."""

import time
from collections.abc import Callable
from functools import cache
from statistics import median
from typing import Final

import msgspec
import numpy as np

from device.inference.runtimes import installed_runtime

REFERENCE: Final = "MobileNetV2 1.0 at 224 pixels, int8"
_SIDE: Final = 224
_ROUNDS: Final = 7
_RUNS: Final = 60


class Speed(msgspec.Struct, frozen=True):
    """Median milliseconds of one pass on one thread; the two models take turns.

    Attributes
    ----------
    model_ms, reference_ms
        Of the model, and of `reference`.
    times_faster
        The median over several rounds of the reference's time divided by the model's.
    """

    reference: str
    runtime: str
    model_ms: float
    reference_ms: float
    times_faster: float


@cache
def reference_model() -> bytes:
    """Return MobileNetV2 1.0 for 224 pixels and a thousand classes, int8, with random weights."""
    from build_host.compression.quantization import to_int8
    from build_host.keras import keras
    from device.imaging.preprocessing import InputSpec

    spec = InputSpec(height=_SIDE, width=_SIDE, geometry="center-square")
    network = keras.applications.MobileNetV2((_SIDE, _SIDE, 3), weights=None)
    logits = keras.Model(network.input, network.layers[-1].output)
    pixels = np.random.default_rng(0).integers(0, 256, (8, _SIDE, _SIDE, 3), dtype=np.uint8)
    return to_int8(logits, pixels, spec)


def measure_speed(model: bytes, reference: bytes) -> Speed:
    """Return how much faster a network is than the reference.

    Parameters
    ----------
    model
        The bytes of its file.
    reference
        What `reference_model` returns.
    """
    runtime, run_own = _open(model)
    _, run_reference = _open(reference)
    own_ms, reference_ms = [], []
    for _ in range(_ROUNDS):
        own_ms.append(_median_ms(run_own))
        reference_ms.append(_median_ms(run_reference))
    return Speed(
        reference=REFERENCE,
        runtime=runtime,
        model_ms=median(own_ms),
        reference_ms=median(reference_ms),
        times_faster=median(r / o for r, o in zip(reference_ms, own_ms, strict=True)),
    )


def _open(model: bytes) -> tuple[str, Callable[[], object]]:
    """Return the runtime's name, and a function that runs a model on a fixed image."""
    runtime = installed_runtime()
    interpreter = runtime.load(model, 1)
    given = interpreter.get_input_details()[0]
    interpreter.set_tensor(given["index"], np.zeros(given["shape"], given["dtype"]))
    return runtime.name, interpreter.invoke


def _median_ms(run: Callable[[], object]) -> float:
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times) * 1e3
