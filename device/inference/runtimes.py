"""TensorFlow Lite runtimes: the one seam to whatever runs a model file."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from device.errors import BundleError
from device.platform.stderr_filter import filtered_stderr

EDGE_TPU_LIBRARY: Final = "libedgetpu.so.1"
"""Coral's delegate, as Debian's and Google's packages name it."""


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

    def load_on_edge_tpu(self, model: bytes) -> Interpreter:
        """Return an interpreter of a file that the Edge TPU's compiler made, on that processor.

        Raises
        ------
        OSError, ValueError, RuntimeError
            If its library or the processor is not there, or refuses the file.
        """
        ...


class _PythonRuntime:
    """A package with an ``Interpreter`` class of the TensorFlow Lite kind."""

    def __init__(
        self,
        name: str,
        interpreter_class: Callable[..., Any],
        load_delegate: Callable[[str], Any],
    ) -> None:
        self.name: Final[str] = name
        self._interpreter_class = interpreter_class
        self._load_delegate = load_delegate

    def load(self, model: bytes, threads: int) -> Interpreter:
        # No setting turns these lines off.
        with filtered_stderr(lambda line: line.startswith(b"INFO:")):
            interpreter = self._interpreter_class(model_content=model, num_threads=threads)
            interpreter.allocate_tensors()
        loaded: Interpreter = interpreter
        return loaded

    def load_on_edge_tpu(self, model: bytes) -> Interpreter:
        # The delegate comes first: without it the file cannot even be prepared.
        delegate = self._load_delegate(EDGE_TPU_LIBRARY)
        interpreter = self._interpreter_class(
            model_content=model, experimental_delegates=[delegate]
        )
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
    from ai_edge_litert import interpreter

    return _PythonRuntime("ai-edge-litert", interpreter.Interpreter, _delegates(interpreter))


def tflite_runtime() -> Runtime:
    """Return ``tflite-runtime``, for where only it exists (32-bit Raspberry Pi OS).

    Raises
    ------
    ImportError
        If it is not installed.
    """
    from tflite_runtime import interpreter

    return _PythonRuntime("tflite-runtime", interpreter.Interpreter, _delegates(interpreter))


def _delegates(package: Any) -> Callable[[str], Any]:
    """Return what loads a delegate's library."""

    def load(library: str) -> Any:
        # Where it is missing, the package's own class complains on standard error as it is freed.
        ctypes.CDLL(library)
        loaded = getattr(package, "load_delegate", None)
        if loaded is None:
            raise RuntimeError("the runtime loads no delegates")
        return loaded(library)

    return load


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
