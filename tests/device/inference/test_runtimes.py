import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from device.errors import BundleError
from device.frame import Frame
from device.imaging.preprocessing import resize_to_input
from device.inference.known_answers import TOLERANCE, known_answers
from device.inference.network import Network
from device.inference.runtimes import Interpreter, Runtime, installed_runtime
from device.models.bundle import Bundle, load_bundle
from tests.device.inference.make_golden import SHIPPED, answers

LITERT, TFLITE = "ai_edge_litert", "tflite_runtime"


class PackagedInterpreter:
    """A package's interpreter class, as far as loading goes."""

    made: list["PackagedInterpreter"]

    def __init__(self, model_content: bytes, num_threads: int) -> None:
        self.given = model_content, num_threads
        self.allocated = False
        self.made.append(self)

    def allocate_tensors(self) -> None:
        self.allocated = True


def install(monkeypatch: pytest.MonkeyPatch, package: str, interpreter: type | None) -> None:
    """Have a package with this interpreter, or none of its name."""
    whole, module = ModuleType(package), ModuleType(f"{package}.interpreter")
    module.Interpreter = interpreter  # type: ignore[attr-defined]
    for name, loaded in ((package, whole), (f"{package}.interpreter", module)):
        monkeypatch.setitem(sys.modules, name, loaded if interpreter else None)


@pytest.fixture
def packaged(monkeypatch: pytest.MonkeyPatch) -> type[PackagedInterpreter]:
    monkeypatch.setattr(PackagedInterpreter, "made", [], raising=False)
    return PackagedInterpreter


@pytest.mark.parametrize(
    ("installed", "name"),
    [
        ((LITERT,), "ai-edge-litert"),
        ((TFLITE,), "tflite-runtime"),
        ((LITERT, TFLITE), "ai-edge-litert"),
    ],
)
def test_runtime_is_the_one_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, packaged: type[PackagedInterpreter],
    installed: tuple[str, ...], name: str,
) -> None:  # fmt: skip
    for package in (LITERT, TFLITE):
        install(monkeypatch, package, packaged if package in installed else None)
    runtime = installed_runtime()
    assert runtime.name == name
    loaded = runtime.load(b"a model", 3)
    assert packaged.made == [loaded]
    assert packaged.made[0].given == (b"a model", 3)
    assert packaged.made[0].allocated


def test_device_without_a_runtime_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, bundle: Bundle
) -> None:
    for package in (LITERT, TFLITE):
        install(monkeypatch, package, None)
    for use in (installed_runtime, lambda: Network(bundle, bundle.manifest.live)):
        with pytest.raises(BundleError, match="install ai-edge-litert"):
            use()


def test_installed_runtime_gives_an_interpreter_that_is_ready(bundle: Bundle) -> None:
    live = bundle.manifest.live
    interpreter = installed_runtime().load(bundle.live_model, 1)
    (given,) = interpreter.get_input_details()
    wanted = interpreter.get_output_details()[live.outputs.logits.index]
    assert tuple(given["shape"][1:]) == live.input_tensor.shape
    for seed in (0, 1):
        image = np.random.default_rng(seed).integers(-128, 128, given["shape"], np.int8)
        interpreter.set_tensor(given["index"], image)
        interpreter.invoke()
        if seed == 0:
            first = interpreter.get_tensor(wanted["index"])
            kept = first.copy()
    assert first.shape == (1, *live.outputs.logits.shape)
    # A copy: what was found before does not change with the next run.
    np.testing.assert_array_equal(first, kept)
    assert (interpreter.get_tensor(wanted["index"]) != first).any()


@pytest.mark.parametrize("content", [b"", b"hello" * 1000])
def test_installed_runtime_refuses_what_is_no_model_as_its_protocol_says(content: bytes) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        installed_runtime().load(content, 1)


class RecordingInterpreter:
    """Notes what is asked of another interpreter."""

    def __init__(self, asked: Interpreter) -> None:
        self.asked = asked
        self.calls: list[str] = []

    def get_input_details(self) -> Sequence[dict[str, Any]]:
        self.calls.append("inputs")
        return self.asked.get_input_details()

    def get_output_details(self) -> Sequence[dict[str, Any]]:
        self.calls.append("outputs")
        return self.asked.get_output_details()

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        self.calls.append("set")
        self.asked.set_tensor(index, value)

    def invoke(self) -> None:
        self.calls.append("invoke")
        self.asked.invoke()

    def get_tensor(self, index: int) -> NDArray[Any]:
        self.calls.append("get")
        return self.asked.get_tensor(index)


class RecordingRuntime:
    """A `Runtime` of nobody's making, with no more than the protocol asks for."""

    name = "recording"

    def __init__(self, asked: Runtime) -> None:
        self.asked = asked
        self.loaded: list[tuple[bytes, int]] = []
        self.interpreter: RecordingInterpreter

    def load(self, model: bytes, threads: int) -> Interpreter:
        self.loaded.append((model, threads))
        self.interpreter = RecordingInterpreter(self.asked.load(model, threads))
        return self.interpreter


def test_network_runs_in_the_runtime_that_it_is_given(
    bundle: Bundle, frames: tuple[Frame, ...]
) -> None:
    live = bundle.manifest.live
    runtime = RecordingRuntime(installed_runtime())
    network = Network(bundle, live, 2, runtime)
    assert network.runtime == "recording"
    assert runtime.loaded == [(bundle.live_model, 2)]
    pixels = resize_to_input(frames[0].pixels, live.input)
    runtime.interpreter.calls.clear()
    found = network.run(pixels)
    outputs = msgspec.structs.astuple(live.outputs)
    asked = len(outputs) - outputs.count(None)
    assert runtime.interpreter.calls == ["set", "invoke", *["get"] * asked]
    own = Network(bundle, live)
    assert own.runtime == installed_runtime().name
    for one, other in zip(found, own.run(pixels), strict=True):
        np.testing.assert_array_equal(one, other)


class RefusingRuntime:
    """A `Runtime` that loads nothing."""

    name = "refusing"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def load(self, model: bytes, threads: int) -> Interpreter:
        raise self.error


@pytest.mark.parametrize("kind", [ValueError, RuntimeError])
@pytest.mark.parametrize("file", ["model.tflite", "captured.tflite"])
def test_file_that_the_runtime_refuses_is_named_in_one_line(
    bundle: Bundle, kind: type[Exception], file: str
) -> None:
    spec = msgspec.structs.replace(bundle.manifest.live, file=file)
    named = replace(bundle, models={file: bundle.live_model})
    with pytest.raises(BundleError) as caught:
        Network(named, spec, 1, RefusingRuntime(kind("Op builtin_code\n  out of range: 250")))
    assert str(caught.value) == (
        f"{bundle.folder}: {file} does not load in the runtime: Op builtin_code out of range: 250"
    )


def test_fault_of_the_runtimes_own_is_not_blamed_on_the_bundle(bundle: Bundle) -> None:
    with pytest.raises(MemoryError):
        Network(bundle, bundle.manifest.live, 1, RefusingRuntime(MemoryError()))


class AlteringRuntime(RecordingRuntime):
    """A runtime that computes, and whose every output is altered."""

    def __init__(self, alter: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        super().__init__(installed_runtime())
        self.alter = alter

    def load(self, model: bytes, threads: int) -> Interpreter:
        interpreter = super().load(model, threads)
        right = interpreter.get_tensor
        interpreter.get_tensor = lambda index: self.alter(right(index))  # type: ignore[method-assign]
        return interpreter


def test_network_that_loads_and_fails_at_its_first_pass_is_refused(bundle: Bundle) -> None:
    def fails(values: NDArray[Any]) -> NDArray[Any]:
        raise RuntimeError("Node number 3\n failed to invoke")

    with pytest.raises(BundleError) as caught:
        Network(bundle, bundle.manifest.live, 1, AlteringRuntime(fails))
    assert str(caught.value).endswith(
        "loads, and fails when it is run: Node number 3 failed to invoke"
    )


def test_machine_that_computes_a_shipped_network_wrongly_is_refused(bundle: Bundle) -> None:
    def off_by(steps: int) -> Runtime:
        return AlteringRuntime(lambda x: np.clip(x.astype(int) - steps, -128, 127).astype(np.int8))

    Network(bundle, bundle.manifest.live, 1, off_by(TOLERANCE))
    for steps in (TOLERANCE + 1, 60):
        with pytest.raises(BundleError, match="this machine computes it wrongly"):
            Network(bundle, bundle.manifest.live, 1, off_by(steps))


def test_network_that_gives_what_is_no_number_is_refused(bundle: Bundle) -> None:
    outputs = bundle.manifest.live.outputs
    logits = msgspec.structs.replace(outputs.logits, quantization_scale=float("inf"))
    live = msgspec.structs.replace(
        bundle.manifest.live, outputs=msgspec.structs.replace(outputs, logits=logits)
    )

    class Claiming(RecordingRuntime):
        def load(self, model: bytes, threads: int) -> Interpreter:
            interpreter = super().load(model, threads)
            details = interpreter.get_output_details()
            details[logits.index]["quantization"] = (float("inf"), logits.zero_point)
            interpreter.get_output_details = lambda: details  # type: ignore[method-assign]
            return interpreter

    with pytest.raises(BundleError, match="gives what is no number"):
        Network(bundle, live, 1, Claiming(installed_runtime()))


def test_network_of_a_clinics_own_has_no_known_answers_and_is_only_tried(bundle: Bundle) -> None:
    own = msgspec.structs.replace(bundle.manifest.live, sha256="ab" * 32)
    Network(bundle, own, 1, AlteringRuntime(lambda x: x // 2))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_network_has_known_answers(bundle: Bundle, name: str) -> None:
    shipped = load_bundle(bundle.folder.with_name(name), (bundle.signed_by,))
    for spec in shipped.manifest.networks:
        told = known_answers().get(spec.sha256)
        assert told is not None, "run: python -m tests.device.inference.make_golden"
        assert np.abs(np.subtract(told, answers(shipped, spec))).max() <= TOLERANCE
