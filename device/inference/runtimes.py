"""TensorFlow Lite runtimes: the one seam to whatever runs a model file."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from device.errors import BundleError
from device.platform.stderr_filter import filtered_stderr


class Interpreter(Protocol):
    """A model file, ready to run: as much of ``tf.lite.Interpreter`` as is used."""

    def get_input_details(self) -> Sequence[dict[str, Any]]:
        """Return shape, dtype, quantization and index of every input."""
        ...

    def get_output_details(self) -> Sequence[dict[str, Any]]:
        """Return the same of every output."""
        ...

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        """Give an input."""
        ...

    def invoke(self) -> None:
        """Run the network."""
        ...

    def get_tensor(self, index: int) -> NDArray[Any]:
        """Return a copy of an output."""
        ...


class Runtime(Protocol):
    """Runs model files."""

    @property
    def name(self) -> str:
        """Its package's name."""
        ...

    def load(self, model: bytes, threads: int) -> Interpreter:
        """Return an interpreter of a ``.tflite`` file, its tensors allocated.

        Raises
        ------
        ValueError, RuntimeError
            If the runtime refuses the file.
        """
        ...


class _PythonRuntime:
    """A package with an ``Interpreter`` class of the TensorFlow Lite kind."""

    def __init__(self, name: str, interpreter_class: Callable[..., Any]) -> None:
        self.name: Final[str] = name
        self._interpreter_class = interpreter_class

    def load(self, model: bytes, threads: int) -> Interpreter:
        # No setting turns these lines off.
        with filtered_stderr(lambda line: line.startswith(b"INFO:")):
            interpreter = self._interpreter_class(model_content=model, num_threads=threads)
            interpreter.allocate_tensors()
        loaded: Interpreter = interpreter
        return loaded


def litert() -> Runtime:
    """Return ``ai-edge-litert``, the maintained successor of ``tflite-runtime``.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    from ai_edge_litert.interpreter import Interpreter as LiteRTInterpreter

    return _PythonRuntime("ai-edge-litert", LiteRTInterpreter)


def tflite_runtime() -> Runtime:
    """Return ``tflite-runtime``, for where only it exists (32-bit Raspberry Pi OS).

    Raises
    ------
    ImportError
        If it is not installed.
    """
    from tflite_runtime.interpreter import Interpreter as TfliteInterpreter

    return _PythonRuntime("tflite-runtime", TfliteInterpreter)


def installed_runtime() -> Runtime:
    """Return the runtime to use.

    Raises
    ------
    device.errors.BundleError
        If none is installed.
    """
    for runtime in (litert, tflite_runtime):
        try:
            return runtime()
        except ImportError:
            continue
    raise BundleError("no TensorFlow Lite runtime is installed; install ai-edge-litert")
