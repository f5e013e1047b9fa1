"""Whether a network is ready for Coral's Edge TPU, and its compilation by Coral's own tool.

The compiler maps operations from the beginning of the network to the first that it cannot; from
there on everything runs on the processor. So one that is ready is one sub-graph for the Edge TPU
(coral.ai/docs/edgetpu/models-intro).
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from build_host.errors import DataError

COMPILER: Final = "edgetpu_compiler"
READINESS_FILE: Final = "edgetpu.json"
_SECONDS: Final = 600.0

SUPPORTED: Final = frozenset(
    {
        "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D",
        "EXPAND_DIMS", "FULLY_CONNECTED", "L2_NORMALIZATION", "LOGISTIC", "LSTM", "MAXIMUM",
        "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PACK", "PAD", "PRELU", "QUANTIZE",
        "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE",
        "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SLICE", "SOFTMAX",
        "SPACE_TO_DEPTH", "SPLIT", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB",
        "SUM", "TANH", "TRANSPOSE", "TRANSPOSE_CONV",
    }
)  # fmt: skip
"""Operations that the documentation lists; each has limits that only the compiler knows."""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a network could run on an Edge TPU.

    Attributes
    ----------
    file
        Of the network.
    operations
        How often each is used.
    unsupported
        Those that the documentation does not list, in their order.
    floating_point
        Tensors that are not of whole numbers, by name.
    mapped, of
        How many operations come before the first that is unsupported, and how many there are.
    dynamic
        Tensors whose size is not fixed, by name.
    """

    file: str
    operations: dict[str, int]
    unsupported: tuple[str, ...]
    floating_point: tuple[str, ...]
    dynamic: tuple[str, ...]
    mapped: int
    of: int

    @property
    def ready(self) -> bool:
        """Whether all of it could be one sub-graph for the Edge TPU."""
        return not (self.unsupported or self.floating_point or self.dynamic)


def readiness(file: str, model: bytes) -> Readiness:
    """Return whether a ``.tflite`` file could run on an Edge TPU.

    Raises
    ------
    build_host.errors.DataError
        If it has more than one sub-graph: control flow, which the Edge TPU has not.
    """
    from ai_edge_litert import schema_py_generated as schema

    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    if len(read.subgraphs) != 1:
        raise DataError(f"{file}: has {len(read.subgraphs)} sub-graphs, and one is needed")
    graph = read.subgraphs[0]
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
    whole = {
        schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16,
        schema.TensorType.INT32, schema.TensorType.INT64,
    }  # fmt: skip
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in read.operatorCodes]
    used = [names[codes[operator.opcodeIndex]] for operator in graph.operators]
    first = next((i for i, name in enumerate(used) if name not in SUPPORTED), len(used))
    return Readiness(
        file=file,
        operations={name: used.count(name) for name in sorted(set(used))},
        unsupported=tuple(dict.fromkeys(name for name in used if name not in SUPPORTED)),
        floating_point=_named(t for t in graph.tensors if t.type not in whole),
        dynamic=_named(t for t in graph.tensors if _dynamic(t)),
        mapped=first,
        of=len(used),
    )


def _named(tensors: Iterable[Any]) -> tuple[str, ...]:
    return tuple(tensor.name.decode("utf-8", "replace") for tensor in tensors)


def _dynamic(tensor: Any) -> bool:
    """Return whether a side is not fixed; the batch's first one is, by the interpreter."""
    signature = tensor.shapeSignature
    return signature is not None and any(int(side) < 0 for side in signature[1:])


def found_compiler() -> Path | None:
    """Return Coral's compiler, where it is installed."""
    path = shutil.which(COMPILER)
    return Path(path) if path else None


def compile_model(compiler: Path, model: bytes) -> bytes:
    """Return what the compiler makes of a ``.tflite`` file.

    Raises
    ------
    build_host.errors.DataError
        If it fails, or makes nothing.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        done = _run([str(compiler), "--out_dir", name, str(folder / "model.tflite")])
        made = folder / "model_edgetpu.tflite"
        if done.returncode or not made.is_file():
            told = " ".join((done.stderr or done.stdout).split())[-300:]
            raise DataError(f"{compiler}: failed with {done.returncode}: {told}")
        return made.read_bytes()


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"{command[0]}: cannot be run ({error})") from None
