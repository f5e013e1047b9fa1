"""A stand-in for the Edge TPU and its compiler, for tests and for a machine without one.

It computes on the processor, and does what the real one does: its file cannot be run without it, it
may be missing, answer wrongly, or be pulled out while it is in use.
"""

from collections.abc import Sequence
from typing import Any, Final

from numpy.typing import NDArray

from device.inference.runtimes import Interpreter, Runtime

_MARK: Final = b"stand-in for edgetpu-custom-op"


def compile_for_fake(model: bytes) -> bytes:
    """Return what the stand-in's compiler makes of a model file."""
    return _MARK + model


class FakeEdgeTpu:
    """A runtime with an Edge TPU beside it.

    Parameters
    ----------
    runtime
        Runs the networks.
    plugged_in
        Whether the Edge TPU is there at the start.
    added
        What it adds to each answer, in steps of its tensor: a fault that raises no error.
    passes
        After how many passes it is pulled out; None for never.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        plugged_in: bool = True,
        added: int = 0,
        passes: int | None = None,
    ) -> None:
        self._runtime = runtime
        self._plugged_in = plugged_in
        self._added = added
        self._passes = passes
        self.used = 0

    @property
    def name(self) -> str:
        """The runtime's own."""
        return self._runtime.name

    def load(self, model: bytes, threads: int) -> Interpreter:
        """Load a plain file; that of the compiler is refused, as by the real runtime."""
        if model.startswith(_MARK):
            raise RuntimeError("Encountered unresolved custom op: edgetpu-custom-op.")
        return self._runtime.load(model, threads)

    def load_on_edge_tpu(self, model: bytes) -> Interpreter:
        """Load a file of the stand-in's compiler."""
        if not self._plugged_in:
            raise OSError("libedgetpu.so.1: cannot open shared object file")
        if not model.startswith(_MARK):
            raise ValueError("the file was not compiled for the Edge TPU")
        return _OnFake(self, self._runtime.load(model.removeprefix(_MARK), 1))

    def passed(self) -> None:
        """Count a pass.

        Raises
        ------
        RuntimeError
            If it was pulled out.
        """
        if self._passes is not None and self.used >= self._passes:
            raise RuntimeError("Failed to execute request. Could not map device buffer.")
        self.used += 1

    def answer(self, value: NDArray[Any]) -> NDArray[Any]:
        """Return an output as it gives it."""
        return value + value.dtype.type(self._added) if self._added else value


class _OnFake:
    """An interpreter whose network runs on the stand-in."""

    def __init__(self, device: FakeEdgeTpu, interpreter: Interpreter) -> None:
        self._device = device
        self._interpreter = interpreter

    def get_input_details(self) -> Sequence[dict[str, Any]]:
        return self._interpreter.get_input_details()

    def get_output_details(self) -> Sequence[dict[str, Any]]:
        return self._interpreter.get_output_details()

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        self._interpreter.set_tensor(index, value)

    def invoke(self) -> None:
        self._device.passed()
        self._interpreter.invoke()

    def get_tensor(self, index: int) -> NDArray[Any]:
        return self._device.answer(self._interpreter.get_tensor(index))
